"""Tables: csv, tsv and parquet."""

import sys
from pathlib import Path

import pandas as pd

from ..core.atomic import replacing
from ..core.errors import RecordingError

RESULT_TABLES = (".csv", ".parquet")
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
# Names that a column of seconds goes by.
TIME_NAMES = ("time_s", "timestamp_s", "timestamps_s", "timestamp", "timestamps", "time", "t")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table with column names: csv (commas), tsv (tabs) or parquet.

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    try:
        return pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        # pandas' own parser errors are ValueErrors.
        raise RecordingError(f"{path}: not a readable CSV table ({error}).") from error


def time_column(table: pd.DataFrame) -> str | None:
    """Return the name of the column that holds seconds; None where none does."""
    lowered = {str(name).strip().lower(): name for name in table}
    for name in TIME_NAMES:
        if name in lowered and pd.api.types.is_numeric_dtype(table[lowered[name]]):
            return str(lowered[name])
    return None


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as ``.csv`` or ``.parquet``; it appears whole or not at all.

    Raises
    ------
    RecordingError
        If the path ends in ``.parquet`` and the package pyarrow is missing.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet":
        _check_pyarrow(path)
        with replacing(path) as partial:
            table.to_parquet(partial, index=False)
        return
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def _read_parquet(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise RecordingError(f"{path}: there is no such file.")
    _check_pyarrow(path)
    try:
        return pd.read_parquet(path)
    except Exception as error:
        # pyarrow's errors share no base of their own.
        what = str(error).split("\n")[0]
        raise RecordingError(
            f"{path}: not a readable parquet table ({what}). Copy it again from its source."
        ) from error


def _check_pyarrow(path: Path) -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise RecordingError(
            f"{path}: parquet needs the package pyarrow. Install it with: {sys.executable} -m "
            "pip install 'napari-calm[parquet]'"
        ) from error
