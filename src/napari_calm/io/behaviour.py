"""What the animal did, from tables and archives beside a recording."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..core.errors import RecordingError
from ..core.recording import Recording
from .address import check_readable
from .alignment import at_frames, trials_at_frames
from .hdf5 import is_hdf5, open_hdf5
from .npz import open_npz
from .nwb_series import is_nwb
from .nwb_tables import behaviour_at_frames, trials_of
from .tables import read_table, time_column

__all__ = ["read_table", "with_behaviour"]

# Names under which trials in seconds give their limits.
_STARTS = ("start_s", "start_time", "start_time_s")
_STOPS = ("stop_s", "stop_time", "stop_time_s", "end_s", "end_time", "end_time_s")


def with_behaviour(recording: Recording, path: str | Path) -> Recording:
    """Return the recording with the behaviour or the trials of a file.

    A table or archive

    - with `start_frame` and `stop_frame` (exclusive), or with their times in seconds
      (`start_s` and `stop_s`, or `start_time` and `stop_time`), holds trials;
    - with a column of seconds (`time_s`, `timestamp`, `time` ...) holds behaviour with times
      of its own, which is brought to the frames (`at_frames`; gaps stay gaps);
    - any other holds behaviour with one row a frame.

    Times are those of the recording's clock: seconds from its first frame, where it has no
    timestamps.

    Parameters
    ----------
    recording : Recording
    path : path
        csv, tsv, parquet, npz (arrays of one length) or NWB.

    Raises
    ------
    RecordingError
        If the file cannot be read, holds nothing, has neither times nor one row a frame, or
        its times lie outside the recording.
    """
    path = check_readable(path)
    if path.suffix.lower() == ".nwb" or (
        path.suffix.lower() in (".h5", ".hdf5") and is_hdf5(path)
    ):
        return _with_nwb(recording, path)
    table = _archive_table(path) if path.suffix.lower() == ".npz" else read_table(path)
    if table.empty:
        raise RecordingError(
            f"{path}: found a table of {len(table)} rows and {table.shape[1]} columns; "
            "expected behaviour (one row a frame, or a column of times) or trials (one row a "
            "trial)."
        )
    if {"start_frame", "stop_frame"} <= set(table):
        return replace(recording, trials=table)
    starts = next((name for name in _STARTS if name in table), None)
    stops = next((name for name in _STOPS if name in table), None)
    if starts and stops:
        return _with_trials(
            recording, table.rename(columns={starts: "start_s", stops: "stop_s"}), path
        )
    seconds = time_column(table)
    if seconds is not None:
        return _with_samples(recording, table, seconds, path)
    if len(table) != recording.n_frames:
        raise RecordingError(
            f"{path}: {len(table)} rows; expected one a frame ({recording.n_frames} for "
            f"{recording.name}), a column of times (time_s), or trials with the columns "
            "start_frame and stop_frame (or start_s and stop_s)."
        )
    return replace(recording, behaviour=table)


def _with_trials(recording: Recording, table: pd.DataFrame, path: Path) -> Recording:
    for name in ("start_s", "stop_s"):
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise RecordingError(f"{path}: the column {name} holds text; expected seconds.")
    trials = trials_at_frames(table, recording.frame_times_s, source=str(path))
    if trials is None:
        clocks = _clocks(recording, table["start_s"].to_numpy(dtype=float))
        raise RecordingError(
            f"{path}: none of the {len(table)} trials lies in the recording. {clocks}"
        )
    notes = recording.notes
    if len(trials) < len(table):
        left_out = len(table) - len(trials)
        notes += (
            f"{path.name}: {left_out} of {len(table)} trials lie outside the recording and are "
            "left out.",
        )
    return replace(recording, trials=trials, notes=notes)


def _with_samples(
    recording: Recording, table: pd.DataFrame, seconds: str, path: Path
) -> Recording:
    times = table[seconds].to_numpy(dtype=float)
    frames = recording.frame_times_s
    known = times[np.isfinite(times)]
    if known.size == 0 or known.max() < frames[0] or known.min() > frames[-1]:
        raise RecordingError(
            f"{path}: no sample lies in the recording. {_clocks(recording, known)}"
        )
    samples = table.drop(columns=[seconds])
    if samples.shape[1] == 0:
        raise RecordingError(f"{path}: holds times ({seconds}), but no behaviour.")
    return replace(recording, behaviour=at_frames(samples, times, frames))


def _clocks(recording: Recording, times: np.ndarray) -> str:
    frames = recording.frame_times_s
    span = f"{times.min():.3f} to {times.max():.3f} s" if times.size else "none"
    return (
        f"Its times: {span}; the frames: {frames[0]:.3f} to {frames[-1]:.3f} s. Both must be "
        "seconds on one clock; subtract the time of the first frame if they are not."
    )


def _archive_table(path: Path) -> pd.DataFrame:
    with open_npz(path) as arrays:
        columns = {name: arrays[name] for name in arrays if arrays[name].ndim == 1}
    lengths = {values.size for values in columns.values()}
    if len(lengths) != 1:
        raise RecordingError(
            f"{path}: expected arrays of one length, one value a row; found "
            f"{', '.join(f'{n} {v.size}' for n, v in columns.items()) or 'none'}."
        )
    return pd.DataFrame(columns)


def _with_nwb(recording: Recording, path: Path) -> Recording:
    with open_hdf5(path) as file:
        if not is_nwb(file):
            raise RecordingError(f"{path}: is no NWB file; expected behaviour as csv or NWB.")
        behaviour = behaviour_at_frames(file, recording.frame_times_s)
        trials = trials_of(file, recording.frame_times_s)
    if behaviour is None and trials is None:
        raise RecordingError(f"{path}: holds neither behaviour nor trials.")
    if trials is None:
        return replace(recording, behaviour=behaviour)
    if behaviour is None:
        return replace(recording, trials=trials)
    return replace(recording, behaviour=behaviour, trials=trials)
