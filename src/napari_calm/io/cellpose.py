"""Cellpose segmentations: the masks in ``_seg.npy``."""

from pathlib import Path

import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from .restricted_pickle import load_npy

ENDING = "_seg.npy"


def read_cellpose(path: str | Path) -> Footprints:
    """Read the masks of a ``_seg.npy`` file, a pickle, without running anything in it.

    Cellpose also writes masks as label images (``_cp_masks.tif`` or ``.png``), which are read
    as such.

    Raises
    ------
    RecordingError
        If the file is damaged, holds more than plain data, or no masks of one image.
    """
    path = Path(path)
    contents = load_npy(path)
    if not isinstance(contents, dict) or not isinstance(contents.get("masks"), np.ndarray):
        raise RecordingError(
            f"{path}: holds no masks; expected what Cellpose saves as {ENDING}."
        )
    masks = np.squeeze(contents["masks"])
    if masks.ndim == 3:
        raise RecordingError(
            f"{path}: the masks are a stack of shape {masks.shape}; expected one image "
            "(height, width). Segment the mean image."
        )
    return Footprints.from_label_image(masks, source=str(path))
