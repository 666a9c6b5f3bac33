"""HDF5 files, opened only for as long as something is read from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..core.errors import CalmError, RecordingError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# deflate makes at most about a thousand bytes of one; more is announced, but not there.
_MOST_INFLATION = 1100
_SMALL_BYTES = 64 * 2**20
# h5py answers damage with any of these.
UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, SystemError)


def is_hdf5(path: str | Path) -> bool:
    """Tell whether a file is HDF5; MATLAB's begin with a block of their own."""
    try:
        return bool(h5py.is_hdf5(path))
    except (OSError, ValueError):
        return False


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open a file for the length of a block, with errors that name it.

    Raises
    ------
    RecordingError
        If the file is missing, damaged or no HDF5.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"{path}: there is no such file.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except CalmError:
        raise
    except UNREADABLE as error:
        what = str(error).strip("'\"").split("\n")[0]
        if is_hdf5(path):
            raise RecordingError(
                f"{path}: the HDF5 file cannot be read ({what}). It may be damaged or cut "
                "short; copy it again from its source."
            ) from error
        raise RecordingError(f"{path}: not an HDF5 file ({what}).") from error


def member(group: h5py.Group, name: str) -> Any:
    """What lies at `name` in a group, or None; never what lies in another file.

    Raises
    ------
    RecordingError
        If it is a link into another file.
    """
    found: Any = group
    for part in name.strip("/").split("/"):
        if not isinstance(found, h5py.Group):
            return None
        link = found.get(part, getlink=True)
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise RecordingError(
                f"{group.file.filename}: {found.name}/{part} lies in another file "
                f"({link.filename}), which is not followed. Open that file itself."
            )
        found = found.get(part)
    if isinstance(found, h5py.Dataset):
        _check_dataset(found)
    return found


def array_of(group: h5py.Group, name: str) -> np.ndarray | None:
    """Numbers of the dataset `name`, read whole; None where there is no array of numbers."""
    found = member(group, name)
    if not isinstance(found, h5py.Dataset) or found.shape in (None, ()):
        return None
    if found.dtype.kind not in "biuf":
        return None
    values: np.ndarray = np.asarray(found[()])
    return values


def number_of(group: h5py.Group, name: str) -> float | None:
    """Return the single number at `name`; None where there is none."""
    found = member(group, name)
    if not isinstance(found, h5py.Dataset) or found.size != 1 or found.dtype.kind not in "biuf":
        return None
    return float(np.ravel(found[()])[0])


def text_of(group: h5py.Group, name: str) -> str:
    """Text at `name`; empty where there is none."""
    found = member(group, name)
    if not isinstance(found, h5py.Dataset) or found.shape != ():
        return ""
    return plain_text(found[()])


def plain_text(value: object) -> str:
    """Text of an attribute or entry, whether it was stored as bytes or text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _check_dataset(dataset: h5py.Dataset) -> None:
    where = f"{dataset.file.filename}: {dataset.name}"
    if dataset.external:
        raise RecordingError(
            f"{where} keeps its numbers in another file ({dataset.external[0][0]}), which is "
            "not followed. Save it as one file."
        )
    stored = dataset.id.get_storage_size()
    if dataset.shape is not None and dataset.nbytes > _SMALL_BYTES + _MOST_INFLATION * stored:
        raise RecordingError(
            f"{where} announces {dataset.nbytes} bytes, but only {stored} lie in the file. It "
            "was probably not written to its end; make it again."
        )
