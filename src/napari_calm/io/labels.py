"""ROI footprints from label images and from our own sparse files."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from .npz import open_npz, write_npz
from .tiff import open_tiff
from .tiff_damage import check_complete

_KEYS = ("data", "indices", "indptr", "shape", "image_shape")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_footprints(
    path: str | Path, *, image_shape: tuple[int, int] | None = None
) -> Footprints:
    """Read ROIs from a label image (0 = background; TIFF or PNG) or a footprints npz.

    Parameters
    ----------
    path : path
        A single-page TIFF or grey PNG of integers, or an archive of `write_footprints`.
    image_shape : (int, int), optional
        Height and width that the ROIs must lie on: those of the movie.

    Raises
    ------
    RecordingError
        If the file is missing or of another kind, holds no ROI, or has another size than
        `image_shape`.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        with open_npz(path) as arrays:
            found = footprints_from_arrays(dict(arrays), source=str(path))
    else:
        found = Footprints.from_label_image(read_label_image(path), source=str(path))
    return check_size(found, image_shape, path)


def check_size(
    found: Footprints, image_shape: tuple[int, int] | None, path: str | Path
) -> Footprints:
    """Return the ROIs, if they lie on an image of `image_shape` (height, width) or any.

    Raises
    ------
    RecordingError
        If they lie on another.
    """
    if image_shape is not None and found.image_shape != tuple(image_shape):
        height, width = found.image_shape
        raise RecordingError(
            f"{path}: the ROIs lie on an image of {height} x {width} pixels, but the movie has "
            f"{image_shape[0]} x {image_shape[1]} (height x width). Choose the ROIs that were "
            "drawn on this movie."
        )
    return found


def write_footprints(footprints: Footprints, path: str | Path) -> None:
    """Write ROIs with their weights and overlaps to an npz archive."""
    write_npz(path, footprint_arrays(footprints))


def footprint_arrays(footprints: Footprints) -> dict[str, np.ndarray]:
    """Plain arrays that hold `footprints`: CSR parts, image size and label numbers."""
    weights = footprints.weights
    return {
        "data": weights.data,
        "indices": weights.indices,
        "indptr": weights.indptr,
        "shape": np.array(weights.shape),
        "image_shape": np.array(footprints.image_shape),
        "label_values": footprints.label_values,
    }


def footprints_from_arrays(arrays: dict[str, np.ndarray], *, source: str) -> Footprints:
    """Make footprints of the arrays that `footprint_arrays` gives.

    Raises
    ------
    RecordingError
        If an array is missing or the parts do not fit together.
    """
    missing = [key for key in _KEYS if key not in arrays]
    if missing:
        raise RecordingError(
            f"{source}: not a footprints file; {', '.join(missing)} missing. Expected "
            f"{', '.join(_KEYS)}, found {', '.join(arrays) or 'nothing'}."
        )
    try:
        n_neurons, n_pixels = (int(side) for side in arrays["shape"])
        height, width = (int(side) for side in arrays["image_shape"])
        weights = sp.csr_array(
            (arrays["data"], arrays["indices"], arrays["indptr"]), shape=(n_neurons, n_pixels)
        )
        # Without the full check an index outside the image reads foreign memory later.
        weights.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise RecordingError(
            f"{source}: the footprints contradict themselves ({error})."
        ) from error
    labels = arrays.get("label_values", np.empty(0, np.int64))
    return Footprints(weights, (height, width), labels, source)


def read_label_image(path: Path) -> np.ndarray:
    """Read the only image of a TIFF or PNG file, (height, width).

    Raises
    ------
    RecordingError
        If the file cannot be read, or holds several images.
    """
    if path.suffix.lower() == ".png":
        return _read_png(path)
    with open_tiff(path) as tif:
        if len(tif.pages) > 1:
            raise RecordingError(
                f"{path}: found {len(tif.pages)} pages; a label image has one. Is this the "
                "movie?"
            )
        check_complete(tif, str(path))
        labels: np.ndarray = np.squeeze(tif.series[0].asarray())
    return labels


def _read_png(path: Path) -> np.ndarray:
    # Slow to import, and needed for few files.
    from skimage.io import imread

    try:
        # Only what is a PNG: other contents would be tried with every format there is.
        if path.read_bytes()[:8] != _PNG_SIGNATURE:
            raise ValueError("it does not begin as a PNG does")
        labels: np.ndarray = imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise RecordingError(f"{path}: not a readable PNG ({error}).") from error
    return labels
