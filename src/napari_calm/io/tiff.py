"""TIFF movies, read frame by frame when the frames are asked for."""

import struct
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import tifffile
import zarr
from tifffile import TiffFile, TiffPageSeries

from ..core.errors import CalmError, RecordingError
from ..core.movie import Movie
from .tiff_damage import check_complete
from .tiff_units import (
    frame_rate_hz as recorded_frame_rate_hz,
)
from .tiff_units import (
    pixel_size_um,
    scanimage_channels,
    scanimage_header,
    scanimage_planes,
)

# Plain multi-page stacks carry I or Q (unknown), and ImageJ calls any stack Z.
_TIME_AXES = "TIQZ"
# tifffile writes a plain stack as channels for ImageJ, which shows no more than seven.
_MOST_CHANNELS = 7
_AXIS_NAMES = {
    "T": "time",
    "Z": "planes",
    "C": "channels",
    "S": "colour samples",
    "I": "pages",
    "Q": "unnamed",
}


def read_movie(path: str | Path, *, frame_rate_hz: float | None = None) -> Movie:
    """Open a TIFF movie (TIFF, BigTIFF, OME-TIFF, ImageJ, ScanImage) without reading it.

    Uncompressed movies in one piece become a memory map; all others a dask array with one
    page a chunk. Both may be sliced from several threads. The file is closed when the
    movie is no longer used.

    Parameters
    ----------
    path : path
        The TIFF file.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.

    Returns
    -------
    Movie
        Frames (frames, height, width) in the file's own number type; frame rate and pixel
        size where the file has them.

    Raises
    ------
    RecordingError
        If the file is missing, not a TIFF, cut short, a single image, or has several
        channels or planes.
    """
    path = Path(path)
    with open_tiff(path) as tif:
        check_complete(tif, str(path))
        series = _movie_series(tif, path)
        frames = _lazy_frames(path, tif, series)
        rate = recorded_frame_rate_hz(tif) if frame_rate_hz is None else frame_rate_hz
        pixel_size = pixel_size_um(tif)
    _check_decodes(frames, path)
    return Movie(frames, rate, pixel_size, name=path.stem, source=str(path))


@contextmanager
def open_tiff(path: str | Path) -> Iterator[TiffFile]:
    """Open a TIFF file for the length of a block, with errors that name the file.

    Raises
    ------
    RecordingError
        If the file is missing, cannot be read or is not a TIFF.
    """
    path = Path(path)
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file.")
    try:
        with TiffFile(path) as tif:
            if not len(tif.pages):
                raise RecordingError(f"{path}: the TIFF file is truncated; it has no page.")
            yield tif
    except CalmError:
        raise
    except tifffile.TiffFileError as error:
        with_magic = path.read_bytes()[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
        raise RecordingError(
            f"{path}: the TIFF file is truncated or damaged ({error})."
            if with_magic
            else f"{path}: not a TIFF file ({error}). Expected a movie or image as TIFF, "
            "BigTIFF or OME-TIFF."
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AssertionError, struct.error) as error:
        # What tifffile raises on headers that make no sense is not documented.
        raise RecordingError(
            f"{path}: the TIFF file cannot be read ({type(error).__name__}: {error}). It may "
            "be damaged; copy it again from its source."
        ) from error


def _movie_series(tif: TiffFile, path: Path) -> TiffPageSeries:
    stacks = [series for series in tif.series if _sides(series)[:-2]]
    if not stacks:
        shape = " x ".join(map(str, tif.series[0].shape))
        raise RecordingError(
            f"{path}: found a single image ({shape} pixels), not a movie. A movie has at "
            "least two frames. Is this the label image (--rois)?"
        )
    if len(stacks) > 1:
        found = ", ".join(f"{series.axes} {tuple(series.shape)}" for series in stacks)
        raise RecordingError(
            f"{path}: found {len(stacks)} image stacks of different shape ({found}); "
            "expected one movie. Save the movie to a file of its own."
        )
    series = stacks[0]
    axes = "".join(axis for axis, _ in _sides(series))
    many_channels = axes == "CYX" and series.shape[series.axes.index("C")] > _MOST_CHANNELS
    if len(axes) != 3 or axes[1:] != "YX" or not (axes[0] in _TIME_AXES or many_channels):
        found = ", ".join(
            f"{axis} = {length} ({_AXIS_NAMES.get(axis, 'other')})"
            for axis, length in _sides(series)
            if axis not in "YX"
        )
        raise RecordingError(
            f"{path}: found axes {series.axes} of shape {tuple(series.shape)}: {found}. "
            "A movie has time, height and width only (TYX). Choose one channel and one "
            "plane and save that as its own file (ImageJ: Image > Duplicate)."
        )
    header = scanimage_header(tif)
    channels, planes = scanimage_channels(header), scanimage_planes(header)
    if "C" not in series.axes and channels * planes > 1:
        raise RecordingError(
            f"{path}: ScanImage interleaved {channels} channels and {planes} planes in this "
            "file. Save one channel of one plane as its own file."
        )
    return series


def _sides(series: TiffPageSeries) -> list[tuple[str, int]]:
    sides = list(zip(series.axes, series.shape, strict=True))
    return [(axis, length) for axis, length in sides if length > 1 or axis in "YX"]


def _lazy_frames(path: Path, tif: TiffFile, series: TiffPageSeries) -> Any:
    shape = tuple(length for _, length in _sides(series))
    if series.dataoffset is not None:
        # The mapping outlives the file handle, which numpy closes at once.
        dtype = np.dtype(tif.byteorder + series.dtype.char)
        return np.memmap(path, dtype, "r", series.dataoffset, shape)
    store = series.aszarr(level=0, chunkmode="page")
    # The store opens the file again on its first read and would leave it open for good.
    for handle in {page.parent.filehandle for page in series.pages if page is not None}:
        weakref.finalize(store, handle.close)
    return da.from_zarr(zarr.open_array(store, mode="r")).reshape(shape)


def _check_decodes(frames: Any, path: Path) -> None:
    try:
        np.asarray(frames[0])
    except (OSError, ValueError, RuntimeError, zlib.error) as error:
        remedy = (
            "Install the package imagecodecs (pip install imagecodecs), which knows this "
            "compression."
            if "imagecodecs" in str(error)
            else "The file may be damaged; copy it again from its source."
        )
        raise RecordingError(
            f"{path}: the first frame cannot be decoded ({error}). {remedy}"
        ) from error
