"""ImageJ ROIs: ``.roi`` files and the zip archives of the ROI Manager."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import roifile
from skimage.draw import polygon2mask
from skimage.measure import find_contours

from ..core.atomic import replacing
from ..core.errors import CalmError, RecordingError
from ..core.footprints import Footprints
from .archive_check import check_archive

_MAGIC = b"Iout"
_MOST_SIDE = 2**14
_WITHOUT_AREA = ("LINE", "FREELINE", "POLYLINE", "ANGLE", "POINT", "NOROI")


def is_imagej_roi(path: str | Path) -> bool:
    """Tell whether a file is an ImageJ ROI or a zip archive of them."""
    path = Path(path)
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == _MAGIC:
        return True
    if magic[:2] != b"PK":
        return False
    names = check_archive(path)
    return bool(names) and all(name.lower().endswith(".roi") for name in names)


def read_imagej_rois(
    path: str | Path, *, image_shape: tuple[int, int] | None = None
) -> Footprints:
    """Read the ROIs that have an area: polygons, rectangles, ovals, traced and joined ones.

    A pixel belongs to an ROI if its centre lies in the outline, as in ImageJ; holes of
    joined ROIs stay holes, and overlaps are kept. Positions on slices, colours and names are
    left alone.

    Parameters
    ----------
    path : path
        A ``.roi`` file or a zip archive of the ROI Manager.
    image_shape : (int, int), optional
        Height and width of the image that they were drawn on; what lies outside is cut off.
        The smallest image that holds all, if not given.

    Raises
    ------
    RecordingError
        If a file is damaged, an ROI has no area or lies outside the image.
    """
    path = Path(path)
    rois = _load(path)
    outlines = [_outlines(roi, number, path) for number, roi in enumerate(rois)]
    if image_shape is None:
        image_shape = _smallest_image(outlines, path)
    pixels = []
    for number, parts in enumerate(outlines):
        y, x = _inside(parts, image_shape)
        if y.size == 0:
            raise RecordingError(
                f"{path}: ROI {number} ({_name(rois[number], number)}) covers no pixel of an "
                f"image of {image_shape[0]} x {image_shape[1]} pixels (height x width). Was it "
                "drawn on this image?"
            )
        pixels.append((y, x, np.ones(y.size, np.float32)))
    return Footprints.from_pixels(pixels, image_shape, source=str(path))


def _load(path: Path) -> list[roifile.ImagejRoi]:
    if not path.is_file():
        raise RecordingError(f"{path}: there is no such file.")
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            check_archive(path)
    try:
        found = roifile.roiread(path)
    except Exception as error:
        # What roifile raises on damaged records is not documented.
        raise RecordingError(
            f"{path}: not readable as ImageJ ROIs ({type(error).__name__}: {error}). Save them "
            "again in ImageJ's ROI Manager (More > Save)."
        ) from error
    rois = found if isinstance(found, list) else [found]
    if not rois:
        raise RecordingError(f"{path}: no ROI found. Expected at least one.")
    return rois


def _outlines(roi: roifile.ImagejRoi, number: int, path: Path) -> list[np.ndarray]:
    """Outlines as (y, x) corners; every second one inside another is a hole."""
    kind = roi.roitype.name
    if kind in _WITHOUT_AREA and not roi.composite:
        raise RecordingError(
            f"{path}: ROI {number} ({_name(roi, number)}) is a {kind.lower()}, which has no "
            "area. Draw around the cells, or remove it from the ROI Manager."
        )
    try:
        parts = roi.coordinates(multi=True)
    except Exception as error:
        raise RecordingError(
            f"{path}: the outline of ROI {number} is damaged ({type(error).__name__}: {error})."
        ) from error
    outlines = [np.asarray(part, dtype=np.float64)[:, ::-1] for part in parts if len(part) >= 3]
    corners = np.concatenate(outlines) if outlines else np.empty((0, 2))
    if not corners.size or not np.isfinite(corners).all() or np.abs(corners).max() > _MOST_SIDE:
        raise RecordingError(f"{path}: ROI {number} ({_name(roi, number)}) has no outline.")
    return outlines


def _smallest_image(outlines: list[list[np.ndarray]], path: Path) -> tuple[int, int]:
    corners = np.concatenate([part for parts in outlines for part in parts])
    height, width = (int(side) for side in np.ceil(corners.max(axis=0)))
    if height < 1 or width < 1:
        raise RecordingError(f"{path}: the ROIs lie left of or above the image.")
    return height, width


def _inside(
    outlines: list[np.ndarray], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    corners = np.concatenate(outlines)
    top, left = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    bottom, right = np.minimum(np.ceil(corners.max(axis=0)).astype(int), shape)
    if bottom <= top or right <= left:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    mask = np.zeros((bottom - top, right - left), bool)
    for outline in outlines:
        # ImageJ counts from the corner of a pixel, the mask from its centre.
        mask ^= polygon2mask(mask.shape, outline - (top, left) - 0.5)
    y, x = np.nonzero(mask)
    return y + top, x + left


def _name(roi: roifile.ImagejRoi, number: int) -> str:
    return str(roi.name or number + 1)


def write_imagej_rois(
    footprints: Footprints, path: str | Path, *, groups: np.ndarray | None = None
) -> None:
    """Write ROIs as a zip archive for ImageJ's ROI Manager.

    An outline separates the centres of covered pixels from all others, so that the same
    pixels come back; the weights do not. ROIs of several pieces or with holes become joined
    ones. Names are the label numbers.

    Parameters
    ----------
    footprints : Footprints
    path : path
        Ends in ``.zip``.
    groups : numpy.ndarray of int, (neurons,), optional
        Group of each ROI, below 0 = none (a cluster); ImageJ shows them in colours and counts
        from 1, at most 255.

    Raises
    ------
    CalmError
        If the path does not end in ``.zip``, or groups and ROIs are of different number.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise CalmError(f"{path}: ImageJ ROIs are written as .zip; found {path.suffix!r}.")
    if groups is not None and len(groups) != footprints.n_neurons:
        raise CalmError(
            f"{path}: {len(groups)} groups for {footprints.n_neurons} ROIs; expected one each."
        )
    digits = max(4, len(str(footprints.label_values.max())))
    width = footprints.image_shape[1]
    with replacing(path) as partial, ZipFile(partial, "w", ZIP_DEFLATED) as archive:
        for row, label in enumerate(footprints.label_values):
            part = slice(*footprints.weights.indptr[row : row + 2])
            y, x = np.divmod(footprints.weights.indices[part], width)
            roi = _roi_of(y, x)
            roi.name = f"{label:0{digits}d}"
            if groups is not None:
                roi.group = int(np.clip(int(groups[row]) + 1, 0, 255))
            archive.writestr(f"{roi.name}.roi", roi.tobytes())


