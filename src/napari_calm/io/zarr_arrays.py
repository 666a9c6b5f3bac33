"""Zarr stores (versions 2 and 3) on disk, read only."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..core.errors import CalmError, RecordingError

MARKS = ("zarr.json", ".zarray", ".zgroup", ".zmetadata")
_MOST_BYTES = 64 * 2**30
_MOST_CHUNK_BYTES, _MOST_MOVIE_BYTES = 2 * 2**30, 2**50


def is_zarr(folder: str | Path) -> bool:
    """Tell whether a folder is a Zarr array or group."""
    return any((Path(folder) / mark).is_file() for mark in MARKS)


def open_zarr(folder: str | Path) -> Any:
    """Open an array or a group.

    Raises
    ------
    RecordingError
        If the folder is none, or its description is damaged.
    """
    folder = Path(folder)
    if not is_zarr(folder):
        raise RecordingError(f"{folder}: not a Zarr folder (no zarr.json, .zarray or .zgroup).")
    try:
        # Consolidated metadata may be older than the arrays beside it.
        return zarr.open(store=str(folder), mode="r", use_consolidated=False)
    except CalmError:
        raise
    except Exception as error:
        # zarr and its codecs raise what they like on damaged descriptions.
        raise _unreadable(str(folder), error) from error


def arrays_in(group: Any, source: str) -> list[tuple[str, Any]]:
    """Names and arrays directly in a group.

    Raises
    ------
    RecordingError
        If the description of one is damaged.
    """
    try:
        return list(group.arrays())
    except Exception as error:
        # As above.
        raise _unreadable(source, error) from error


def _unreadable(source: str, error: Exception) -> RecordingError:
    return RecordingError(
        f"{source}: the Zarr description cannot be read ({type(error).__name__}: {error}). It "
        "may be damaged; copy the folder again from its source."
    )


def array_in(group: Any, name: str) -> Any:
    """Return the array called `name` in a group, or None."""
    try:
        found = group[name]
    except Exception:
        # A damaged description is no array; what zarr raises on it is not documented.
        return None
    return found if isinstance(found, zarr.Array) else None


def check_plain(array: Any, source: str) -> None:
    """Refuse what cannot be an array of measured numbers, before anything is allocated.

    Raises
    ------
    RecordingError
        If the numbers are of another kind, or one chunk or the whole is beyond all measure.
    """
    dtype = np.dtype(array.dtype)
    chunk = int(np.prod([int(side) for side in array.chunks], dtype=object)) * dtype.itemsize
    size = int(np.prod([int(side) for side in array.shape], dtype=object)) * dtype.itemsize
    if dtype.kind not in "biuf" or chunk > _MOST_CHUNK_BYTES or size > _MOST_MOVIE_BYTES:
        raise RecordingError(
            f"{source}: holds {dtype} of shape {tuple(array.shape)} in chunks of {chunk} "
            "bytes; expected numbers in chunks of 2 GB at most. The description may be damaged."
        )


def read_whole(array: Any, source: str) -> np.ndarray:
    """Numbers of an array.

    Raises
    ------
    RecordingError
        If they cannot be read, or are more than any recording has.
    """
    size = int(np.prod([int(side) for side in array.shape], dtype=object))
    if size * np.dtype(array.dtype).itemsize > _MOST_BYTES:
        raise RecordingError(
            f"{source}: announces {size} numbers, more than {_MOST_BYTES // 2**30} GB. The "
            "description is probably damaged."
        )
    try:
        return np.asarray(array[...])
    except Exception as error:
        # A codec raises what it likes on damaged chunks.
        raise RecordingError(
            f"{source}: cannot be read ({type(error).__name__}: {error}). It may be damaged; "
            "copy it again from its source."
        ) from error
