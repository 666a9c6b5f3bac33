"""What the frames before a start tell of each neuron and of each pair of neurons.

A context of a few seconds says little of how fast a neuron forgets or whom it follows; the
minutes before it say much. These are plain statistics, nothing is fitted.
"""

import math
from dataclasses import dataclass

import numpy as np

from .continuation import LAGS, Continuation, continuation_of
from .normalise import Normalisation

LAGS_FRAMES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
PAIR_LAG_FRAMES = 4
MOST_FRAMES = 4096
N_NEURON_FEATURES = len(LAGS_FRAMES) + 7
LEVEL = len(LAGS_FRAMES) + 2  # place of the context's level among a neuron's features
N_PAIR_FEATURES = 4


@dataclass(frozen=True, eq=False)
class Portrait:
    """Statistics of the frames before a start.

    Parameters
    ----------
    neurons : numpy.ndarray, (neurons, N_NEURON_FEATURES)
        Autocorrelation at `LAGS_FRAMES`, skewness, kurtosis, the context's level and
        logarithm of its deviation, logarithms of the history's deviation, of frame rate and
        of the number of frames.
    spread : numpy.ndarray, (neurons,)
        Deviation of the history in units of the context's scale, at most about 1.
    offset : numpy.ndarray, (neurons,)
        Centre of the centred units less the history's mean, in units of the context's scale.
    units : numpy.ndarray, (neurons, frames)
        The history that pairs are correlated on, mean 0 and unit variance.
    """

    neurons: np.ndarray
    units: np.ndarray
    spread: np.ndarray
    offset: np.ndarray

    def pairs(self, neurons: np.ndarray) -> np.ndarray:
        """Correlations of the chosen neurons (n,) of int, (n, n, N_PAIR_FEATURES).

        Of neuron j now with neuron i now, 1 and 4 frames later, and 4 frames earlier.
        """
        x = self.units[neurons]
        lagged = _correlation(x, PAIR_LAG_FRAMES)
        pairs: np.ndarray = np.stack(
            [_correlation(x, 0), _correlation(x, 1), lagged, lagged.T], axis=-1
        )
        return pairs

    def continuation(self, neurons: np.ndarray) -> Continuation:
        """Fit linear forecasts of the chosen neurons (n,) of int to the history."""
        return continuation_of(self.units[neurons])

    def continued(
        self,
        continuation: Continuation,
        neurons: np.ndarray,
        recent: np.ndarray,
        horizon_frames: int,
    ) -> np.ndarray:
        """Forecast the chosen neurons from some moments, all in centred units.

        Parameters
        ----------
        continuation : Continuation
            Of these neurons.
        neurons : numpy.ndarray of int, (n,)
        recent : numpy.ndarray, (n, moments, frames)
            The frames up to each moment, at least `continuation.LAGS` of them.
        horizon_frames : int

        Returns
        -------
        numpy.ndarray, (n, moments, continuations, horizon_frames)
        """
        spread, offset = (each[neurons][:, None, None] for each in (self.spread, self.offset))
        newest = (recent[..., -LAGS:] + offset) / spread
        found = continuation.forecasts(newest.swapaxes(0, 1), horizon_frames)
        by_neuron = found.transpose(2, 0, 1, 3)
        centred: np.ndarray = by_neuron * spread[..., None] - offset[..., None]
        return centred.astype(np.float32)


def portrait_of(
    history: np.ndarray, context: np.ndarray, normalisation: Normalisation, rate_hz: float
) -> Portrait:
    """Describe each neuron by what is known before the start.

    Parameters
    ----------
    history : numpy.ndarray, (neurons, frames)
        All frames that may be known, at the model's rate; the newest `MOST_FRAMES` are used.
    context : numpy.ndarray, (neurons, context frames)
        The frames just before the start.
    normalisation : Normalisation
        Whose scale is the unit of level and deviations.
    rate_hz : float
        Frames a second of both.
    """
    mean = history.mean(axis=1, dtype=np.float64)[:, None].astype(np.float32)
    scale = normalisation.scale[:, None]
    newest = history[:, -MOST_FRAMES:]
    spread = np.maximum(newest.std(axis=1, keepdims=True), 1e-3 * scale)
    units = (newest - mean) / spread
    n_neurons, n_frames = units.shape
    level = (context.mean(axis=1, keepdims=True) - mean) / scale
    deviation = context.std(axis=1, keepdims=True) / scale
    columns = [_autocorrelation(units, lag)[:, None] for lag in LAGS_FRAMES]
    columns += [
        np.clip((units**3).mean(axis=1, keepdims=True), -5, 5) / 2,
        np.clip((units**4).mean(axis=1, keepdims=True), 0, 20) / 5 - 1,
        np.clip(level, -10, 10),
        np.log(deviation + 0.05),
        np.log(spread / scale + 0.05),
    ]
    # Constants bring the logarithms to around 0 for usual recordings.
    columns += [
        np.full((n_neurons, 1), value)
        for value in (
            math.log(rate_hz) - 1.2,
            0.5 * math.log(n_frames) - 3.5,
        )
    ]
    return Portrait(
        neurons=np.concatenate(columns, axis=1).astype(np.float32),
        units=units,
        spread=(spread / scale)[:, 0],
        offset=(normalisation.centre - mean[:, 0]) / normalisation.scale,
    )


def _autocorrelation(units: np.ndarray, lag: int) -> np.ndarray:
    n_frames = units.shape[1]
    if n_frames <= lag:
        return np.zeros(len(units), np.float32)
    products: np.ndarray = (units[:, :-lag] * units[:, lag:]).mean(axis=1)
    clipped: np.ndarray = np.clip(products, -2, 2)
    return clipped


def _correlation(units: np.ndarray, lag: int) -> np.ndarray:
    """Mean of units i at t + lag times units j at t, (neurons, neurons)."""
    n_frames = units.shape[1]
    if n_frames <= lag:
        return np.zeros((len(units), len(units)), np.float32)
    products: np.ndarray = units[:, lag:] @ units[:, : n_frames - lag].T / (n_frames - lag)
    clipped: np.ndarray = np.clip(products, -2, 2)
    return clipped
