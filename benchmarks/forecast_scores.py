"""Scores of forecasts with their uncertainty, and means over recordings with intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
RESAMPLES = 10_000


@dataclass(frozen=True, eq=False)
class Prediction:
    """Forecasts of one task.

    Parameters
    ----------
    mean : numpy.ndarray, (starts, neurons, horizon_frames)
    quantiles : numpy.ndarray, (levels, starts, neurons, horizon_frames)
    levels : numpy.ndarray, (levels,)
        Rising, between 0 and 1.
    sd : numpy.ndarray, broadcastable to `mean`, optional
        Given if the forecast is a normal distribution.
    note : str
        What a reader of the table should know.
    """

    mean: np.ndarray
    quantiles: np.ndarray
    levels: np.ndarray
    sd: np.ndarray | None = None
    note: str = ""

    @classmethod
    def normal(cls, mean: np.ndarray, sd: np.ndarray) -> "Prediction":
        """A normal distribution around `mean`."""
        quantiles = mean + norm.ppf(LEVELS)[:, None, None, None] * sd
        return cls(mean, quantiles, LEVELS, sd)

    def band_90(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Lower and upper end of the 90 % band; None without quantiles at 0.05 and 0.95."""
        ends = [np.flatnonzero(np.isclose(self.levels, level)) for level in (0.05, 0.95)]
        if not all(end.size for end in ends):
            return None
        return self.quantiles[ends[0][0]], self.quantiles[ends[1][0]]


def scores(truth: np.ndarray, prediction: Prediction) -> dict[str, Any]:
    """Score a prediction against what happened, (starts, neurons, horizon_frames).

    Returns
    -------
    dict
        `mse`, `crps` and `quantile_crps` (horizon_frames,), mean over starts and neurons, the
        last one from the quantiles for every kind of forecast; `pearson` of each
        neuron's horizon with the truth, mean over starts and neurons; `pearson_by_frame`
        over starts and neurons at each frame; `coverage_90`; `levels` and `share_below`, the
        share of true values below the quantile of each level.
    """
    below = (truth < prediction.quantiles).mean(axis=(1, 2, 3))
    band = prediction.band_90()
    inside = None if band is None else float(((truth >= band[0]) & (truth <= band[1])).mean())
    of_quantiles = quantile_crps(truth, prediction.quantiles, prediction.levels)
    crps = (
        of_quantiles
        if prediction.sd is None
        else normal_crps(truth, prediction.mean, prediction.sd)
    )
    by_frame = [array.reshape(-1, truth.shape[-1]).T for array in (truth, prediction.mean)]
    return {
        "mse": ((prediction.mean - truth) ** 2).mean(axis=(0, 1)).tolist(),
        "pearson": float(pearson(truth, prediction.mean).mean()),
        "pearson_by_frame": pearson(*by_frame).tolist(),
        "crps": crps.mean(axis=(0, 1)).tolist(),
        "quantile_crps": of_quantiles.mean(axis=(0, 1)).tolist(),
        "coverage_90": inside,
        "levels": prediction.levels.tolist(),
        "share_below": below.tolist(),
        "note": prediction.note,
    }


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation along the last axis; 0 where either is constant."""
    a, b = (x.astype(np.float64) - x.mean(axis=-1, keepdims=True) for x in (a, b))
    sizes = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    # Below rounding errors of values around 1 there is nothing but a constant.
    return np.where(sizes > 1e-9, (a * b).sum(axis=-1) / np.maximum(sizes, 1e-9), 0.0)


def normal_crps(truth: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of a normal distribution (Gneiting et al. 2005)."""
    sd = np.maximum(sd, 1e-9)
    z = (truth - mean) / sd
    return sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


def quantile_crps(truth: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Twice the mean pinball loss, each level standing for the levels nearest to it.

    The continuous ranked probability score is the integral over all levels; evenly spaced
    levels get equal weights.
    """
    edges = np.concatenate([[0], (levels[1:] + levels[:-1]) / 2, [1]])
    error = truth - quantiles
    column = levels.reshape(-1, *[1] * truth.ndim)
    pinball = np.maximum(column * error, (column - 1) * error)
    return 2 * np.tensordot(np.diff(edges), pinball, axes=1)


def quantile_crps_bias(levels: np.ndarray) -> float:
    """How far `quantile_crps` of a true normal forecast lies off the exact score, a share."""
    z = norm.ppf((np.arange(2_000) + 0.5) / 2_000)
    quantiles = np.broadcast_to(norm.ppf(levels)[:, None], (levels.size, z.size))
    return float(quantile_crps(z, quantiles, levels).mean() * np.sqrt(np.pi) - 1)


def interval(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """95 % bootstrap interval of the mean over recordings, the first axis; NaN for one."""
    if len(values) < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    low, high = np.percentile(
        values[_resampled(len(values), seed)].mean(axis=1), [2.5, 97.5], 0
    )
    return low, high


def difference(model: np.ndarray, reference: np.ndarray, seed: int = 0) -> tuple[float, ...]:
    """Difference of two mean errors in % of the reference's, with its 95 % interval.

    Parameters
    ----------
    model, reference : numpy.ndarray, (recordings,)
        Errors on the same recordings, which are drawn together.
    """
    estimate = 100 * (model.mean() / reference.mean() - 1)
    if len(model) < 2:
        return float(estimate), float("nan"), float("nan")
    drawn = _resampled(len(model), seed)
    ratios = model[drawn].mean(axis=1) / reference[drawn].mean(axis=1)
    low, high = 100 * (np.percentile(ratios, [2.5, 97.5]) - 1)
    return float(estimate), float(low), float(high)


def _resampled(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
