"""An array of frames that a function reads when they are sliced."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np


class FramesOnDemand:
    """Frames (frames, height, width) that exist only while they are looked at.

    Parameters
    ----------
    shape : (int, int, int)
        Frames, height, width.
    dtype : numpy.dtype
        Number type.
    read : callable
        Takes ascending frame numbers and returns these frames.
    """

    ndim = 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        read: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.shape, self.dtype, self._read = shape, dtype, read

    def __getitem__(self, key: Any) -> np.ndarray:
        frames_key, *image_key = key if isinstance(key, tuple) else (key,)
        frames = np.arange(self.shape[0])[frames_key]
        found = self._read(np.atleast_1d(frames))
        found = found[(slice(None), *image_key)]
        return found[0] if frames.ndim == 0 else found

    def as_dask(self, frames_per_chunk: int = 1) -> da.Array:
        """Wrap the frames as a dask array with whole images as chunks."""
        # Without a name dask would read the whole movie to make one.
        frames: da.Array = da.from_array(
            self, chunks=(frames_per_chunk, *self.shape[1:]), name=False, asarray=True
        )
        return frames
