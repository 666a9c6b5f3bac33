"""Reading and writing ``.npz`` archives of plain arrays, never pickles."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ..core.atomic import replacing
from ..core.errors import CalmError, RecordingError
from .archive_check import check_archive

_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    SyntaxError,
    TypeError,
    LookupError,
    RecursionError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def open_npz(path: str | Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Open an archive for the length of a block; its arrays are read when asked for.

    Raises
    ------
    RecordingError
        If the file is missing, damaged, no npz archive, or holds Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"{path}: there is no such file.")
    if zipfile.is_zipfile(path):
        check_archive(path)
    try:
        # numpy leaves a file of its own open if it is no archive; this one is always closed.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise RecordingError(f"{path}: found a single array; expected an npz archive.")
            with archive:
                yield _Arrays(archive)
    except CalmError:
        raise
    except _UNREADABLE as error:
        if "allow_pickle" in str(error) and zipfile.is_zipfile(path):
            raise RecordingError(
                f"{path}: holds Python objects (a pickle), which are not read because they "
                "could run code. Save plain number and text arrays instead."
            ) from error
        what = str(error) if zipfile.is_zipfile(path) else "it is no zip archive"
        raise RecordingError(
            f"{path}: not a readable npz archive ({what}). Expected a file as numpy.savez "
            "writes it."
        ) from error


class _Arrays(Mapping[str, np.ndarray]):
    """Arrays of an archive; numpy itself hands out the bytes of what is no array."""

    def __init__(self, archive: Mapping[str, Any]) -> None:
        self._archive = archive

    def __getitem__(self, name: str) -> np.ndarray:
        found = self._archive[name]
        if not isinstance(found, np.ndarray):
            raise ValueError(f"{name} in it is no array")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._archive)

    def __len__(self) -> int:
        return len(self._archive)


def write_npz(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Write `arrays` as a compressed archive; a kill leaves the old file or the new one.

    Raises
    ------
    TypeError
        If a value is no plain array of numbers or text.
    """
    plain: dict[str, Any] = {name: np.asarray(values) for name, values in arrays.items()}
    for name, values in plain.items():
        if values.dtype.hasobject:
            raise TypeError(f"{name} holds Python objects, which are not written.")
    with replacing(path) as partial, partial.open("wb") as file:
        # Through a handle, so that numpy does not add .npz to other endings.
        np.savez_compressed(file, **plain)
