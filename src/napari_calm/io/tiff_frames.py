"""Frames that are the pages of TIFF files, decoded when they are looked at."""

import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock
from typing import Any

import numpy as np

from .frames_on_demand import FramesOnDemand

_MOST_THREADS = 8
_UNCOMPRESSED = 1


def page_frames(
    pages: Sequence[Any], image_shape: tuple[int, int], dtype: np.dtype[Any]
) -> FramesOnDemand:
    """Frames of pages in the order of time; their files are opened for each block alone.

    Parameters
    ----------
    pages : sequence of tifffile.TiffPage or TiffFrame
        One a frame, of files that may be closed by now.
    image_shape : (int, int)
        Height and width.
    dtype : numpy.dtype
        Number type of the frames.
    """
    reader = _PageReader(pages, image_shape, np.dtype(dtype))
    return FramesOnDemand((len(pages), *image_shape), reader.dtype, reader.read)


class _PageReader:
    def __init__(
        self, pages: Sequence[Any], image_shape: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        self._pages, self._shape, self.dtype = pages, image_shape, dtype
        # The files are shared by all threads, and so is where they stand in them.
        self._files_in_use, self._file_position = Lock(), Lock()

    def read(self, start: int, stop: int) -> np.ndarray:
        pages = self._pages[start:stop]
        handles = {id(page.parent.filehandle): page.parent.filehandle for page in pages}
        with self._files_in_use, ExitStack() as opened:
            for handle in handles.values():
                handle.open()
                opened.callback(handle.close)
            if len(pages) > 1 and pages[0].compression != _UNCOMPRESSED:
                workers = min(_MOST_THREADS, os.cpu_count() or 1, len(pages))
                with ThreadPoolExecutor(workers) as pool:
                    images = list(pool.map(self._decode, pages))
            else:
                images = [self._decode(page) for page in pages]
        return np.stack(images).astype(self.dtype, copy=False)

    def _decode(self, page: Any) -> np.ndarray:
        try:
            image = page.asarray(lock=self._file_position, maxworkers=1)
            found: np.ndarray = np.asarray(image).reshape(self._shape)
        except (ArithmeticError, AttributeError, LookupError, TypeError, struct.error) as error:
            # What tifffile raises on pages that make no sense is not documented.
            raise ValueError(f"{type(error).__name__}: {error}") from error
        return found
