"""How a population would go on if it were a linear system, known from its past alone."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve

LAGS = 4
MOST_COMPONENTS = 32
MOST_WINDOWS = 2048
KNOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
PENALTIES = (50.0, 300.0, 2000.0, 10000.0)
VALIDATION_SHARE = 0.2
MOST_VALIDATION_WINDOWS = 96
FEWEST_FRAMES = 40
N_CONTINUATIONS = 2
SKILL_KNOTS = (1, 4, 16)
N_SKILL_FEATURES = 2 * (1 + N_CONTINUATIONS) * len(SKILL_KNOTS)


@dataclass(frozen=True, eq=False)
class Continuation:
    """Two linear forecasts of a population, solved in closed form from the frames before.

    The population's leading principal components are continued from their last `LAGS`
    frames by ridge regression: once directly to every horizon (`KNOTS`, straight lines
    between them), once frame by frame (a vector autoregression applied to its own output).
    No weight of a network is involved; the forecast head learns from many animals how far
    such forecasts are to be trusted, and `skill` tells how they did here.

    Parameters
    ----------
    components : numpy.ndarray, (neurons, k)
        Orthonormal.
    direct : numpy.ndarray, (knots, LAGS * k, k)
        Newest frame first.
    step : numpy.ndarray, (LAGS * k, k)
    reach : numpy.ndarray, (k,)
        Largest value of each component so far; no forecast goes beyond it.
    skill : numpy.ndarray, (neurons, N_SKILL_FEATURES)
        On the last fifth of the frames, fitted to those before: logarithm of the squared
        error over that of copying the last frame, of the mean and both forecasts at
        `SKILL_KNOTS`; then the same for all neurons together.
    """

    components: np.ndarray
    direct: np.ndarray
    step: np.ndarray
    reach: np.ndarray
    skill: np.ndarray

    def forecasts(self, recent: np.ndarray, horizon_frames: int) -> np.ndarray:
        """Continue some moments.

        Parameters
        ----------
        recent : numpy.ndarray, (moments, neurons, LAGS)
            The newest frames of each, in the units of the history that was fitted.
        horizon_frames : int

        Returns
        -------
        numpy.ndarray, (moments, N_CONTINUATIONS, neurons, horizon_frames)
        """
        scores = np.einsum("mnl,nk->mlk", recent[:, :, ::-1], self.components)
        state = scores.reshape(len(recent), -1)
        horizon = np.arange(1, horizon_frames + 1)
        at_knots = _at_knots(state, self.direct)
        knots = KNOTS[: len(self.direct)]
        right = np.searchsorted(knots, horizon).clip(1, max(1, len(knots) - 1))
        left = right - 1
        right = right.clip(max=len(knots) - 1)
        gap = np.maximum(np.take(knots, right) - np.take(knots, left), 1)
        share = ((horizon - np.take(knots, left)) / gap).clip(0, 1)[:, None]
        direct = (1 - share) * at_knots[:, left] + share * at_knots[:, right]
        stepwise = _stepwise(state, self.step, self.reach, horizon_frames)
        both = np.stack([direct.clip(-self.reach, self.reach), stepwise], axis=1)
        found: np.ndarray = both @ self.components.T
        return found.swapaxes(2, 3)


def continuation_of(units: np.ndarray) -> Continuation:
    """Fit both forecasts to a history.

    The two penalties are those that forecast the last fifth best, fitted to the frames
    before it; then all frames are used. Histories below `FEWEST_FRAMES` are continued by
    their mean.

    Parameters
    ----------
    units : numpy.ndarray, (neurons, frames)
        Mean 0 and unit variance.
    """
    n_neurons, n_frames = units.shape
    n_components = min(MOST_COMPONENTS, n_neurons)
    covariance = (units @ units.T).astype(np.float64) / n_frames
    components = np.linalg.eigh(covariance)[1][:, -n_components:].astype(np.float32)
    scores = (components.T @ units).astype(np.float32)
    reach = np.abs(scores).max(axis=1)
    knots = np.array([knot for knot in KNOTS if knot <= max(1, n_frames // 4)])
    if n_frames < FEWEST_FRAMES:
        return Continuation(
            components=components,
            direct=np.zeros((1, LAGS * n_components, n_components), np.float32),
            step=np.zeros((LAGS * n_components, n_components), np.float32),
            reach=reach,
            skill=np.zeros((n_neurons, N_SKILL_FEATURES), np.float32),
        )
    ends = np.arange(LAGS, n_frames - knots[-1] + 1)
    n_validation = max(1, round(VALIDATION_SHARE * len(ends)))
    judged = ends[-n_validation:][:: -(-n_validation // MOST_VALIDATION_WINDOWS)]
    n_before = max(1, len(ends) - n_validation - knots[-1])
    every = -(-len(ends) // MOST_WINDOWS)
    early = _Moments.of(scores, ends[:n_before:every], knots)
    all_of_it = early + _Moments.of(scores, ends[n_before::every], knots)
    state = _states(scores, judged)
    truth = scores[:, judged[:, None] + knots - 1].transpose(1, 2, 0)
    found = []
    for penalty in PENALTIES:
        weights = early.ridge(penalty)
        at_knots = _at_knots(state, weights)
        stepwise = _stepwise(state, weights[0], reach, int(knots[-1]))[:, knots - 1]
        errors = [((each - truth) ** 2).mean() for each in (at_knots, stepwise)]
        found.append((errors, penalty, at_knots, stepwise))
    direct, step = (min(found, key=lambda each: each[0][number]) for number in (0, 1))
    return Continuation(
        components=components,
        direct=all_of_it.ridge(direct[1]),
        step=all_of_it.ridge(step[1])[0],
        reach=reach,
        skill=_skill(units, components, judged, knots, (direct[2], step[3])),
    )


class _Moments(NamedTuple):
    """Second moments of the scores' past and future: all that a ridge regression needs.

    gram (f, f) of the features, products (f, knots * k) of features and targets.
    """

    gram: np.ndarray
    products: np.ndarray
    n_components: int

    @classmethod
    def of(cls, scores: np.ndarray, ends: np.ndarray, knots: np.ndarray) -> "_Moments":
        features = _states(scores, ends)
        targets = scores[:, ends[:, None] + knots - 1].transpose(1, 2, 0)
        products = features.T @ targets.reshape(len(ends), -1)
        return cls(features.T @ features, products, len(scores))

    def __add__(self, other: "_Moments") -> "_Moments":  # type: ignore[override]
        return _Moments(
            self.gram + other.gram, self.products + other.products, self.n_components
        )

    def ridge(self, penalty: float) -> np.ndarray:
        """Weights, (knots, LAGS * k, k)."""
        penalised = self.gram + penalty * np.eye(len(self.gram), dtype=self.gram.dtype)
        weights = solve(penalised, self.products, assume_a="pos")
        shaped = weights.reshape(len(weights), -1, self.n_components)
        return np.ascontiguousarray(shaped.swapaxes(0, 1), np.float32)


def _states(scores: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Last frames before each end, newest first, (ends, LAGS * k)."""
    lagged = scores[:, ends[:, None] - 1 - np.arange(LAGS)]
    return lagged.transpose(1, 2, 0).reshape(len(ends), -1)


