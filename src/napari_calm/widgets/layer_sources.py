"""What the user's own layers hold: movies and ROIs."""

from pathlib import Path

import numpy as np

from ..core.errors import CalmError
from ..core.footprints import Footprints
from .geometry import known_pixel_size_um
from .layers import role_of


def footprints_of(
    labels: np.ndarray, weighted: Footprints | None, *, source: str
) -> Footprints:
    """Return the weighted footprints that came with a label image, while it is unchanged."""
    if weighted is not None and np.array_equal(weighted.label_image, labels):
        return weighted
    return Footprints.from_label_image(labels, source=source)


def place_of(movie_layer) -> dict:
    """Return image size and pixel size of a movie for ROIs that lie on it; {} without one."""
    if movie_layer is None:
        return {}
    return {
        "image_shape": tuple(movie_layer.data.shape[-2:]),
        "pixel_size_um": known_pixel_size_um(movie_layer),
    }


def is_movie(layer) -> bool:
    """Tell whether a layer of the user's is a movie (time, y, x)."""
    is_image = layer.__class__.__name__ == "Image"
    return is_image and layer.ndim == 3 and not layer.rgb and not role_of(layer)


def is_roi_source(layer) -> bool:
    """Tell whether a layer of the user's holds ROIs."""
    return layer.__class__.__name__ == "Labels" and layer.ndim == 2 and not role_of(layer)


def rate_in_file(layer) -> float | None:
    """Return the frame rate in the TIFF file behind `layer`; None where there is none."""
    path = layer.source.path
    if path is None or Path(path).suffix.lower() not in (".tif", ".tiff", ".btf"):
        return None
    from ..io.tiff import read_movie

    try:
        return read_movie(path).frame_rate_hz
    except CalmError:
        # napari opened it in a way of its own; then nothing is known, which is fine here.
        return None
