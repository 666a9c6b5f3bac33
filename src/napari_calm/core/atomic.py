"""Writing a file so that a kill leaves either the old one or the new one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CalmError, NotWritten, why_and_what_to_do

# How the names of files begin that are not whole yet.
PARTIAL = ".partial-"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block succeeds.

    Parameters
    ----------
    path : path
        The file to write. Its folder is created where missing.

    Yields
    ------
    pathlib.Path
        An empty file with the same ending as `path`; removed if the block raises.

    Raises
    ------
    NotWritten
        If the system refuses, because the disk is full or for want of a right.
    """
    path = Path(path)
    try:
        yield from _replacing(path)
    except CalmError:
        raise
    except OSError as error:
        # Another file may have failed: one that is read for what is written.
        named = Path(str(error.filename)) if error.filename is not None else path
        if named not in (path, *path.parents) and named.parent != path.parent:
            raise
        raise NotWritten(f"{path}: not written: {why_and_what_to_do(error)}.") from error


def _replacing(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=path.suffix)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        # mkstemp makes private files; the result gets the user's usual permissions.
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
