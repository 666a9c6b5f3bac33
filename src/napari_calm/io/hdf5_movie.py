"""Movies in HDF5 files, read frame by frame."""

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..core.errors import ChoiceNeeded, RecordingError
from ..core.movie import Movie
from .frames_on_demand import FramesOnDemand
from .hdf5 import member, open_hdf5
from .tiff import check_decodes

_RATE_NAMES = ("frame_rate_hz", "frame_rate", "fps", "fs", "fr", "rate")
_MOST_LISTED = 12


def read_hdf5_movie(
    path: str | Path, *, dataset: str | None = None, frame_rate_hz: float | None = None
) -> Movie:
    """Open a movie (frames, height, width) in an HDF5 file without reading it.

    The file is opened for each block of frames and closed again, so that nothing stays
    open and other processes may read the same movie.

    Parameters
    ----------
    path : path
        The HDF5 file.
    dataset : str, optional
        Which dataset; needed where several could be movies. Axes of length 1 do not count.
    frame_rate_hz : float, optional
        Frames a second; goes before an attribute of the dataset or the file that gives it
        (frame_rate_hz, frame_rate, fps, fs, fr or rate).

    Raises
    ------
    ChoiceNeeded
        If several datasets could be the movie and none is named.
    RecordingError
        If none could be the movie, or the named one is no movie.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        name = _chosen(file, dataset, path)
        found = file[name]
        rate = frame_rate_hz
        if rate is None:
            rate = _recorded_rate_hz(found) or _recorded_rate_hz(file)
    frames = hdf5_frames(path, name)
    check_decodes(frames, path)
    return Movie(frames, rate, name=path.stem, source=f"{path}::{name}")


def movie_datasets(file: h5py.File) -> list[str]:
    """Names of all datasets in an open file that could be movies."""
    names: list[str] = []

    def visit(name: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset) and _is_movie(found):
            names.append(f"/{name}")

    file.visititems(visit)
    return names


def hdf5_frames(path: Path, name: str, *, transposed: bool = False) -> Any:
    """Frames (frames, height, width) of a dataset, read when they are sliced.

    Parameters
    ----------
    path : path
        The HDF5 file.
    name : str
        A dataset with frames as its first axis.
    transposed : bool
        The dataset holds (frames, width, height).
    """
    with open_hdf5(path) as file:
        found = member(file, name)
        n_frames, height, width = _movie_lengths(found)
        chunk_frames = found.chunks[0] if found.chunks else 1
        dtype = found.dtype
    if transposed:
        height, width = width, height
    read = partial(_read_frames, path, name, transposed)
    return FramesOnDemand((n_frames, height, width), dtype, read, frames_per_chunk=chunk_frames)


def _read_frames(path: Path, name: str, transposed: bool, start: int, stop: int) -> np.ndarray:
    with open_hdf5(path) as file:
        found = file[name]
        block = np.asarray(found[start:stop])
        block = block.reshape(stop - start, *_movie_lengths(found)[1:])
    return block.transpose(0, 2, 1) if transposed else block


def _movie_lengths(found: h5py.Dataset) -> tuple[int, ...]:
    """Frames and the two sides; axes of length 1 behind the frames do not count."""
    lengths: tuple[int, ...] = tuple(int(side) for side in found.shape or ())
    if len(lengths) > 3:
        lengths = (lengths[0], *(side for side in lengths[1:] if side > 1))
    return lengths


def _is_movie(found: h5py.Dataset) -> bool:
    if found.shape is None or found.dtype.kind not in "biuf":
        return False
    lengths = _movie_lengths(found)
    return len(lengths) == 3 and min(lengths) > 1


def _chosen(file: h5py.File, dataset: str | None, path: Path) -> str:
    if dataset is not None:
        found = member(file, dataset)
        if not isinstance(found, h5py.Dataset):
            raise RecordingError(
                f"{path}: there is no dataset {dataset!r}. {_listed(movie_datasets(file))}"
            )
        if not _is_movie(found):
            raise RecordingError(
                f"{path}: the dataset {dataset!r} holds {found.dtype} of shape {found.shape}; "
                "a movie holds numbers (frames, height, width)."
            )
        return str(found.name)
    names = movie_datasets(file)
    if not names:
        raise RecordingError(f"{path}: found no dataset that could be a movie. {_listed([])}")
    if len(names) > 1:
        raise ChoiceNeeded(
            f"{path}: found {len(names)} datasets that could be a movie. {_listed(names)} "
            f"Choose one with {path.name}::/DATASET or --dataset on the command line, "
            "dataset= in Python.",
            "dataset",
            names,
        )
    member(file, names[0])
    return names[0]


def _listed(names: list[str]) -> str:
    if not names:
        return "A movie has three axes: frames, height and width."
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"Movies are: {', '.join(names[:_MOST_LISTED])}{more}."


def _recorded_rate_hz(holder: Any) -> float | None:
    for name in _RATE_NAMES:
        value = holder.attrs.get(name)
        if value is not None and np.size(value) == 1 and np.asarray(value).dtype.kind in "iuf":
            rate = float(np.ravel(value)[0])
            if 0 < rate < float("inf"):
                return rate
    return None
