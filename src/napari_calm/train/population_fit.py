"""Fit the map from a population's newest frames to its next ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from ..model.population_skip import KNOTS, MOST_COMPONENTS, PopulationSkip, population_features

PENALTIES = (1e2, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5)
# Recordings change; the map never replaces more than half of what the head says.
MOST_TRUST = 0.5
FEWEST_WINDOWS = 40
MOST_WINDOWS = 3000


class PopulationWindows:
    """Windows of a whole population in centred units, all with the same scale.

    units (windows, neurons, context), level (windows, neurons), future (windows, neurons,
    frames).

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
    starts : numpy.ndarray of int, (windows,)
        First frame of each future.
    scale, mean : numpy.ndarray, (neurons,)
        Unit, and what the level is measured from.
    """

    def __init__(
        self,
        traces: np.ndarray,
        starts: np.ndarray,
        *,
        context_frames: int,
        future_frames: int,
        scale: np.ndarray,
        mean: np.ndarray,
    ) -> None:
        every = max(1, len(starts) // MOST_WINDOWS)
        frames = starts[::every, None] + np.arange(-context_frames, future_frames)
        windows = traces[:, frames].swapaxes(0, 1)
        centre = windows[:, :, :context_frames].mean(axis=2)
        windows = (windows - centre[:, :, None]) / scale[:, None]
        self.units = windows[:, :, :context_frames]
        self.future = windows[:, :, context_frames:]
        self.level = (centre - mean) / scale

    def __len__(self) -> int:
        return len(self.units)


def fit_population_skip(
    fitted: PopulationWindows, validated: PopulationWindows, means: np.ndarray
) -> PopulationSkip | None:
    """Choose penalty and trust on the validated windows, then fit on all.

    The penalty is the one that forecasts best by itself, the trust what the head lacks.

    Parameters
    ----------
    means : numpy.ndarray, (validated windows, neurons, horizon_frames)
        The head's means there, in centred units.

    Returns
    -------
    PopulationSkip or None
        None if there are too few windows to fit on.
    """
    if len(fitted) < FEWEST_WINDOWS:
        return None
    n_frames = min(fitted.future.shape[2], means.shape[2])
    knots = np.array([knot for knot in KNOTS if knot <= n_frames])
    newest = fitted.units[:, :, -1] + fitted.level
    n_components = min(MOST_COMPONENTS, *newest.shape)
    components = PCA(n_components, svd_solver="full").fit(newest).components_.T
    truth = _at_knots(components, validated.future, knots)
    expected = _at_knots(components, means, knots)
    features = population_features(components, validated.units, validated.level)
    found = [
        (float(((values - truth) ** 2).mean()), penalty, values)
        for penalty in PENALTIES
        for values in [_ridge(components, [fitted], knots, penalty).values(features)]
    ]
    _, penalty, values = min(found, key=lambda each: each[0])
    change, missing = values - expected, truth - expected
    # Neighbouring horizons share their windows; together they say more.
    gain = _smoothed((change * missing).sum(axis=(0, 2)))
    power = _smoothed((change**2).sum(axis=(0, 2)))
    trust = np.clip(gain / np.maximum(power, 1e-9), 0, MOST_TRUST)
    skip = _ridge(components, [fitted, validated], knots, penalty)
    return replace(skip, trust=trust.astype(np.float32))


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Sum over each knot and its neighbours."""
    sums: np.ndarray = np.convolve(values, np.ones(3), mode="same")
    return sums


def _at_knots(components: np.ndarray, frames: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """(windows, neurons, frames) to (windows, knots, k)."""
    found: np.ndarray = np.einsum(
        "wnh,nk->whk", frames[:, :, knots - 1], components, optimize=True
    )
    return found


def _ridge(
    components: np.ndarray,
    parts: Sequence[PopulationWindows],
    knots: np.ndarray,
    penalty: float,
) -> PopulationSkip:
    features = np.concatenate(
        [population_features(components, part.units, part.level) for part in parts]
    )
    targets = np.concatenate([_at_knots(components, part.future, knots) for part in parts])
    model = Ridge(alpha=penalty).fit(features, targets.reshape(len(targets), -1))
    shape = targets.shape[1:]
    return PopulationSkip(
        components=components.astype(np.float32),
        weights=model.coef_.T.reshape(-1, *shape).astype(np.float32),
        bias=model.intercept_.reshape(shape).astype(np.float32),
        trust=np.ones(len(knots), np.float32),
    )
