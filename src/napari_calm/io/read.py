"""One way in: whatever holds a recording, told by its name and content."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..core.errors import RecordingError
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording
from ..extraction.extract import extract_steps
from .describe import describe
from .kind import Kind, kind_of
from .labels import read_footprints
from .session_folder import read_session_folder
from .suite2p import read_suite2p_steps
from .tiff import read_movie
from .traces import read_traces_npz

__all__ = ["describe", "read_recording", "read_recording_steps"]


def read_recording_steps(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    rois: str | Path | None = None,
    drop_unusable: bool = False,
    cells_only: bool = False,
) -> Steps[Recording]:
    """Read a recording from anything that holds one.

    - an npz archive with `traces` (`read_traces_npz`);
    - a suite2p folder, one of its planes, or a file in it (`read_suite2p`);
    - a session folder: its ``traces.npz``, or else traces extracted from movie and ROIs;
    - a TIFF movie with `rois`: traces are extracted.

    Parameters
    ----------
    path : path
        File or folder.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.
    rois : path, optional
        Label image or footprints archive for a movie or for traces without ROIs.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.
    cells_only : bool
        Of a suite2p folder, keep only the accepted cells.

    Yields
    ------
    Progress
        Of the extraction, where one is needed.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If nothing is there, the kind is not known, ROIs are missing, or what the reader of
        that kind finds wrong.
    """
    path = Path(path)
    match kind_of(path):
        case Kind.TRACES:
            footprints = None if rois is None else read_footprints(rois)
            return read_traces_npz(
                path,
                frame_rate_hz=frame_rate_hz,
                drop_unusable=drop_unusable,
                footprints=footprints,
            )
        case Kind.SUITE2P:
            if rois is not None:
                raise RecordingError(
                    f"{path}: a suite2p folder has its own ROIs; leave out {rois}."
                )
            recording = yield from read_suite2p_steps(
                path if path.is_dir() else path.parent,
                frame_rate_hz=frame_rate_hz,
                cells_only=cells_only,
                drop_unusable=drop_unusable,
            )
            return recording
        case Kind.SESSION:
            recording = yield from _session_steps(path, frame_rate_hz, rois, drop_unusable)
            return recording
        case Kind.MOVIE:
            if rois is None:
                raise RecordingError(
                    f"{path}: a movie alone has no traces. Give its ROIs: --rois LABELS on the "
                    "command line (rois= in Python), or make a recording of it once with "
                    f"'napari-calm extract {path.name} --rois LABELS --out TRACES.npz'."
                )
            movie = read_movie(path, frame_rate_hz=frame_rate_hz)
            footprints = read_footprints(rois, image_shape=movie.image_shape)
            recording = yield from extract_steps(movie, footprints, drop_unusable=drop_unusable)
            return recording
        case kind:
            raise RecordingError(
                f"{path}: found a {kind}; expected a recording: traces as npz, a suite2p "
                "folder, a session folder, or a TIFF movie with ROIs (--rois)."
            )


def read_recording(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    rois: str | Path | None = None,
    drop_unusable: bool = False,
    cells_only: bool = False,
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
        ),
        on_progress,
    )


def _session_steps(
    path: Path, frame_rate_hz: float | None, rois: str | Path | None, drop_unusable: bool
) -> Steps[Recording]:
    session = read_session_folder(
        path, frame_rate_hz=frame_rate_hz, drop_unusable=drop_unusable
    )
    if session.recording is not None and rois is None:
        return session.recording
    footprints = session.footprints
    if rois is not None:
        footprints = read_footprints(rois, image_shape=session.movie.image_shape)
    recording = yield from extract_steps(
        session.movie, footprints, drop_unusable=drop_unusable, name=path.resolve().name
    )
    return replace(
        recording, source=str(path), behaviour=session.behaviour, trials=session.trials
    )