def _at_knots(state: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(moments, LAGS * k) to (moments, knots, k)."""
    found: np.ndarray = np.matmul(state, weights).swapaxes(0, 1)
    return found


def _stepwise(
    state: np.ndarray, step: np.ndarray, reach: np.ndarray, n_frames: int
) -> np.ndarray:
    """Apply the one-frame map to its own output, (moments, frames, k)."""
    k = step.shape[1]
    found = np.empty((len(state), n_frames, k), state.dtype)
    for frame in range(n_frames):
        found[:, frame] = following = (state @ step).clip(-reach, reach)
        state = np.concatenate([following, state[:, :-k]], axis=1)
    return found


def _skill(
    units: np.ndarray,
    components: np.ndarray,
    judged: np.ndarray,
    knots: np.ndarray,
    at_knots: tuple[np.ndarray, ...],
) -> np.ndarray:
    """See `Continuation.skill`; `at_knots` are forecasts (judged, knots, k)."""
    n_neurons = len(units)
    errors = np.ones((n_neurons, 2 + len(at_knots), len(SKILL_KNOTS)))
    last = units[:, judged - 1]
    for place, knot in enumerate(SKILL_KNOTS):
        number = np.flatnonzero(knots == knot)
        if not number.size:
            continue
        truth = units[:, judged + knot - 1]
        said = [last, np.zeros_like(truth)]
        said += [components @ forecast[:, number[0]].T for forecast in at_knots]
        for row, forecast in enumerate(said):
            errors[:, row, place] = ((forecast - truth) ** 2).mean(axis=1)
    errors = np.concatenate([errors, np.broadcast_to(errors.mean(0), errors.shape)], axis=2)
    ratio = np.log((errors[:, 1:] + 1e-3) / (errors[:, :1] + 1e-3))
    return ratio.clip(-2, 2).reshape(n_neurons, -1).astype(np.float32)