def _roi_of(y: np.ndarray, x: np.ndarray) -> roifile.ImagejRoi:
    top, left = int(y.min()), int(x.min())
    # A rim of one pixel closes every outline.
    mask = np.zeros((int(y.max()) - top + 3, int(x.max()) - left + 3))
    mask[y - top + 1, x - left + 1] = 1
    outlines = [
        np.add(outline, (top - 0.5, left - 0.5))[:, ::-1]
        for outline in find_contours(mask, 0.5, fully_connected="low")
    ]
    if len(outlines) == 1:
        roi = roifile.ImagejRoi.frompoints(outlines[0][:-1].astype(np.float32))
        roi.roitype = roifile.ROI_TYPE.POLYGON
        return roi
    path: list[float] = []
    for outline in outlines:
        path += [0.0, *outline[0]]
        for point in outline[1:-1]:
            path += [1.0, *point]
        path.append(4.0)
    roi = roifile.ImagejRoi.frompoints(np.concatenate(outlines).astype(np.float32))
    roi.roitype = roifile.ROI_TYPE.RECT
    roi.integer_coordinates = roi.subpixel_coordinates = None
    roi.options = roifile.ROI_OPTIONS(0)
    roi.n_coordinates = 0
    roi.multi_coordinates = np.array(path, dtype=np.float32)
    roi.shape_roi_size = roi.multi_coordinates.size
    return roi
