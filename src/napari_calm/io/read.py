"""One way in: whatever holds a recording, told by its name and content."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from ..core.errors import RecordingError
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording
from ..extraction.extract import extract_steps
from ..extraction.options import ExtractionOptions
from .address import split_address
from .behaviour import with_behaviour
from .caiman import read_caiman
from .describe import describe
from .extract_mat import read_extract
from .kind import Kind, kind_of
from .minian import read_minian
from .movies import open_movie
from .nwb import holds_traces, read_nwb_steps
from .rois import read_rois
from .session_folder import read_session_folder
from .suite2p import read_suite2p_steps
from .trace_tables import read_trace_array, read_trace_table
from .traces import read_traces_npz

__all__ = ["describe", "read_recording", "read_recording_steps"]

PathOrPaths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]
# These come with ROIs of their own.
_WITH_ROIS = (Kind.SUITE2P, Kind.CAIMAN, Kind.MINIAN, Kind.EXTRACT)


def read_recording_steps(
    path: PathOrPaths,
    *,
    frame_rate_hz: float | None = None,
    rois: str | Path | None = None,
    drop_unusable: bool = False,
    cells_only: bool = False,
    dataset: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    transpose: bool | None = None,
    behaviour: str | Path | Sequence[str | Path] = (),
    extraction: ExtractionOptions | None = None,
) -> Steps[Recording]:
    """Read a recording from anything that holds one.

    - results of suite2p, CaImAn, minian or EXTRACT; an NWB file with traces;
    - traces as npz, npy, csv, tsv or parquet;
    - a session folder: its ``traces.npz``, or else traces extracted from movie and ROIs;
    - a movie (TIFF, HDF5, Zarr, OME-Zarr, NWB; several TIFF files as a folder, pattern or
      list) with `rois`: traces are extracted.

    Parameters
    ----------
    path : path, or sequence of paths
        File or folder; ``file.h5::/dataset`` names a dataset in it.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.
    rois : path, optional
        ROIs (whatever `read_rois` reads) of a movie or of traces without.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.
    cells_only : bool
        Of suite2p, CaImAn and NWB, keep only the accepted cells.
    dataset : str, optional
        Which dataset, series or array of a file that holds several.
    channel, plane : int, optional
        Of a movie that has several, numbered from 1.
    transpose : bool, optional
        Exchange the axes of NWB images and ROIs, or of traces in npy files and tables.
    behaviour : path or sequence of paths, optional
        Behaviour or trials that belong to the recording; see `with_behaviour`.
    extraction : ExtractionOptions, optional
        How traces are made of a movie and its ROIs.

    Yields
    ------
    Progress
        Of the extraction or of dF/F, where one is needed.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If nothing is there, the kind is not known, ROIs are missing, or what the reader of
        that kind finds wrong.
    """
    kind = kind_of(path) if isinstance(path, (str, PathLike)) else Kind.MOVIE
    single = path if isinstance(path, (str, PathLike)) else ""
    place, dataset = split_address(single, dataset)
    if rois is not None and kind in _WITH_ROIS:
        raise RecordingError(f"{place}: {kind} have their own ROIs; leave out {rois}.")
    from_movie = kind in (Kind.MOVIE, Kind.SESSION) or (kind is Kind.NWB and rois is not None)
    if extraction is not None and not from_movie:
        raise RecordingError(
            f"{place}: {kind} hold traces, which are not extracted; leave out extraction=."
        )
    how = extraction or ExtractionOptions()
    match kind:
        case Kind.TRACES | Kind.ARRAY | Kind.TABLE:
            footprints = None if rois is None else read_rois(rois)
            if kind is Kind.TRACES:
                recording = read_traces_npz(
                    place,
                    frame_rate_hz=frame_rate_hz,
                    drop_unusable=drop_unusable,
                    footprints=footprints,
                )
            else:
                read = read_trace_array if kind is Kind.ARRAY else read_trace_table
                recording = read(
                    place,
                    frame_rate_hz=frame_rate_hz,
                    drop_unusable=drop_unusable,
                    footprints=footprints,
                    transpose=bool(transpose),
                )
        case Kind.SUITE2P:
            recording = yield from read_suite2p_steps(
                place if place.is_dir() else place.parent,
                frame_rate_hz=frame_rate_hz,
                cells_only=cells_only,
                drop_unusable=drop_unusable,
            )
        case Kind.CAIMAN:
            recording = read_caiman(
                place,
                frame_rate_hz=frame_rate_hz,
                cells_only=cells_only,
                drop_unusable=drop_unusable,
            )
        case Kind.MINIAN:
            recording = read_minian(
                place, frame_rate_hz=frame_rate_hz, drop_unusable=drop_unusable
            )
        case Kind.EXTRACT:
            recording = read_extract(
                place, frame_rate_hz=frame_rate_hz, drop_unusable=drop_unusable
            )
        case Kind.NWB if rois is None and holds_traces(place):
            recording = yield from read_nwb_steps(
                place,
                dataset=dataset,
                frame_rate_hz=frame_rate_hz,
                cells_only=cells_only,
                drop_unusable=drop_unusable,
                transpose=transpose,
            )
        case Kind.SESSION:
            recording = yield from _session_steps(
                place, frame_rate_hz, rois, drop_unusable, extraction
            )
        case Kind.MOVIE | Kind.NWB:
            if rois is None:
                shown = place.name or "MOVIE"
                raise RecordingError(
                    f"{path}: a movie alone has no traces. Give its ROIs: --rois ROIS on the "
                    "command line (rois= in Python), or make a recording of it once with "
                    f"'napari-calm extract {shown} --rois ROIS --out TRACES.npz'."
                )
            movie = open_movie(
                path,
                dataset=dataset,
                frame_rate_hz=frame_rate_hz,
                channel=channel,
                plane=plane,
                transpose=transpose,
            )
            footprints = read_rois(rois, image_shape=movie.image_shape, transpose=transpose)
            recording = yield from extract_steps(
                movie, footprints, drop_unusable=drop_unusable, **asdict(how)
            )
        case _:
            raise RecordingError(
                f"{place}: found a {kind}; expected a recording: traces, results of "
                "suite2p, CaImAn, minian or EXTRACT, an NWB file, a session folder, or a movie "
                "with ROIs (--rois)."
            )
    for table in [behaviour] if isinstance(behaviour, (str, PathLike)) else behaviour:
        recording = with_behaviour(recording, table)
    return recording


def read_recording(
    path: PathOrPaths,
    *,
    frame_rate_hz: float | None = None,
    rois: str | Path | None = None,
    drop_unusable: bool = False,
    cells_only: bool = False,
    dataset: str | None = None,
    channel: int | None = None,
    plane: int | None = None,
    transpose: bool | None = None,
    behaviour: str | Path | Sequence[str | Path] = (),
    extraction: ExtractionOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Recording:
    """Read a recording from anything that holds one; see `read_recording_steps`."""
    return run(
        read_recording_steps(
            path,
            frame_rate_hz=frame_rate_hz,
            rois=rois,
            drop_unusable=drop_unusable,
            cells_only=cells_only,
            dataset=dataset,
            channel=channel,
            plane=plane,
            transpose=transpose,
            behaviour=behaviour,
            extraction=extraction,
        ),
        on_progress,
    )


def _session_steps(
    path: Path,
    frame_rate_hz: float | None,
    rois: str | Path | None,
    drop_unusable: bool,
    extraction: ExtractionOptions | None,
) -> Steps[Recording]:
    session = read_session_folder(
        path, frame_rate_hz=frame_rate_hz, drop_unusable=drop_unusable
    )
    if session.recording is not None and rois is None and extraction is None:
        return session.recording
    footprints = session.footprints
    if rois is not None:
        footprints = read_rois(rois, image_shape=session.movie.image_shape)
    recording = yield from extract_steps(
        session.movie,
        footprints,
        drop_unusable=drop_unusable,
        name=path.resolve().name,
        **asdict(extraction or ExtractionOptions()),
    )
    return replace(
        recording, source=str(path), behaviour=session.behaviour, trials=session.trials
    )
