"""What the animal did, from tables beside a recording."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..core.errors import RecordingError
from ..core.recording import Recording


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table with a row of column names, separated by commas (csv) or tabs (tsv).

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    path = Path(path)
    try:
        return pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except (OSError, ValueError) as error:
        # pandas' own parser errors are ValueErrors.
        raise RecordingError(f"{path}: not a readable CSV table ({error}).") from error


def with_behaviour(recording: Recording, path: str | Path) -> Recording:
    """Return the recording with the behaviour or the trials of a table.

    Parameters
    ----------
    recording : Recording
    path : path
        A table with the columns ``start_frame`` and ``stop_frame`` (exclusive) holds trials,
        any other behaviour, one row a frame.

    Raises
    ------
    RecordingError
        If the table cannot be read, holds nothing, or has another number of rows than the
        recording has frames.
    """
    table = read_table(path)
    if table.empty:
        raise RecordingError(
            f"{path}: found a table of {len(table)} rows and {table.shape[1]} columns; "
            "expected behaviour (one row a frame) or trials (one row a trial)."
        )
    if {"start_frame", "stop_frame"} <= set(table):
        return replace(recording, trials=table)
    if len(table) != recording.n_frames:
        raise RecordingError(
            f"{path}: {len(table)} rows; expected one a frame ({recording.n_frames} for "
            f"{recording.name}), or trials with the columns start_frame and stop_frame."
        )
    return replace(recording, behaviour=table)
