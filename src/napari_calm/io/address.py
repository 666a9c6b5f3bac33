"""What people write to name a recording: a path, a dataset in a file, several files."""

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
    if not separator or whole.exists():
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
    if whole.exists() or not has_magic(whole.name):
        return [whole]
    found = sorted(whole.parent.glob(whole.name), key=natural_key)
    if not found:
        raise RecordingError(f"{path}: no file has such a name.")
    return found
