"""TIFF movies, read frame by frame when the frames are asked for."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from tifffile import TiffFile, TiffPageSeries

from ..core.errors import CalmError, RecordingError
from ..core.movie import Movie
from .address import check_readable
from .scanimage import ScanImage, read_scanimage
from .tiff_damage import check_complete
from .tiff_frames import page_frames
from .tiff_pages import Choice, movie_pages, movie_series, scanimage_pages
from .tiff_units import frame_rate_hz as recorded_frame_rate_hz
from .tiff_units import pixel_size_um

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")


def read_movie(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    channel: int | None = None,
    plane: int | None = None,
) -> Movie:
    """Open a TIFF movie (TIFF, BigTIFF, OME-TIFF, ImageJ, ScanImage) without reading it.

    Uncompressed movies in one piece become a memory map; of all others pages are read when
    they are looked at (`FramesOnDemand`). Both may be sliced from several threads, and no
    file stays open.

    Parameters
    ----------
    path : path
        The TIFF file.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.
    channel, plane : int, optional
        Which channel and plane, numbered from 1 (channels of ScanImage by their own
        numbers); needed where the file has several.

    Returns
    -------
    Movie
        Frames (frames, height, width) in the file's own number type; frame rate and pixel
        size where the file has them.

    Raises
    ------
    RecordingError
        If the file is missing, not a TIFF, cut short, a single image, or has several
        channels or planes of which none was chosen.
    """
    path = Path(path)
    with open_tiff(path) as tif:
        check_complete(tif, str(path))
        scanimage = read_scanimage(tif)
        frames = chosen_frames(path, tif, Choice(channel, plane), scanimage)
        rate, pixel_size = recorded_units(tif, scanimage)
    check_decodes(frames, path)
    rate = rate if frame_rate_hz is None else frame_rate_hz
    return Movie(frames, rate, pixel_size, name=path.stem, source=str(path))


@contextmanager
def open_tiff(path: str | Path) -> Iterator[TiffFile]:
    """Open a TIFF file for the length of a block, with errors that name the file.

    Raises
    ------
    RecordingError
        If the file is missing, cannot be read or is not a TIFF.
    """
    path = check_readable(path)
    try:
        with TiffFile(path) as tif:
            if not len(tif.pages):
                raise RecordingError(f"{path}: the TIFF file is truncated; it has no page.")
            yield tif
    except CalmError:
        raise
    except tifffile.TiffFileError as error:
        with path.open("rb") as file:
            has_magic = file.read(4) in TIFF_MAGIC
        raise RecordingError(
            f"{path}: the TIFF file is truncated or damaged ({error})."
            if has_magic
            else f"{path}: not a TIFF file ({error}). Expected a movie or image as TIFF, "
            "BigTIFF or OME-TIFF."
        ) from error
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        OSError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        # What tifffile raises on headers that make no sense is not documented.
        raise RecordingError(
            f"{path}: the TIFF file cannot be read ({type(error).__name__}: {error}). It may "
            "be damaged; copy it again from its source."
        ) from error


def chosen_frames(
    path: Path, tif: TiffFile, choice: Choice, scanimage: ScanImage | None, first_page: int = 0
) -> Any:
    """Frames of one channel and plane of an open file, not read yet.

    Raises
    ------
    RecordingError
        If the file holds no movie, or a choice is missing or impossible.
    """
    source = str(path)
    if scanimage is None:
        series = movie_series(tif, source)
        return _lazy_frames(path, tif, series, movie_pages(series, choice, source))
    with scanimage_series(path, tif) as series:
        n_pages = len(series.pages)
        pages = scanimage_pages(scanimage, choice, first_page, n_pages, source)
        if not pages.size:
            raise RecordingError(f"{path}: none of the {n_pages} pages shows that plane.")
        return _lazy_frames(path, tif, series, pages)


@contextmanager
def scanimage_series(path: Path, tif: TiffFile) -> Iterator[TiffPageSeries]:
    """All pages of an open ScanImage file as one series, for the length of a block."""
    if tif.is_bigtiff:
        yield tif.series[0]
        return
    # tifffile computes where the pages of older files should be; here the chain counts.
    with TiffFile(path, is_scanimage=False) as plain:
        plain.pages.useframes = True
        plain.pages.set_keyframe(0)
        pages = list(plain.pages)
        first = plain.pages.first
        shape = (len(pages), *first.shape)
        yield TiffPageSeries(pages, shape, first.dtype, "IYX", squeeze=False)


def recorded_units(
    tif: TiffFile, scanimage: ScanImage | None
) -> tuple[float | None, float | None]:
    """Frame rate (Hz) and pixel size (micrometres) of an open file, None where not said."""
    if scanimage is None:
        return recorded_frame_rate_hz(tif), pixel_size_um(tif)
    return scanimage.frame_rate_hz, scanimage.pixel_size_um


def check_decodes(frames: Any, path: Path) -> None:
    """Read the first frame, so that what cannot be decoded is told now and not later.

    Raises
    ------
    RecordingError
        If it cannot be read, naming the missing decoder where there is one.
    """
    try:
        np.asarray(frames[0])
    except CalmError:
        raise
    except MemoryError as error:
        sides = " x ".join(map(str, frames.shape[1:]))
        raise RecordingError(
            f"{path}: one frame of {sides} pixels ({frames.dtype}) does not fit in memory "
            f"({error}). If the movie really is that large, crop it or scale it down first."
        ) from error
    except (OSError, ValueError, RuntimeError, LookupError, TypeError, zlib.error) as error:
        remedy = (
            "Install the package imagecodecs (pip install imagecodecs), which knows this "
            "compression."
            if "imagecodecs" in str(error)
            else "The file may be damaged; copy it again from its source."
        )
        raise RecordingError(
            f"{path}: the first frame cannot be decoded ({error}). {remedy}"
        ) from error


def _lazy_frames(path: Path, tif: TiffFile, series: TiffPageSeries, pages: np.ndarray) -> Any:
    image_shape = int(series.shape[-2]), int(series.shape[-1])
    if series.dataoffset is not None:
        # The mapping outlives the file handle, which numpy closes at once.
        dtype = np.dtype(tif.byteorder + series.dtype.char)
        n_pages = series.size // (image_shape[0] * image_shape[1])
        every = np.memmap(path, dtype, "r", series.dataoffset, (n_pages, *image_shape))
        step = int(pages[1] - pages[0]) if pages.size > 1 else 1
        if np.array_equal(pages, np.arange(pages[0], pages[-1] + 1, step)):
            return every[pages[0] : pages[-1] + 1 : step]
    taken = [series.pages[int(page)] for page in pages]
    return page_frames(taken, image_shape, np.dtype(series.dtype))
