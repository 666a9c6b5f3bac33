"""What a sceptic would try on trials: averages aligned at the start, and linear forecasts.

Every reference is fitted on training trials (validation trials choose the ridge penalties)
and then sees the context and the cue of a trial, never its later frames. It is a function
``(training, validation, context, cue) -> forecast`` of `Trials`, `Trials`,
(trials, neurons, `CONTEXT`) and (trials,), and returns (trials, neurons, `HORIZON`).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.linalg import solve
from simulated_trials import CONTEXT, HORIZON, Trials

POOLED_LAGS = 16
POPULATION_LAGS = 4
# Close to each other, so that a forecast does not jump where the choice changes.
PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0)

Reference = Callable[[Trials, Trials, np.ndarray, np.ndarray], np.ndarray]


def trial_average(training: Trials) -> np.ndarray:
    """Mean of the training trials at each frame after the start (the PSTH).

    Returns
    -------
    numpy.ndarray, (neurons, `LONGEST`)
        Trials that are over no longer count; after the longest one its last value stays.
    """
    known = np.isfinite(training.frames)
    counts = known.sum(axis=0)
    average = np.where(known, training.frames, 0).sum(axis=0) / np.maximum(counts, 1)
    last = np.maximum.accumulate(np.where(counts > 0, np.arange(counts.shape[1]), 0), axis=1)
    return np.take_along_axis(average, last, axis=1)


def cue_average(training: Trials, cue: np.ndarray) -> np.ndarray:
    """`trial_average` over the training trials with the same cue, for each trial of `cue`.

    A cue that no training trial had gets the average of all.
    """
    of_cue = {}
    for side in np.unique(cue):
        same = training.cue == side
        of_cue[side] = trial_average(training.select(same) if same.any() else training)
    return np.stack([of_cue[side] for side in cue])


def copy_last(_: Trials, __: Trials, context: np.ndarray, ___: np.ndarray) -> np.ndarray:
    """Repeat the last frame of the context."""
    return np.repeat(context[..., -1:], HORIZON, axis=2)


def training_mean(
    training: Trials, _: Trials, context: np.ndarray, __: np.ndarray
) -> np.ndarray:
    """Repeat each neuron's mean over the training trials."""
    mean = np.nanmean(training.frames, axis=(0, 2))[:, None]
    return np.broadcast_to(mean, (len(context), len(mean), HORIZON))


def psth(training: Trials, _: Trials, context: np.ndarray, __: np.ndarray) -> np.ndarray:
    """Forecast every trial as the average trial."""
    average = trial_average(training)[:, CONTEXT:]
    return np.broadcast_to(average, (len(context), *average.shape))


def cue_psth(training: Trials, _: Trials, __: np.ndarray, cue: np.ndarray) -> np.ndarray:
    """Forecast every trial as the average trial with its cue."""
    return cue_average(training, cue)[..., CONTEXT:]


def psth_at_level(
    training: Trials, _: Trials, context: np.ndarray, __: np.ndarray
) -> np.ndarray:
    """Shift the average trial to the level that the context had."""
    average = np.broadcast_to(
        trial_average(training), (len(context), *training.frames.shape[1:])
    )
    return _at_level(average, context)


def cue_psth_at_level(
    training: Trials, _: Trials, context: np.ndarray, cue: np.ndarray
) -> np.ndarray:
    """Shift the average trial with that cue to the level that the context had."""
    return _at_level(cue_average(training, cue), context)


def _at_level(average: np.ndarray, context: np.ndarray) -> np.ndarray:
    level = (context - average[..., :CONTEXT]).mean(axis=2, keepdims=True)
    return average[..., CONTEXT:] + level


def autoregression(
    training: Trials, _: Trials, context: np.ndarray, __: np.ndarray
) -> np.ndarray:
    """Forecast each neuron from its last frame, one coefficient a neuron and horizon."""
    mean = np.nanmean(training.frames, axis=(0, 2))[:, None]
    now, later = _pairs(training.frames - mean, 1)
    known = np.isfinite(later)
    now = np.where(known, now, 0)
    power = np.maximum((now**2).sum(axis=0), 1e-12)
    coefficient = (now * np.where(known, later, 0)).sum(axis=0) / power
    return mean + coefficient * (context[..., -1:] - mean)


