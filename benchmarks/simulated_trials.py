"""Sessions cut into trials as the paper does it, their splits, and the paper's score.

Trials are smoothed causally, each from its own first frame on, and at most `LONGEST` frames
of each count. The first `CONTEXT` frames are what a forecast knows, the rest is scored.
Source: Xu et al. 2026 (arXiv 2604.04958), forecast experiments and their release.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from napari_calm.core.errors import RecordingError
from napari_calm.preprocess.smooth import smooth_causally

SMOOTHING_ALPHA = 0.15
CONTEXT = 36
LONGEST = 100
HORIZON = LONGEST - CONTEXT
SPLIT_SEED = 42
SPLITS = ("shuffled", "chronological")


@dataclass(frozen=True, eq=False)
class Trials:
    """Smoothed trials of one session, aligned at their starts.

    Parameters
    ----------
    frames : numpy.ndarray, (trials, neurons, `LONGEST`)
        NaN after a trial's end.
    cue : numpy.ndarray of str, (trials,)
        The side shown in each trial.
    """

    frames: np.ndarray
    cue: np.ndarray

    @property
    def context(self) -> np.ndarray:
        """The frames that a forecast knows, (trials, neurons, `CONTEXT`)."""
        return self.frames[..., :CONTEXT]

    @property
    def future(self) -> np.ndarray:
        """The frames to forecast, (trials, neurons, `HORIZON`), NaN after a trial's end."""
        return self.frames[..., CONTEXT:]

    def select(self, chosen: np.ndarray) -> "Trials":
        """Keep the `chosen` trials (indices or a boolean mask)."""
        return Trials(self.frames[chosen], self.cue[chosen])

    def in_units_of(self, training: "Trials") -> "Trials":
        """Return the z-score of every neuron, with mean and deviation over `training`."""
        mean = np.nanmean(training.frames, axis=(0, 2))[:, None]
        deviation = np.nanstd(training.frames, axis=(0, 2))[:, None]
        return replace(self, frames=(self.frames - mean) / (deviation + 1e-6))


def cut_trials(traces: np.ndarray, table: pd.DataFrame) -> Trials:
    """Smooth each trial of `traces` (neurons, frames) by itself and align all at the start.

    Raises
    ------
    RecordingError
        If a trial ends before there is anything to forecast.
    """
    frames = np.full((len(table), len(traces), LONGEST), np.nan)
    limits = zip(table["start_frame"], table["stop_frame"], strict=True)
    for number, (start, stop) in enumerate(limits):
        if stop - start < CONTEXT + 3:
            raise RecordingError(
                f"trial {number}: {stop - start} frames; expected at least {CONTEXT + 3}, so "
                f"that something is left to forecast after {CONTEXT} frames of context."
            )
        trial = traces[:, start : min(stop, start + LONGEST)].astype(np.float64)
        frames[number, :, : trial.shape[1]] = smooth_causally(trial, SMOOTHING_ALPHA)
    return Trials(frames, table["cue"].to_numpy(str))


def split_trials(n_trials: int, how: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of the training, validation and test trials: 70, 15 and 15 %.

    Parameters
    ----------
    how : {"shuffled", "chronological"}
        At random with the release's seed, or the last trials for the test.
    """
    shuffle = {"shuffled": True, "chronological": False}[how]
    seed = SPLIT_SEED if shuffle else None
    training, rest = train_test_split(
        np.arange(n_trials), test_size=0.3, shuffle=shuffle, random_state=seed
    )
    validation, test = train_test_split(rest, test_size=0.5, shuffle=shuffle, random_state=seed)
    return training, validation, test


def kept_frames(table: pd.DataFrame) -> np.ndarray:
    """First forecast frame and the frame after the last, of each trial, (trials, 2)."""
    starts = table["start_frame"].to_numpy()
    stops = np.minimum(table["stop_frame"].to_numpy(), starts + LONGEST)
    return np.stack([starts + CONTEXT, stops], axis=1)


def continue_smoothing(context: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Smooth `raw` frames (..., frames) as the frames that follow the smoothed `context`.

    Smoothing is linear, so an expected trace becomes the expected smoothed trace.
    """
    joined = np.concatenate([context[..., -1:], raw], axis=-1)
    return smooth_causally(joined, SMOOTHING_ALPHA)[..., 1:]


def within_trial_r(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pearson r over frames, mean over neurons, of each trial.

    Parameters
    ----------
    forecast, truth : numpy.ndarray, (trials, neurons, frames)
        Frames at which `truth` is NaN are left out.

    Returns
    -------
    numpy.ndarray, (trials,)
        The denominator is at least 1e-6, so that a constant forecast counts as r = 0.
        NaN for trials with fewer than 3 frames.
    """
    known = np.isfinite(truth)
    n_frames = np.maximum(known.sum(axis=2, keepdims=True), 1)
    a, b = (np.where(known, values, 0.0) for values in (forecast, truth))
    a, b = (np.where(known, x - x.sum(axis=2, keepdims=True) / n_frames, 0.0) for x in (a, b))
    size = np.sqrt((a**2).sum(axis=2) * (b**2).sum(axis=2))
    r = ((a * b).sum(axis=2) / np.maximum(size, 1e-6)).mean(axis=1)
    return np.where(known.sum(axis=2).min(axis=1) > 2, r, np.nan)


def trial_mse(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean squared error over neurons and the known frames of each trial, (trials,)."""
    return np.nanmean((forecast - truth) ** 2, axis=(1, 2))
