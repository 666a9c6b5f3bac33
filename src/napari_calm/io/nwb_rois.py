"""ROIs of NWB files: pixel masks and image masks, whichever axis they put first.

The format says (x, y). Writers disagree: suite2p's masks hold (y, x), and many image masks
are (height, width). What the file shows of its image decides: the sides of movie or
reference images where they differ, else where the ROIs are brighter than their surround.
"""

from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
import scipy.ndimage as ndi
import scipy.sparse as sp

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from .finished import label_numbers
from .hdf5 import array_of, member, plain_text
from .nwb_series import dataset_of, groups_of_type, neurodata_type

_MOST_SIDE = 2**15
_IMAGE_TYPES = ("GrayscaleImage", "Image")
# What our own files call the sum of all ROIs, which tells the size of the image.
ROI_WEIGHTS = "roi_weights"
_MEAN_NAMES = ("mean", "average", "avg", "max", "corr")


@dataclass(frozen=True, eq=False)
class NwbRois:
    """ROIs of one plane segmentation, and how sure their orientation is."""

    footprints: Footprints
    accepted: np.ndarray | None
    notes: tuple[str, ...] = ()

    def select(self, rows: np.ndarray) -> "NwbRois":
        """Keep the ROIs that a series speaks of, in its order."""
        accepted = None if self.accepted is None else self.accepted[rows]
        return replace(self, footprints=self.footprints.select(rows), accepted=accepted)


def read_rois(
    file: h5py.File, segmentation: h5py.Group, *, transpose: bool | None = None
) -> NwbRois | None:
    """Read the ROIs of a plane segmentation; None where it holds neither kind of mask.

    Parameters
    ----------
    transpose : bool, optional
        Exchange the two axes of the masks as they lie in the file, or do not; decided by
        the file's images if not given.
    """
    where = f"{file.filename}: {segmentation.name}"
    masks = _pixel_masks(segmentation, where)
    if masks is None:
        masks = _image_masks(segmentation, where)
    if masks is None:
        return None
    triples, extent = masks
    # As stored, the first number is the row. Exchanged, it is the column (the standard).
    exchange, notes = _orientation(file, segmentation, triples, extent, transpose)
    shape = _image_shape(file, segmentation, extent, exchange)
    if exchange:
        triples = [(second, first, weight) for first, second, weight in triples]
    ids = array_of(segmentation, "id")
    footprints = Footprints.from_pixels(
        triples, shape, label_values=label_numbers(ids, len(triples)), source=where
    )
    return NwbRois(footprints, _accepted(segmentation, len(triples)), notes)


Triples = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def _pixel_masks(
    segmentation: h5py.Group, where: str
) -> tuple[Triples, tuple[int, int]] | None:
    pixels = member(segmentation, "pixel_mask")
    index = array_of(segmentation, "pixel_mask_index")
    if not isinstance(pixels, h5py.Dataset) or index is None:
        return None
    names = pixels.dtype.names or ()
    if not {"x", "y", "weight"} <= set(names) or pixels.ndim != 1:
        raise RecordingError(
            f"{where}: pixel_mask holds {pixels.dtype}; expected rows of x, y and weight."
        )
    rows = pixels[()]
    ends = index.astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    if index.ndim != 1 or (ends < starts).any() or ends[-1] > rows.size:
        raise RecordingError(
            f"{where}: pixel_mask_index does not cut {rows.size} pixels into ROIs. The file "
            "was probably written with too small a number type; make it again."
        )
    first, second = (rows[name].astype(np.int64) for name in ("x", "y"))
    weight = np.maximum(rows["weight"].astype(np.float32), 0)
    if rows.size and (
        min(first.min(), second.min()) < 0 or max(first.max(), second.max()) > _MOST_SIDE
    ):
        raise RecordingError(f"{where}: pixel_mask holds pixels outside any image.")
    triples = [
        (first[start:end], second[start:end], weight[start:end])
        for start, end in zip(starts, ends, strict=True)
    ]
    return triples, (int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1)


def _image_masks(
    segmentation: h5py.Group, where: str
) -> tuple[Triples, tuple[int, int]] | None:
    masks = dataset_of(segmentation, "image_mask")
    if masks is None:
        return None
    if masks.ndim != 3 or masks.dtype.kind not in "biuf":
        raise RecordingError(
            f"{where}: image_mask is {masks.dtype} of shape {masks.shape}; expected "
            "(ROIs, x, y)."
        )
    triples: Triples = []
    for number in range(masks.shape[0]):
        mask = np.nan_to_num(np.asarray(masks[number], dtype=np.float32))
        first, second = np.nonzero(mask > 0)
        triples.append((first, second, mask[first, second]))
    return triples, (int(masks.shape[1]), int(masks.shape[2]))


