"""An array of frames that a function reads when they are sliced."""

from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex

import numpy as np

_MOST_BLOCK_BYTES = 32 * 2**20


class FramesOnDemand:
    """Frames (frames, height, width) that exist only while they are looked at.

    Slicing works as with numpy and gives numpy arrays; ``dask.array.from_array`` takes it as
    it is. It may be sliced from several threads.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, height, width.
    dtype : numpy.dtype
        Number type.
    read : callable
        Takes the first frame and the one after the last, and returns these frames.
    frames_per_chunk : int
        Frames that lie together in the file. They are read together, and the last chunk is
        kept, so that whoever goes through the movie frame by frame reads each only once.
    """

    ndim = 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        read: Callable[[int, int], np.ndarray],
        *,
        frames_per_chunk: int = 1,
    ) -> None:
        self.shape, self.dtype, self._read = shape, np.dtype(dtype), read
        self.chunks = (max(1, min(frames_per_chunk, shape[0])), *shape[1:])
        frame_bytes = shape[1] * shape[2] * self.dtype.itemsize
        self._most = max(1, _MOST_BLOCK_BYTES // max(1, frame_bytes))
        self._kept: tuple[int, np.ndarray] | None = None

    @property
    def size(self) -> int:
        """Number of pixels of all frames."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes that all frames would take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read every frame."""
        frames: np.ndarray = self[:].astype(dtype or self.dtype, copy=False)
        return frames

    def __getitem__(self, key: Any) -> np.ndarray:
        """Read the frames, and return the part of them, that `key` asks for."""
        frames_key, *image_key = _full_key(key)
        part = (slice(None), *image_key)
        if isinstance(frames_key, SupportsIndex):
            frame = range(self.shape[0])[frames_key]
            found: np.ndarray = self._block(frame, frame + 1)[part][0]
            return found
        if isinstance(frames_key, slice):
            # Not all numbers first: a damaged file may announce any amount of frames.
            frames = np.array(range(self.shape[0])[frames_key], np.int64)
        else:
            frames = np.arange(self.shape[0])[frames_key]
        wanted, where = np.unique(frames, return_inverse=True)
        blocks = [self._block(start, stop)[part] for start, stop in self._runs(wanted)]
        if not blocks:
            blocks = [np.empty((0, *self.shape[1:]), self.dtype)[part]]
        joined: np.ndarray = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        if not np.array_equal(wanted, frames):
            joined = joined[where.ravel()]
        return joined

    def _runs(self, frames: np.ndarray) -> Iterator[tuple[int, int]]:
        """Cut ascending frames where some are left out, or a block would be too large."""
        if not frames.size:
            return
        gaps = np.flatnonzero(np.diff(frames) > 1) + 1
        for run in np.split(frames, gaps):
            first, last = int(run[0]), int(run[-1]) + 1
            for start in range(first, last, self._most):
                yield start, min(start + self._most, last)

    def _block(self, start: int, stop: int) -> np.ndarray:
        length = self.chunks[0]
        chunk = start // length
        if length == 1 or length > self._most or (stop - 1) // length > chunk:
            return self._read(start, stop)
        kept = self._kept
        if kept is None or kept[0] != chunk:
            last = min((chunk + 1) * length, self.shape[0])
            kept = self._kept = (chunk, self._read(chunk * length, last))
        # Whoever changes what is returned must not change what is kept.
        return kept[1][start - chunk * length : stop - chunk * length].copy()


def _full_key(key: Any) -> tuple[Any, ...]:
    parts = key if isinstance(key, tuple) else (key,)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), None)
    if at is not None:
        fill = (slice(None),) * (4 - len(parts))
        parts = (*parts[:at], *fill, *parts[at + 1 :])
    if len(parts) > 3:
        raise IndexError(f"too many indices: {len(parts)} for 3 axes")
    return parts
