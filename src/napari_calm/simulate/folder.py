"""A simulated session as a folder of plain files, the same bytes from the same seed."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from ..core.atomic import replacing
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Progress, Steps, run
from .movie import RenderedMovie
from .session import GroundTruth, SimulatedSession

# The z writes a rounded -0.00000 as 0.00000.
_FLOAT_FORMAT = "{:z.5f}".format
_COPIED_AT_ONCE = 2**22


def write_session_folder_steps(
    session: SimulatedSession, rendered: RenderedMovie, folder: str | Path
) -> Steps[Path]:
    """Write a session and its movie as files that other programs open as well.

    ``movie.tif`` (ImageJ TIFF with frame rate and pixel size, uncompressed in one piece, so
    that it can be memory-mapped), ``labels.tif`` (uint16 label image), ``footprints.npz``
    (sparse weights: ``data, indices, indptr, shape, image_shape, label_values``),
    ``behaviour.csv`` (one row a frame), ``trials.csv`` (one row a trial) and ``truth.npz``.
    No file holds a date, a version or a machine's name.

    Parameters
    ----------
    folder : path
        Made where missing; files of these names are replaced.

    Yields
    ------
    Progress
        Frames written.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder = Path(folder)
    yield from _write_movie_steps(rendered.movie, folder / "movie.tif")
    with replacing(folder / "labels.tif") as path:
        tifffile.imwrite(
            path,
            rendered.footprints.label_image.astype(np.uint16),
            **_imagej_options(rendered.movie, {"axes": "YX"}),
        )
    _write_npz(folder / "footprints.npz", _footprint_arrays(rendered.footprints))
    _write_npz(folder / "truth.npz", _truth_arrays(session.truth, rendered))
    recording = session.recording
    for name, table in (("behaviour", recording.behaviour), ("trials", recording.trials)):
        if table is not None:
            _write_csv(folder / f"{name}.csv", table)
    yield Progress(recording.n_frames, recording.n_frames, "Writing the movie")
    return folder


def write_session_folder(
    session: SimulatedSession, rendered: RenderedMovie, folder: str | Path
) -> Path:
    """Write a session and its movie as files; see `write_session_folder_steps`."""
    return run(write_session_folder_steps(session, rendered, folder))


def _imagej_options(movie: Movie, metadata: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "imagej": True,
        "byteorder": "<",
        "photometric": "minisblack",
        "software": False,
        "metadata": metadata,
    }
    if movie.pixel_size_um is not None:
        # TIFF counts pixels a unit.
        options["resolution"] = (1 / movie.pixel_size_um, 1 / movie.pixel_size_um)
        metadata["unit"] = "micron"
    return options


def _write_movie_steps(movie: Movie, path: Path) -> Steps[None]:
    metadata: dict[str, Any] = {"axes": "TYX"}
    if movie.frame_rate_hz is not None:
        metadata |= {"fps": movie.frame_rate_hz, "finterval": 1 / movie.frame_rate_hz}
    with replacing(path) as partial:
        # Making the file with tifffile.memmap would align the pixels to the page size of
        # this system, and another one would write other bytes.
        tifffile.imwrite(
            partial,
            shape=tuple(movie.frames.shape),
            dtype=movie.frames.dtype,
            align=4096,
            **_imagej_options(movie, metadata),
        )
        pages = tifffile.memmap(partial, mode="r+")
        at_once = max(1, _COPIED_AT_ONCE // pages[0].nbytes)
        for start in range(0, movie.n_frames, at_once):
            stop = min(start + at_once, movie.n_frames)
            pages[start:stop] = movie.frames[start:stop]
            yield Progress(stop, movie.n_frames, "Writing the movie")
        pages.flush()
        # An open map would keep Windows from moving the file to its place.
        del pages


def _footprint_arrays(footprints: Footprints) -> dict[str, np.ndarray]:
    weights = footprints.weights
    return {
        "data": weights.data,
        "indices": weights.indices.astype(np.int32),
        "indptr": weights.indptr.astype(np.int32),
        "shape": np.array(weights.shape, np.int64),
        "image_shape": np.array(footprints.image_shape, np.int64),
        "label_values": footprints.label_values,
    }


def _truth_arrays(truth: GroundTruth, rendered: RenderedMovie) -> dict[str, np.ndarray]:
    # Rounding hides the last bits, in which processors differ.
    exact = {
        "dff": truth.dff,
        "drift_dff": truth.drift_dff,
        "rates_hz": truth.rates_hz,
        "noise_dff": truth.noise_dff,
        "latents": truth.latents,
        "soma_photons": rendered.soma_photons,
        "shifts_px": rendered.shifts_px,
        **{
            f"tuning_{name}": truth.tuning[name].to_numpy() for name in truth.tuning.columns[1:]
        },
    }
    return {
        "group": truth.group,
        "spikes": truth.spikes.astype(np.uint16),
        **{name: np.round(values, 4).astype(np.float32) for name, values in exact.items()},
    }


def _write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as numpy does, but with the same bytes on every day and every system."""
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format=_FLOAT_FORMAT, lineterminator="\n")
