"""What people write to name a recording: a path, a dataset in a file, several files."""

import os
import stat
from collections.abc import Sequence
from glob import has_magic
from os import PathLike
from pathlib import Path

from ..core.errors import RecordingError
from .natural_order import natural_key

SEPARATOR = "::"


def split_address(
    path: str | PathLike[str], dataset: str | None = None
) -> tuple[Path, str | None]:
    """Split ``file.h5::/group/data`` into the file and the dataset in it.

    A file whose name really holds the separator is taken as it is.

    Raises
    ------
    RecordingError
        If the path names one dataset and `dataset` another.

    Examples
    --------
    >>> split_address("movie.h5::/mov")[1]
    '/mov'
    """
    whole = Path(path)
    before, separator, inside = str(path).partition(SEPARATOR)
    if not separator or os.path.exists(whole):
        return whole, dataset
    if dataset is not None and dataset.strip("/") != inside.strip("/"):
        raise RecordingError(
            f"{path}: names the dataset {inside!r}, but {dataset!r} was asked for. Give one."
        )
    return Path(before), inside


def several_files(path: str | PathLike[str] | Sequence[str | PathLike[str]]) -> list[Path]:
    """Expand a pattern (``run_*.tif``) or a list into files in natural order.

    One path that exists, or holds no ``*``, ``?`` or ``[``, comes back alone.

    Raises
    ------
    RecordingError
        If a pattern fits no file, or a list is empty.
    """
    if not isinstance(path, (str, PathLike)):
        paths = sorted((Path(each) for each in path), key=natural_key)
        if not paths:
            raise RecordingError("an empty list of files; expected at least one.")
        return paths
    whole = Path(path)
    if os.path.exists(whole) or not has_magic(whole.name):
        return [whole]
    found = sorted(whole.parent.glob(whole.name), key=natural_key)
    if not found:
        raise RecordingError(f"{path}: no file has such a name.")
    return found


def check_readable(path: str | PathLike[str]) -> Path:
    """Return a path behind which there is a file or folder that can be read.

    Raises
    ------
    RecordingError
        If nothing is there, it may not be read, or it is a pipe or a device, which would
        keep whoever reads it waiting.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
        elif stat.S_ISREG(mode):
            with path.open("rb") as file:
                file.read(1)
    except FileNotFoundError as error:
        raise RecordingError(f"{path}: there is no such file or folder.") from error
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise RecordingError(
            f"{path}: cannot be read ({what}). Check the name, the rights to read it, and "
            "that its disk is connected."
        ) from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise RecordingError(
            f"{path}: is neither a file nor a folder but a pipe or a device. Copy what comes "
            "from it into a file first."
        )
    return path
