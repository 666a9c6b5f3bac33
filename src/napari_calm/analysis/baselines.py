"""Forecasts that a sceptic would try first.

Each sees the frames before the start only, like the model, and forecasts every neuron.
"""

import numpy as np


def copy_last(history: np.ndarray, horizon_frames: int) -> np.ndarray:
    """Repeat the last frame: (neurons, frames) to (neurons, horizon_frames)."""
    return np.repeat(history[:, -1:], horizon_frames, axis=1)


def training_mean(history: np.ndarray, horizon_frames: int) -> np.ndarray:
    """Repeat the mean of all frames before the start, (neurons, horizon_frames)."""
    return np.repeat(history.mean(axis=1, keepdims=True), horizon_frames, axis=1)


def autoregression(history: np.ndarray, horizon_frames: int) -> np.ndarray:
    """Forecast each neuron from its last frame, one least-squares coefficient a horizon.

    x[t + h] - m = a[h] (x[t] - m), with the mean m and a[h] fitted per neuron on the frames
    before the start. Horizons with fewer than two pairs to fit on are forecast as the mean.

    Parameters
    ----------
    history : numpy.ndarray, (neurons, frames)

    Returns
    -------
    numpy.ndarray, (neurons, horizon_frames)
    """
    mean = history.mean(axis=1, dtype=np.float64)[:, None]
    centred = history - mean
    n_frames = history.shape[1]
    forecast = np.tile(mean, (1, horizon_frames))
    for horizon in range(1, min(horizon_frames, n_frames - 2) + 1):
        now, later = centred[:, :-horizon], centred[:, horizon:]
        power = np.maximum((now**2).sum(axis=1), 1e-12)
        coefficient = (now * later).sum(axis=1) / power
        forecast[:, horizon - 1] += coefficient * centred[:, -1]
    return forecast


BASELINES = {"copy last": copy_last, "AR": autoregression, "mean": training_mean}
