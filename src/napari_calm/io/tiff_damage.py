"""Telling a TIFF file that was cut short from a whole one."""

from collections.abc import Sequence

from tifffile import TiffFile, TiffPageSeries

from ..core.errors import RecordingError

_REMEDY = (
    "The file was probably cut short while it was copied or written; copy it again from "
    "its source."
)


def check_complete(tif: TiffFile, source: str) -> None:
    """Check that the chain of pages ends properly and that no page's data is missing.

    tifffile itself reads what is left of a cut file, with fewer or black frames.

    Raises
    ------
    RecordingError
        If the file is cut short, saying how many bytes or frames were expected and found.
    """
    _check_page_chain(tif, source)
    for series in tif.series:
        _check_series(tif, series, source)


def _check_page_chain(tif: TiffFile, source: str) -> None:
    if tif.is_scanimage and not tif.is_bigtiff:
        # tifffile computes where these pages should be; here the real chain counts.
        with TiffFile(tif.filehandle.path, is_scanimage=False) as plain:
            _check_last_link(plain, source)
    else:
        _check_last_link(tif, source)


def _check_last_link(tif: TiffFile, source: str) -> None:
    n_pages = len(tif.pages)
    position = tif.pages.next_page_offset
    if position is None:
        return
    size = tif.filehandle.size
    tif.filehandle.seek(position)
    link = tif.filehandle.read(tif.tiff.offsetsize)
    order = "little" if tif.byteorder == "<" else "big"
    next_page = int.from_bytes(link, order)  # type: ignore[arg-type]
    if len(link) == tif.tiff.offsetsize and next_page == 0:
        return
    described = _described_shape(tif)
    expected = f"a movie of shape {described}" if described else f"more than {n_pages} frames"
    missing = f", but the next one should begin at byte {next_page}" if len(link) else ""
    raise RecordingError(
        f"{source}: the TIFF file is truncated. Expected {expected}; found {n_pages} "
        f"complete page headers in {size} bytes{missing}. {_REMEDY}"
    )


def _check_series(tif: TiffFile, series: TiffPageSeries, source: str) -> None:
    described = _described_shape(tif)
    if described and len(tif.series) == 1 and series.size < _product(described):
        raise RecordingError(
            f"{source}: the TIFF file is truncated. Its description says shape {described}; "
            f"found {tuple(series.shape)}. {_REMEDY}"
        )
    if series.dataoffset is not None:
        expected = series.dataoffset + series.nbytes
        _check_bytes(expected, tif.filehandle.size, series.shape[0], source)
        return
    for number, page in enumerate(series.pages):
        if page is None:
            raise RecordingError(
                f"{source}: frame {number} of {len(series.pages)} is missing. {_REMEDY}"
            )
        # Files of one multi-file OME movie each have their own size.
        size = page.parent.filehandle.size
        ends = [
            offset + count
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
        if max(ends, default=0) > size:
            raise RecordingError(
                f"{source}: the TIFF file is truncated. Expected {len(series.pages)} frames; "
                f"found {number}: the data of frame {number} ends at byte {max(ends)}, the "
                f"file at byte {size}. {_REMEDY}"
            )


def _check_bytes(expected: int, found: int, n_frames: int, source: str) -> None:
    if expected > found:
        raise RecordingError(
            f"{source}: the TIFF file is truncated. Expected at least {expected} bytes for "
            f"{n_frames} frames; found {found} bytes. {_REMEDY}"
        )


def _described_shape(tif: TiffFile) -> tuple[int, ...] | None:
    if tif.is_shaped and tif.shaped_metadata and len(tif.shaped_metadata) == 1:
        return tuple(int(side) for side in tif.shaped_metadata[0]["shape"])
    if tif.is_imagej and tif.imagej_metadata:
        images = int(tif.imagej_metadata.get("images", 1))
        return (images, *tif.pages.first.shape) if images > 1 else None
    return None


def _product(shape: Sequence[int]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product
