"""Still images that analyses keep of the field of view."""

from pathlib import Path

import numpy as np

from .hdf5 import open_hdf5
from .kind import Kind, kind_of
from .minian import read_minian_still
from .nwb_rois import reference_images
from .suite2p import read_suite2p_mean_image


def read_still(path: str | Path, image_shape: tuple[int, int]) -> np.ndarray | None:
    """Mean or maximum image of the movie behind an analysis.

    Parameters
    ----------
    path : path
        Results of suite2p or minian, or an NWB file.
    image_shape : (int, int)
        Height and width of the ROIs.

    Returns
    -------
    numpy.ndarray or None
        float32 (height, width); None where there is none of that size.
    """
    path = Path(path)
    image: np.ndarray | None = None
    match kind_of(path):
        case Kind.SUITE2P:
            image = read_suite2p_mean_image(path if path.is_dir() else path.parent)
        case Kind.MINIAN:
            image = read_minian_still(path)
        case Kind.NWB:
            with open_hdf5(path) as file:
                images = reference_images(file, of_light=True)
            image = next((each for each in images if each.shape == image_shape), None)
        case _:
            return None
    return image if image is not None and image.shape == image_shape else None