def pooled_linear(
    training: Trials, validation: Trials, context: np.ndarray, _: np.ndarray
) -> np.ndarray:
    """Forecast each neuron's change from its last frames, one map for all neurons (NLinear).

    Source: Zeng et al. 2023 (arXiv 2205.13504).
    """

    def rows(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        past, later = _pairs(frames, POOLED_LAGS)
        last = past[..., -1:]
        return (past - last).reshape(-1, POOLED_LAGS), (later - last).reshape(-1, HORIZON)

    last = context[..., -1:]
    x = (context[..., -POOLED_LAGS:] - last).reshape(-1, POOLED_LAGS)
    change = _ridge(rows(training.frames), rows(validation.frames), x)
    return last + change.reshape(*context.shape[:2], HORIZON)


def population_ridge(
    training: Trials, validation: Trials, context: np.ndarray, _: np.ndarray
) -> np.ndarray:
    """Forecast every neuron from the last frames of all of them, one ridge a horizon."""

    def rows(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        past, later = _pairs(frames, POPULATION_LAGS)
        return past.reshape(len(past), -1), later

    x = context[..., -POPULATION_LAGS:].reshape(len(context), -1)
    return _ridge(rows(training.frames), rows(validation.frames), x)


def around_cue_psth(reference: Reference) -> Reference:
    """Forecast the average trial with that cue, and by `reference` what departs from it."""

    def forecast(
        training: Trials, validation: Trials, context: np.ndarray, cue: np.ndarray
    ) -> np.ndarray:
        departing = [
            replace(trials, frames=trials.frames - cue_average(training, trials.cue))
            for trials in (training, validation)
        ]
        average = cue_average(training, cue)
        departure = reference(*departing, context - average[..., :CONTEXT], cue)
        return average[..., CONTEXT:] + departure

    return forecast


REFERENCES: dict[str, Reference] = {
    "copy last": copy_last,
    "training mean": training_mean,
    "AR": autoregression,
    "pooled linear": pooled_linear,
    "population ridge": population_ridge,
    "PSTH": psth,
    "PSTH at context level": psth_at_level,
    "cue-PSTH": cue_psth,
    "cue-PSTH at context level": cue_psth_at_level,
    "cue-PSTH + AR": around_cue_psth(autoregression),
    "cue-PSTH + population ridge": around_cue_psth(population_ridge),
}


def _pairs(frames: np.ndarray, n_lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Gather all windows inside trials: what was last seen, and what came then.

    Returns
    -------
    past : numpy.ndarray, (windows, neurons, n_lags)
    later : numpy.ndarray, (windows, neurons, `HORIZON`)
        NaN after a trial's end.
    """
    padding = np.full((*frames.shape[:2], HORIZON - 1), np.nan)
    padded = np.concatenate([frames, padding], axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_lags + HORIZON, axis=2)
    windows = windows.transpose(0, 2, 1, 3).reshape(-1, frames.shape[1], n_lags + HORIZON)
    windows = windows[np.isfinite(windows[:, 0, n_lags])]
    return windows[..., :n_lags], windows[..., n_lags:]


def _ridge(
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    x: np.ndarray,
) -> np.ndarray:
    """Fit rows (rows, features) -> (rows, [neurons,] `HORIZON`) and apply the fit to `x`.

    Each horizon has its own penalty, that of `PENALTIES` with the least squared error on
    the validation rows, and is fitted on the rows whose trial lasts so long.
    """
    (past, later), (validation_past, validation_later) = training, validation
    forecast = np.empty((len(x), *later.shape[1:]))
    for horizon in range(HORIZON):
        y, held = later[..., horizon], validation_later[..., horizon]
        lasting = np.isfinite(y.reshape(len(y), -1)[:, 0])
        scored = np.isfinite(held.reshape(len(held), -1)[:, 0])
        features, targets = past[lasting], y[lasting]
        mean_x, mean_y = features.mean(axis=0), targets.mean(axis=0)
        centred = features - mean_x
        gram, cross = centred.T @ centred, centred.T @ (targets - mean_y)
        best = np.inf
        for penalty in PENALTIES:
            fit = solve(gram + penalty * np.eye(len(gram)), cross, assume_a="pos")
            wrong = (validation_past[scored] - mean_x) @ fit + mean_y - held[scored]
            error = float((wrong**2).mean()) if scored.any() else penalty
            if error < best:
                best, forecast[..., horizon] = error, (x - mean_x) @ fit + mean_y
    return forecast
