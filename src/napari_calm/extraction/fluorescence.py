"""Mean fluorescence of every ROI, in one pass over the movie."""

import mmap
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
# Share of covered pixels below which only these are taken from each frame.
_SPARSE = 0.05


def fluorescence_steps(
    movie: Movie,
    footprints: Footprints,
    *,
    rings: sp.csr_array | None = None,
    exclude_overlaps: bool = False,
    allow_nan: bool = False,
) -> Steps[np.ndarray]:
    """Average each frame under each footprint, reading every frame once.

    Each footprint's weights are normalised to sum 1, so that the result is in the movie's
    units whatever the size of the ROI. At any time one block of frames (about 8 MB, or one
    chunk of the movie where that is larger) is in memory.

    Parameters
    ----------
    movie : Movie
        Frames (frames, height, width) of integers or floats, any byte order.
    footprints : Footprints
        ROIs on an image of the same size.
    rings : scipy.sparse.csr_array, (neurons, height * width), optional
        Normalised weights of a surround of each ROI, averaged in the same pass.
    exclude_overlaps : bool
        Leave out pixels that several ROIs share, unless an ROI has no other; they count for
        each of them otherwise.
    allow_nan : bool
        Leave NaN where a frame has NaN under an ROI, instead of raising.

    Yields
    ------
    Progress
        Frames done, once a block.

    Returns
    -------
    numpy.ndarray, (neurons, frames)
        Fluorescence in the movie's units, float32; with `rings` (2 * neurons, frames), those
        of the rings last, 0 where a ring is empty.

    Raises
    ------
    RecordingError
        If movie and ROIs are of different size, pixels are no numbers or are NaN under an
        ROI, or a frame cannot be read.
    """
    where = movie.source or movie.name
    _check_match(movie, footprints, where)
    pixels, weights = _covered_weights(footprints, rings, exclude_overlaps)
    # Sums of 8 and 16 bit numbers are exact enough in float32, and twice as fast.
    dtype = np.dtype(movie.frames.dtype)
    precise = np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)
    # Neighbours one after the other find their pixels in the processor's cache.
    order = np.argsort(_middles(weights), kind="stable")
    weights = weights[order].astype(precise)
    weights.indices = weights.indices.astype(np.int32)
    fluorescence = np.empty((weights.shape[0], movie.n_frames), np.float32)
    # One place for the numbers of a frame: new memory for each costs more than the sums.
    numbers = np.empty(weights.shape[1], precise)
    for start, stop in _blocks(movie.frames):
        block = _read(movie.frames, start, stop, where).reshape(stop - start, -1)
        means = np.empty((stop - start, weights.shape[0]), np.float32)
        for mean, image in zip(means, block, strict=True):
            numbers[:] = image if pixels is None else image[pixels]
            mean[:] = weights @ numbers
        fluorescence[order, start:stop] = means.T
        _let_go(movie.frames)
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


def _covered_weights(
    footprints: Footprints, rings: sp.csr_array | None, exclude_overlaps: bool
) -> tuple[np.ndarray | None, sp.csr_array]:
    """Normalised weights of the covered pixels, and which these are.

    None stands for all pixels: picking more than a few out costs more than it saves.
    """
    every = footprints.weights.astype(np.float64)
    if exclude_overlaps:
        every = _without_overlaps(every)
    every = sp.csr_array(sp.diags_array(1 / np.asarray(every.sum(axis=1))) @ every)
    if rings is not None:
        every = sp.csr_array(sp.vstack([every, rings]))
    pixels, columns = np.unique(every.indices, return_inverse=True)
    if pixels.size > _SPARSE * every.shape[1]:
        return None, every
    shape = (every.shape[0], pixels.size)
    return pixels, sp.csr_array((every.data, columns.ravel(), every.indptr), shape=shape)


def _middles(weights: sp.csr_array) -> np.ndarray:
    """Mean pixel number of each row, which grows down the image; 0 for an empty row."""
    sizes = np.diff(weights.indptr)
    rows = np.repeat(np.arange(sizes.size), sizes)
    sums = np.bincount(rows, weights=weights.indices, minlength=sizes.size)
    return np.asarray(sums / np.maximum(sizes, 1))


def _without_overlaps(weights: sp.csr_array) -> sp.csr_array:
    shared = np.bincount(weights.indices, minlength=weights.shape[1]) > 1
    alone = sp.csr_array(weights @ sp.diags_array((~shared).astype(np.float64)))
    alone.eliminate_zeros()
    # Where nothing is left, the whole ROI is better than no trace.
    lost = np.diff(alone.indptr) == 0
    return sp.csr_array(alone + sp.diags_array(lost.astype(np.float64)) @ weights)


def _let_go(frames: Any) -> None:
    """Tell the system that the pages of a memory map that were read are not needed now.

    They would count as memory of this process, the whole movie in the end.
    """
    owner = frames
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


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
    except (OSError, ValueError, RuntimeError, MemoryError, zlib.error) as error:
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
