"""Movies of all kinds, opened without reading them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.errors import ChoiceNeeded, RecordingError
from ..core.movie import Movie
from .address import check_readable, several_files, split_address
from .hdf5 import is_hdf5, open_hdf5
from .hdf5_movie import read_hdf5_movie
from .nwb_movie import read_nwb_movie
from .nwb_series import is_nwb
from .tiff import read_movie
from .tiff_files import read_movie_files, tiff_files_in
from .zarr_arrays import is_zarr
from .zarr_movie import read_zarr_movie

_MOST_MOVIES = 16


def open_movie(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    dataset: str | None = None,
    frame_rate_hz: float | None = None,
    channel: int | None = None,
    plane: int | None = None,
    transpose: bool | None = None,
) -> Movie:
    """Open a movie in whatever format, without reading it.

    Parameters
    ----------
    path : path, or sequence of paths
        A TIFF, HDF5 or NWB file, a Zarr or OME-Zarr folder, or several TIFF files that make
        one movie: a folder of them, a pattern (``run_*.tif``) or a list, in natural order.
        ``file.h5::/group/data`` names a dataset.
    dataset : str, optional
        Dataset, series or array in a file that holds several.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.
    channel, plane : int, optional
        Numbered from 1; needed where the file has several.
    transpose : bool, optional
        NWB: transpose the images, or do not, whatever the file shows.

    Returns
    -------
    Movie

    Raises
    ------
    ChoiceNeeded
        If the file holds several movies and nothing says which.
    RecordingError
        If there is no such movie.
    """
    if isinstance(path, (str, PathLike)):
        place, dataset = split_address(path, dataset)
        files = several_files(place)
    else:
        files = several_files(path)
    first = files[0]
    check_readable(first)
    if len(files) == 1 and first.is_dir() and is_zarr(first):
        return read_zarr_movie(
            first, dataset=dataset, frame_rate_hz=frame_rate_hz, channel=channel, plane=plane
        )
    source, name = str(path if isinstance(path, (str, PathLike)) else first), first.stem
    if len(files) == 1 and first.is_dir():
        name, files = first.resolve().name, tiff_files_in(first)
        if not files:
            raise RecordingError(
                f"{first}: the folder holds no TIFF file and is no Zarr movie."
            )
    if len(files) == 1:
        return _of_one_file(files[0], dataset, frame_rate_hz, channel, plane, transpose)
    return read_movie_files(
        files,
        name=name,
        source=source,
        frame_rate_hz=frame_rate_hz,
        channel=channel,
        plane=plane,
    )


def open_movies(
    path: str | PathLike[str] | Sequence[str | PathLike[str]],
) -> list[tuple[dict[str, Any], Movie]]:
    """Open every movie at a path: all channels, planes and datasets, without reading them.

    Parameters
    ----------
    path : path, or sequence of paths
        As of `open_movie`.

    Returns
    -------
    list of (dict, Movie)
        What `open_movie` has to be told of each (channel, plane, dataset; nothing where there
        is one movie), and the movie, whose name says it.

    Raises
    ------
    RecordingError
        If there is no movie, or there are more than 16 to choose from.
    """
    found = list(islice(_every(path, {}), _MOST_MOVIES + 1))
    if len(found) > _MOST_MOVIES:
        # Says what there is to choose from.
        open_movie(path)
    return found


def _every(path: Any, chosen: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Movie]]:
    try:
        movie = open_movie(path, **chosen)
    except ChoiceNeeded as choice:
        for value in choice.offered:
            yield from _every(path, {**chosen, choice.option: value})
    else:
        which = [
            str(value).strip("/") if option == "dataset" else f"{option} {value}"
            for option, value in chosen.items()
        ]
        yield chosen, replace(movie, name=", ".join([movie.name, *which]))


def _of_one_file(
    path: Path,
    dataset: str | None,
    frame_rate_hz: float | None,
    channel: int | None,
    plane: int | None,
    transpose: bool | None,
) -> Movie:
    if is_hdf5(path):
        with open_hdf5(path) as file:
            nwb = is_nwb(file)
        if nwb:
            return read_nwb_movie(
                path, dataset=dataset, frame_rate_hz=frame_rate_hz, transpose=transpose
            )
        return read_hdf5_movie(path, dataset=dataset, frame_rate_hz=frame_rate_hz)
    return read_movie(path, frame_rate_hz=frame_rate_hz, channel=channel, plane=plane)
