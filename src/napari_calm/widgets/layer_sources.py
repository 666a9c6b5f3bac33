"""What the user's own layers hold: movies and ROIs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..core.errors import CalmError, RecordingError
from ..core.footprints import Footprints
from .geometry import known_pixel_size_um
from .layers import role_of
from .recording_layers import FOOTPRINTS_KEY


def footprints_of(
    labels: np.ndarray, weighted: Footprints | None, *, source: str
) -> Footprints:
    """Return the weighted footprints that came with a label image, while it is unchanged."""
    if weighted is not None and np.array_equal(weighted.label_image, labels):
        return weighted
    return Footprints.from_label_image(labels, source=source)


def rois_of(layer, image_shape: tuple[int, int]) -> Callable[[], Footprints]:
    """Take what is drawn in a Labels or Shapes layer; the function makes footprints of it.

    Layers belong to the window's thread, the making of footprints to a worker. Shapes keep
    their overlaps.
    """
    source = f"layer '{layer.name}'"
    if layer.__class__.__name__ == "Labels":
        weighted = layer.metadata.get(FOOTPRINTS_KEY)
        return partial(footprints_of, np.asarray(layer.data), weighted, source=source)
    masks = layer.to_masks(mask_shape=image_shape) if layer.nshapes else []
    return partial(footprints_of_masks, list(masks), image_shape, source=source)


def footprints_of_masks(
    masks: list[np.ndarray], image_shape: tuple[int, int], *, source: str
) -> Footprints:
    """Return one footprint for each mask that covers a pixel.

    Raises
    ------
    RecordingError
        If none does.
    """
    pixels = [(*np.nonzero(mask), np.ones(int(mask.sum()))) for mask in masks if mask.any()]
    if not pixels:
        raise RecordingError(
            f"{source}: no shape covers a pixel of the movie. Draw around the cells with the "
            "polygon, rectangle or ellipse tool."
        )
    return Footprints.from_pixels(pixels, image_shape, source=source)


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
    is_drawn = layer.__class__.__name__ in ("Labels", "Shapes")
    return is_drawn and layer.ndim == 2 and not role_of(layer)


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