def _accepted(segmentation: h5py.Group, n_rois: int) -> np.ndarray | None:
    for name in ("iscell", "Accepted", "accepted"):
        flags = array_of(segmentation, name)
        if flags is not None and flags.shape[0] == n_rois:
            kept: np.ndarray = flags.reshape(n_rois, -1)[:, 0] > 0
            return kept
    return None


def _orientation(
    file: h5py.File,
    segmentation: h5py.Group,
    triples: Triples,
    extent: tuple[int, int],
    transpose: bool | None,
) -> tuple[bool, tuple[str, ...]]:
    if transpose is not None:
        return transpose, ()
    exact = dataset_of(segmentation, "image_mask") is not None
    for height, width in image_shapes(file):
        fits = [
            (extent == sides) if exact else (extent[0] <= sides[0] and extent[1] <= sides[1])
            for sides in ((height, width), (width, height))
        ]
        if fits[0] != fits[1]:
            return fits[1], ()
    if "suite2p" in plain_text(segmentation.attrs.get("description", "")).lower():
        return False, ()
    for image in reference_images(file):
        better = _contrast(triples, image) - _contrast(triples, image, exchange=True)
        if abs(better) > 0.1:
            return better < 0, ()
    return True, (
        "nothing in the file tells which axis of the ROI masks comes first; x is taken, as "
        "the format says. If ROIs and image do not match, exchange the axes (--transpose or "
        "--no-transpose, transpose= in Python, 'Exchange axes' in the window).",
    )


def _contrast(triples: Triples, image: np.ndarray, *, exchange: bool = False) -> float:
    """How much brighter ROIs are than a blurred copy of the image, in its deviations."""
    sharp = image - ndi.gaussian_filter(image, 10)
    spread = float(sharp.std()) or 1.0
    values = []
    for first, second, _ in triples:
        row, column = (second, first) if exchange else (first, second)
        inside = (row < image.shape[0]) & (column < image.shape[1])
        if inside.any():
            values.append(float(sharp[row[inside], column[inside]].mean()))
    return float(np.mean(values)) / spread if values else 0.0


def image_shapes(file: h5py.File) -> list[tuple[int, int]]:
    """(height, width) of reference images and movies; movies hold (frames, x, y)."""
    shapes = [(image.shape[0], image.shape[1]) for image in reference_images(file)]
    for series in groups_of_type(file, "TwoPhotonSeries", "OnePhotonSeries"):
        data = dataset_of(series, "data")
        if data is not None and data.ndim == 3 and 0 not in data.shape:
            shapes.append((int(data.shape[2]), int(data.shape[1])))
            continue
        sides = array_of(series, "dimension")
        if sides is not None and sides.shape == (2,) and sides.min() > 0:
            shapes.append((int(sides[1]), int(sides[0])))
    return shapes


def reference_images(file: h5py.File, *, of_light: bool = False) -> list[np.ndarray]:
    """Still images of the field of view, float (height, width), mean images first.

    With `of_light` without the image that our own files have of the ROIs alone.
    """
    found: list[tuple[int, np.ndarray]] = []
    for images in groups_of_type(file, "Images"):
        for name in sorted(images):
            image = dataset_of(images, name)
            if of_light and name == ROI_WEIGHTS:
                continue
            if image is None or neurodata_type(image) not in _IMAGE_TYPES or image.ndim != 2:
                continue
            values = np.nan_to_num(np.asarray(image[()], dtype=np.float32))
            rank = next((i for i, n in enumerate(_MEAN_NAMES) if n in name.lower()), 9)
            found.append((rank, values))
    return [values for _, values in sorted(found, key=lambda pair: pair[0])]


def _image_shape(
    file: h5py.File, segmentation: h5py.Group, extent: tuple[int, int], exchange: bool
) -> tuple[int, int]:
    height, width = extent[::-1] if exchange else extent
    if dataset_of(segmentation, "image_mask") is not None:
        return height, width
    for sides in image_shapes(file):
        if height <= sides[0] and width <= sides[1]:
            return sides
    return height, width


def rois_as_arrays(footprints: Footprints) -> list[Any]:
    """Rows of (x, y, weight), one list a ROI, as pixel masks hold them."""
    weights = sp.csr_array(footprints.weights)
    masks = []
    for roi in range(footprints.n_neurons):
        part = slice(weights.indptr[roi], weights.indptr[roi + 1])
        y, x = np.divmod(weights.indices[part], footprints.image_shape[1])
        masks.append(
            list(zip(x.tolist(), y.tolist(), weights.data[part].tolist(), strict=True))
        )
    return masks
