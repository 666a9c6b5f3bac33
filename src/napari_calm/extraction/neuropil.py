"""Rings around ROIs whose light is taken for that of the neuropil."""

import numpy as np
import scipy.ndimage as ndi
import scipy.sparse as sp

from ..core.footprints import Footprints

DEFAULT_GAP_PX = 2
DEFAULT_PIXELS = 350
_WIDEST_PX = 60


def neuropil_rings(
    footprints: Footprints, *, gap_px: int = DEFAULT_GAP_PX, pixels: int = DEFAULT_PIXELS
) -> sp.csr_array:
    """Ring of background around each ROI that avoids all ROIs.

    From `gap_px` pixels outside the ROI on, the closest pixels that no ROI covers are taken,
    until there are `pixels` of them; at most 60 pixels away. Suite2p's rings are made in the
    same spirit and of as many pixels.

    Parameters
    ----------
    footprints : Footprints
    gap_px : int
        Pixels left between ROI and ring, where blurred light of the cell lies.
    pixels : int
        Pixels of a ring; all at the distance of the last one are taken.

    Returns
    -------
    scipy.sparse.csr_array, (neurons, height * width)
        Weights that sum to 1; a row is empty where no free pixel lies near.
    """
    height, width = footprints.image_shape
    covered = np.zeros(height * width, bool)
    covered[footprints.weights.indices] = True
    free = ~covered.reshape(height, width)
    indices: list[np.ndarray] = []
    for row in range(footprints.n_neurons):
        part = slice(*footprints.weights.indptr[row : row + 2])
        y, x = np.divmod(footprints.weights.indices[part], width)
        indices.append(_ring(y, x, free, gap_px, pixels))
    counts = np.array([each.size for each in indices])
    weights = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
    return sp.csr_array(
        (weights, np.concatenate(indices), np.concatenate([[0], np.cumsum(counts)])),
        shape=footprints.weights.shape,
    )


def _ring(
    y: np.ndarray, x: np.ndarray, free: np.ndarray, gap_px: int, pixels: int
) -> np.ndarray:
    width = free.shape[1]
    reach = 8
    while True:
        top, left = max(0, int(y.min()) - reach), max(0, int(x.min()) - reach)
        bottom, right = int(y.max()) + reach + 1, int(x.max()) + reach + 1
        near = free[top:bottom, left:right]
        cell = np.ones(near.shape, bool)
        cell[y - top, x - left] = False
        distance = ndi.distance_transform_edt(cell)
        # Beyond `reach` the window is no longer whole.
        taken = near & (distance > gap_px) & (distance <= reach)
        far = distance[taken]
        if far.size >= pixels or reach >= _WIDEST_PX:
            break
        reach = min(2 * reach, _WIDEST_PX)
    if far.size > pixels:
        taken &= distance <= np.partition(far, pixels - 1)[pixels - 1]
    rows, columns = np.nonzero(taken)
    flat: np.ndarray = (rows + top) * width + columns + left
    return flat
