"""Mean fluorescence of every ROI, in one pass over the movie."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Progress, Steps

BLOCK_BYTES = 8 * 2**20


def fluorescence_steps(
    movie: Movie, footprints: Footprints, *, allow_nan: bool = False
) -> Steps[np.ndarray]:
    """Average each frame under each footprint, reading every frame once.

    Each footprint's weights are normalised to sum 1, so that the result is in the movie's
    units whatever the size of the ROI. Pixels that several ROIs share count for each. At
    any time one block of frames (about 8 MB, or one chunk of the movie where that is
    larger) is in memory.

    Parameters
    ----------
    movie : Movie
        Frames (frames, height, width) of integers or floats, any byte order.
    footprints : Footprints
        ROIs on an image of the same size.
    allow_nan : bool
        Leave NaN where a frame has NaN under an ROI, instead of raising.

    Yields
    ------
    Progress
        Frames done, once a block.

    Returns
    -------
    numpy.ndarray, (neurons, frames)
        Fluorescence in the movie's units, float32.

    Raises
    ------
    RecordingError
        If movie and ROIs are of different size, pixels are no numbers or are NaN under an
        ROI, or a frame cannot be read.
    """
    where = movie.source or movie.name
    _check_match(movie, footprints, where)
    pixels, weights = _covered_weights(footprints)
    fluorescence = np.empty((footprints.n_neurons, movie.n_frames), np.float32)
    for start, stop in _blocks(movie.frames):
        block = _read(movie.frames, start, stop, where).reshape(stop - start, -1)
        # Only covered pixels are converted: a movie is mostly background.
        covered = np.take(block, pixels, axis=1).T.astype(np.float64, order="C")
        fluorescence[:, start:stop] = weights @ covered
        if not allow_nan:
            _check_finite(fluorescence[:, start:stop], start, where)
        yield Progress(stop, movie.n_frames, "Reading the movie")
    return fluorescence


def _check_match(movie: Movie, footprints: Footprints, where: str) -> None:
    if movie.image_shape != footprints.image_shape:
        (height, width), (roi_height, roi_width) = movie.image_shape, footprints.image_shape
        swapped = (roi_width, roi_height) == (height, width)
        raise RecordingError(
            f"{where}: the movie has {height} x {width} pixels, but the ROIs of "
            f"{footprints.source or 'the footprints'} lie on {roi_height} x {roi_width} "
            "(height x width). "
            + (
                "Height and width seem to be swapped: transpose one of them."
                if swapped
                else "Choose the ROIs that were drawn on this movie, or crop or scale one "
                "to the size of the other."
            )
        )
    dtype = np.dtype(movie.frames.dtype)
    if dtype.kind not in "biuf":
        raise RecordingError(
            f"{where}: found pixels of type {dtype}; expected integers or real numbers."
        )


def _covered_weights(footprints: Footprints) -> tuple[np.ndarray, sp.csr_array]:
    """Columns of the covered pixels, and the normalised weights of these columns."""
    pixels, columns = np.unique(footprints.weights.indices, return_inverse=True)
    weights = sp.csr_array(
        (
            footprints.weights.data.astype(np.float64),
            columns.ravel(),
            footprints.weights.indptr,
        ),
        shape=(footprints.n_neurons, pixels.size),
    )
    total = np.asarray(weights.sum(axis=1))
    return pixels, sp.csr_array(sp.diags_array(1 / total) @ weights)


def _blocks(frames: Any) -> Iterator[tuple[int, int]]:
    """Cut the movie where its chunks end, so that no chunk is read twice."""
    n_frames, height, width = frames.shape
    block_frames = max(1, BLOCK_BYTES // (height * width * np.dtype(frames.dtype).itemsize))
    chunks = getattr(frames, "chunks", None)
    if not chunks:
        borders = np.arange(0, n_frames, block_frames)
    else:
        # dask lists the length of each chunk; zarr and h5py have one length for all.
        lengths = chunks[0]
        ends = np.arange(0, n_frames, lengths) if np.ndim(lengths) == 0 else None
        borders = np.cumsum([0, *lengths[:-1]]) if ends is None else ends
    start = 0
    for border, following in zip(borders, [*borders[1:], n_frames], strict=True):
        # Close the block before a chunk that would make it too large.
        if border > start and following - start > block_frames:
            yield start, int(border)
            start = int(border)
    yield start, n_frames


def _read(frames: Any, start: int, stop: int, where: str) -> np.ndarray:
    try:
        return np.asarray(frames[start:stop])
    except (OSError, ValueError, RuntimeError, zlib.error) as error:
        raise RecordingError(
            f"{where}: frames {start} to {stop - 1} cannot be read ({error}). The file may be "
            "damaged or no longer where it was."
        ) from error


def _check_finite(block: np.ndarray, start: int, where: str) -> None:
    broken = ~np.isfinite(block)
    if broken.any():
        frame = int(np.flatnonzero(broken.any(axis=0))[0])
        raise RecordingError(
            f"{where}: frame {start + frame} holds NaN or infinite pixels under "
            f"{int(broken[:, frame].sum())} of {block.shape[0]} neurons. Fill them in the "
            "movie, or leave such neurons out with --drop-unusable (drop_unusable=True)."
        )
