"""Behaviour and trials with times of their own, brought to the frames of a recording."""

from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import RecordingError

# Between samples farther apart than this many usual steps nothing is made up.
_GAP_STEPS = 2.5


def at_frames(
    samples: pd.DataFrame, times_s: np.ndarray, frame_times_s: np.ndarray
) -> pd.DataFrame:
    """Values of sampled behaviour at the frames, aligned by time; gaps stay gaps.

    1. Where samples are denser than frames, the numbers of a frame are the mean of the
       samples closer to it than to any other frame.
    2. Where they are as sparse as frames or sparser, numbers lie on the line between the
       samples before and after.
    3. Truth values and text are those of the closest sample.
    4. A frame in a gap (no sample near, or neighbours farther apart than 2.5 usual steps)
       is missing: NaN, or empty for truth values and text.

    Parameters
    ----------
    samples : pandas.DataFrame
        One row a sample.
    times_s : numpy.ndarray, (samples,)
        When each was taken, in seconds on the clock of `frame_times_s`, ascending; NaN
        leaves a sample out.
    frame_times_s : numpy.ndarray, (frames,)
        When the frames were taken, ascending.

    Returns
    -------
    pandas.DataFrame
        The same columns, one row a frame.
    """
    known = np.isfinite(times_s)
    times, samples = (
        np.asarray(times_s, float)[known],
        samples.loc[known].reset_index(drop=True),
    )
    times, first = np.unique(times, return_index=True)
    samples = samples.iloc[first].reset_index(drop=True)
    if times.size == 0:
        raise RecordingError("no sample of the behaviour has a time.")
    frames = np.asarray(frame_times_s, float)
    step_s = float(np.median(np.diff(times))) if times.size > 1 else np.inf
    frame_s = float(np.median(np.diff(frames))) if frames.size > 1 else np.inf
    nearest = _nearest(times, frames)
    reach_s = _GAP_STEPS / 2 * max(step_s if np.isfinite(step_s) else frame_s, frame_s)
    near = np.abs(times[nearest] - frames) <= reach_s
    dense = step_s < frame_s / 1.5
    columns: dict[str, Any] = {}
    for name in samples:
        column = samples[name]
        number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(
            column
        )
        if not number:
            taken = column.iloc[nearest].reset_index(drop=True).astype(object)
            columns[str(name)] = taken.where(pd.Series(near), None).infer_objects()
            if near.all():
                columns[str(name)] = columns[str(name)].astype(column.dtype)
            continue
        values = column.to_numpy(dtype=float, na_value=np.nan)
        found = (
            _means(values, times, frames, frame_s)
            if dense
            else _on_lines(values, times, frames, _GAP_STEPS * step_s)
        )
        columns[str(name)] = np.where(near, found, np.nan)
    return pd.DataFrame(columns)


def trials_at_frames(
    table: pd.DataFrame, frame_times_s: np.ndarray, *, source: str
) -> pd.DataFrame | None:
    """Trials in seconds as trials in frames.

    A trial holds the frames taken from its start on and before its stop. Trials without a
    frame are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a trial, `start_s` and `stop_s` in seconds on the clock of the frames, any
        labels.
    frame_times_s : numpy.ndarray, (frames,)
        When the frames were taken.

    Returns
    -------
    pandas.DataFrame or None
        With `start_frame` and `stop_frame` (exclusive) in front; None without a trial.

    Raises
    ------
    RecordingError
        If a trial stops before it starts.
    """
    starts, stops = (table[name].to_numpy(dtype=float) for name in ("start_s", "stop_s"))
    backwards = np.flatnonzero(stops < starts)
    if backwards.size:
        raise RecordingError(
            f"{source}: trial {backwards[0]} stops ({stops[backwards[0]]:g} s) before it "
            f"starts ({starts[backwards[0]]:g} s). Correct it in the file."
        )
    # A frame counts from half a step before it; clocks are not that exact.
    slack = 1e-6
    start_frame = np.searchsorted(frame_times_s, starts - slack)
    stop_frame = np.searchsorted(frame_times_s, stops - slack)
    frames = pd.DataFrame({"start_frame": start_frame, "stop_frame": stop_frame})
    joined = pd.concat([frames, table.reset_index(drop=True)], axis=1)
    kept = joined[(stop_frame > start_frame) & np.isfinite(starts) & np.isfinite(stops)]
    return None if kept.empty else kept.reset_index(drop=True)


def _nearest(times: np.ndarray, frames: np.ndarray) -> np.ndarray:
    after = np.clip(np.searchsorted(times, frames), 1, max(1, times.size - 1))
    if times.size == 1:
        return np.zeros(frames.size, np.int64)
    before = after - 1
    closer: np.ndarray = np.where(
        frames - times[before] <= times[after] - frames, before, after
    )
    return closer


def _means(
    values: np.ndarray, times: np.ndarray, frames: np.ndarray, frame_s: float
) -> np.ndarray:
    owner = _nearest(frames, times)
    ours = (np.abs(frames[owner] - times) <= 0.75 * frame_s) & np.isfinite(values)
    counts = np.bincount(owner[ours], minlength=frames.size)
    sums = np.bincount(owner[ours], weights=values[ours], minlength=frames.size)
    means: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _on_lines(
    values: np.ndarray, times: np.ndarray, frames: np.ndarray, widest_s: float
) -> np.ndarray:
    if times.size == 1:
        return np.full(frames.size, values[0])
    found: np.ndarray = np.interp(frames, times, values)
    after = np.clip(np.searchsorted(times, frames), 1, times.size - 1)
    within = (frames >= times[after - 1]) & (frames <= times[after])
    wide = within & (times[after] - times[after - 1] > widest_s)
    on_sample = np.isin(frames, times)
    found[wide & ~on_sample] = np.nan
    return found
