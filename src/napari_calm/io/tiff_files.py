"""Several TIFF files that make up one movie."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tifffile import TiffFile

from ..core.errors import RecordingError
from ..core.movie import Movie
from .frames_on_demand import FramesOnDemand
from .natural_order import natural_key
from .scanimage import read_scanimage
from .tiff import (
    TIFF_SUFFIXES,
    check_decodes,
    chosen_frames,
    open_tiff,
    recorded_units,
    scanimage_series,
)
from .tiff_damage import check_complete
from .tiff_pages import Choice, sides

_MOST_FILES = 200_000
_Facts: TypeAlias = tuple[tuple[int, int], np.dtype[Any]]


def tiff_files_in(folder: str | Path) -> list[Path]:
    """TIFF files directly in a folder, in natural order; empty where there is none."""
    with os.scandir(folder) as entries:
        names = [each.name for each in entries if each.name.lower().endswith(TIFF_SUFFIXES)]
    names = [name for name in names if not name.startswith(".")]
    if len(names) > _MOST_FILES:
        raise RecordingError(
            f"{folder}: holds {len(names)} TIFF files; at most {_MOST_FILES} make a movie. "
            "Join them into larger files."
        )
    return [Path(folder) / name for name in sorted(names, key=natural_key)]


def read_movie_files(
    paths: Sequence[Path],
    *,
    name: str,
    source: str,
    frame_rate_hz: float | None = None,
    channel: int | None = None,
    plane: int | None = None,
) -> Movie:
    """Open several TIFF files as one movie, in the order given, without reading them.

    Either each file holds a part of the movie (the parts may be of different length), or
    each file is one frame. Where all files are single images of one size in bytes only the
    first is looked into; the others are checked when they are read.

    Parameters
    ----------
    paths : sequence of path
        The files, in the order of time.
    name, source : str
        What to call the movie, and where it came from.
    frame_rate_hz : float, optional
        Frames a second; goes before what the first file says.
    channel, plane : int, optional
        As in `read_movie`. Channels and planes that ScanImage interleaved go on from one
        file to the next.

    Raises
    ------
    RecordingError
        If a file cannot be read, or the files differ in image size or number type.
    """
    choice = Choice(channel, plane)
    with open_tiff(paths[0]) as tif:
        scanimage = read_scanimage(tif)
        rate, pixel_size = recorded_units(tif, scanimage)
        single = scanimage is None and _is_single(tif)
    frames = _single_images(paths) if single else _parts(paths, choice)
    check_decodes(frames, paths[0])
    rate = rate if frame_rate_hz is None else frame_rate_hz
    return Movie(frames, rate, pixel_size, name=name, source=source)


def _is_single(tif: TiffFile) -> bool:
    return not any(sides(series)[:-2] for series in tif.series)


def _parts(paths: Sequence[Path], choice: Choice) -> Any:
    parts: list[Any] = []
    n_pages = 0
    covered: set[Path] = set()
    for path in paths:
        if path.resolve() in covered:
            continue
        with open_tiff(path) as tif:
            check_complete(tif, str(path))
            scanimage = read_scanimage(tif)
            if scanimage is None and _is_single(tif):
                # The rest of a movie that was cut into files of many frames.
                frames = _single_images([path])
            else:
                frames = chosen_frames(path, tif, choice, scanimage, n_pages)
            if scanimage is not None:
                with scanimage_series(path, tif) as series:
                    n_pages += len(series.pages)
            if tif.is_ome:
                # An OME movie over several files is found whole from any of them.
                files = {page.parent.filehandle.path for page in tif.series[0].pages if page}
                covered |= {Path(file).resolve() for file in files}
        if parts and (frames.shape[1:] != parts[0].shape[1:] or frames.dtype != parts[0].dtype):
            raise RecordingError(
                f"{path}: found frames of {frames.shape[1:]} pixels and type {frames.dtype}; "
                f"{paths[0].name} has {parts[0].shape[1:]} and {parts[0].dtype}. All files of "
                "one movie must be alike; leave out those that do not belong to it."
            )
        parts.append(frames)
    return parts[0] if len(parts) == 1 else _joined(parts)


def _joined(parts: Sequence[Any]) -> FramesOnDemand:
    """Frames of several movies, one after the other."""
    ends = np.cumsum([part.shape[0] for part in parts])

    def read(start: int, stop: int) -> np.ndarray:
        blocks = []
        for part, end in zip(parts, ends.tolist(), strict=True):
            begin = end - part.shape[0]
            first, last = max(start, begin), min(stop, end)
            if first < last:
                blocks.append(np.asarray(part[first - begin : last - begin]))
        return np.concatenate(blocks)

    return FramesOnDemand((int(ends[-1]), *parts[0].shape[1:]), parts[0].dtype, read)


def _single_images(paths: Sequence[Path]) -> FramesOnDemand:
    first = _image_facts(paths[0])
    if len({path.stat().st_size for path in paths}) > 1:
        for path in paths:
            _compare(_image_facts(path), path, first, paths[0])

    def read(start: int, stop: int) -> np.ndarray:
        return np.stack([_read_image(path, first, paths[0]) for path in paths[start:stop]])

    (height, width), dtype = first
    return FramesOnDemand((len(paths), height, width), dtype, read)


def _image_facts(path: Path) -> _Facts:
    with open_tiff(path) as tif:
        check_complete(tif, str(path))
        image = tif.series[0]
        height, width = (int(length) for _, length in sides(image))
        return (height, width), np.dtype(image.dtype)


def _read_image(path: Path, first: _Facts, first_path: Path) -> np.ndarray:
    with open_tiff(path) as tif:
        image: np.ndarray = np.squeeze(tif.series[0].asarray())
    _compare((image.shape, image.dtype), path, first, first_path)
    return image


def _compare(found: Any, path: Path, first: _Facts, first_path: Path) -> None:
    if found != first:
        raise RecordingError(
            f"{path}: found an image of shape {found[0]} and type {found[1]}; "
            f"{first_path.name} has {first[0]} and {first[1]}. All files of one movie must be "
            "alike; leave out those that do not belong to it."
        )
