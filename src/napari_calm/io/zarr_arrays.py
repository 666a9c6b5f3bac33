"""Zarr stores (versions 2 and 3) on disk, read only."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..core.errors import CalmError, RecordingError

MARKS = ("zarr.json", ".zarray", ".zgroup", ".zmetadata")
_MOST_BYTES = 64 * 2**30


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
        raise RecordingError(
            f"{folder}: the Zarr description cannot be read ({type(error).__name__}: {error}). "
            "It may be damaged; copy the folder again from its source."
        ) from error


def array_in(group: Any, name: str) -> Any:
    """Return the array called `name` in a group, or None."""
    try:
        found = group[name]
    except (KeyError, ValueError, TypeError, OSError, json.JSONDecodeError):
        return None
    return found if isinstance(found, zarr.Array) else None


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
