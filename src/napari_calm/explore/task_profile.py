"""How much of a neuron's activity each thing the animal does explains by itself."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.signal import lfilter
from sklearn.preprocessing import SplineTransformer

from ..core.errors import RecordingError
from ..core.recording import Recording
from .columns import Column, find_column, telling_columns, trial_limits
from .coupling import BLOCKS

# Calcium lags behind what the neuron is tuned to.
LAG_S = 1.0
BIN_S = 0.5
KNOTS = 6
PHASES = 4
RIDGE = 1e-3
# Neighbouring bins of calcium are alike, so chance explains as much as in so many fewer.
BINS_ALIKE = 3
# Explained share below which a neuron counts as hardly explained at all.
HARDLY = 0.05
# Length of a well explained neuron's vector beside a coupling vector of length 1.
WEIGHT = 1.5


class TaskFit:
    """Sums over blocks of time from which every column's own share follows.

    Parameters
    ----------
    recording : Recording
    columns : sequence of str, optional
        Behaviour and trial columns; all that tell something (`telling_columns`) if not given.
    lag_s : float
        Time constant in seconds with which activity follows and forgets.

    Raises
    ------
    RecordingError
        If there is no such column, or none at all.
    """

    def __init__(
        self,
        recording: Recording,
        columns: Sequence[str] | None = None,
        *,
        lag_s: float = LAG_S,
    ) -> None:
        names = telling_columns(recording) if columns is None else list(columns)
        if not names:
            raise RecordingError(
                f"{recording.source or recording.name}: there is no behaviour or trial column "
                "to explain activity with. Use another source, for example 'coupling'."
            )
        self.columns = tuple(names)
        bases = [_basis(recording, find_column(recording, name)) for name in names]
        width = max(1, round(BIN_S * recording.frame_rate_hz))
        n_bins = recording.n_frames // width
        if n_bins < BLOCKS:
            raise RecordingError(
                f"{recording.source or recording.name}: {recording.n_frames} frames are too "
                f"few; expected at least {BLOCKS * width}."
            )
        keep = np.exp(-1 / (lag_s * recording.frame_rate_hz)) if lag_s > 0 else 0.0
        design = lfilter([1 - keep], [1, -keep], np.concatenate(bases, axis=1), axis=0)
        design = _binned(design, width, n_bins)
        activity = _binned(recording.traces.T.astype(np.float64), width, n_bins)
        design = (design - design.mean(0)) / np.maximum(design.std(0), 1e-9)
        activity -= activity.mean(0)
        self.of_column = np.repeat(np.arange(len(names)), [basis.shape[1] for basis in bases])
        edges = np.linspace(0, n_bins, BLOCKS + 1).astype(int)
        self.times = np.diff(edges)
        both = np.concatenate([np.ones((n_bins, 1)), design], axis=1)
        parts = [slice(a, b) for a, b in pairwise(edges)]
        self.inner = np.array([both[part].T @ both[part] for part in parts])
        self.cross = np.array([both[part].T @ activity[part] for part in parts])
        self.power = np.array([(activity[part] ** 2).sum(axis=0) for part in parts])

    def shares(self, blocks: np.ndarray | None = None) -> np.ndarray:
        """Share of variance that is lost when one column is left out, less chance.

        What a column of noise would explain by itself is taken off: its number of regressors
        over the number of independent bins, of what the full ridge regression leaves over.

        Parameters
        ----------
        blocks : numpy.ndarray of int, optional
            Blocks of time to look at; all if not given.

        Returns
        -------
        numpy.ndarray, (neurons, columns)
        """
        chosen = slice(None) if blocks is None else blocks
        inner, cross = self.inner[chosen].sum(axis=0), self.cross[chosen].sum(axis=0)
        n_times = float(self.times[chosen].sum())
        power = self.power[chosen].sum(axis=0) - cross[0] ** 2 / n_times
        full = _explained(inner, cross, np.ones(len(self.of_column), bool), n_times)
        own = [
            full - _explained(inner, cross, self.of_column != number, n_times)
            for number in range(len(self.columns))
        ]
        regressors = np.bincount(self.of_column)
        chance = (power - full)[:, None] * regressors * BINS_ALIKE / n_times
        share = (np.array(own).T - chance) / np.maximum(power, 1e-12)[:, None]
        found: np.ndarray = np.clip(share, 0, 1)
        return found


def task_vectors(shares: np.ndarray) -> np.ndarray:
    """One vector a neuron: what its explained variance is made of.

    Root of each column's part of all that the columns explain. Vectors of well explained
    neurons have one length, those of neurons that nothing explains lie near 0.

    Parameters
    ----------
    shares : numpy.ndarray, (neurons, columns)
        See `TaskFit.shares`.
    """
    parts = shares / (shares.sum(axis=1, keepdims=True) + HARDLY)
    vectors: np.ndarray = WEIGHT * np.sqrt(parts)
    return vectors


def _explained(
    inner: np.ndarray, cross: np.ndarray, used: np.ndarray, n_times: float
) -> np.ndarray:
    """Variance that a ridge regression on the `used` regressors explains, (neurons,)."""
    index = np.flatnonzero(np.concatenate([[True], used]))
    penalty = np.full(index.size, RIDGE * n_times)
    penalty[0] = 0
    gram, target = inner[np.ix_(index, index)], cross[index]
    weights = np.linalg.solve(gram + np.diag(penalty), target)
    # Residual power follows from the sums alone; the offset's own part is taken off.
    fitted = 2 * (weights * target).sum(axis=0) - (weights * (gram @ weights)).sum(axis=0)
    found: np.ndarray = fitted - cross[0] ** 2 / n_times
    return found


def _basis(recording: Recording, column: Column) -> np.ndarray:
    """What a neuron tuned to the column could follow, (frames, regressors)."""
    if not column.classes:
        known = column.values[column.known]
        low, high = np.quantile(known, [0.01, 0.99])
        if low == high:
            low, high = known.min(), known.max()
        values = np.clip(np.where(column.known, column.values, np.median(known)), low, high)
        spline = SplineTransformer(KNOTS, degree=3, include_bias=False)
        values = values[:, None]
        if column.per_trial:
            return _over_trials(recording, spline.fit_transform(values))
        smooth: np.ndarray = spline.fit_transform(values)
        return smooth
    which = np.arange(1, len(column.classes))
    one_hot = (column.values[:, None] == which).astype(float)
    if len(which) == 1:
        one_hot = np.where(column.known[:, None], 2 * one_hot - 1, 0)
    return _over_trials(recording, one_hot) if column.per_trial else one_hot


def _over_trials(recording: Recording, of_trial: np.ndarray) -> np.ndarray:
    """Spread values of trials over their frames, free to act in any phase of the trial."""
    centres = np.linspace(0, 1, PHASES)
    spread = np.zeros((recording.n_frames, of_trial.shape[1] * PHASES))
    for values, (start, stop) in zip(of_trial, trial_limits(recording), strict=True):
        phase = (np.arange(stop - start) + 0.5) / (stop - start)
        hats = np.maximum(0, 1 - np.abs(phase[:, None] - centres) * (PHASES - 1))
        spread[start:stop] = (hats[:, :, None] * values).reshape(stop - start, -1)
    return spread


def _binned(values: np.ndarray, width: int, n_bins: int) -> np.ndarray:
    """Means over bins of frames, (bins, columns)."""
    means: np.ndarray = values[: n_bins * width].reshape(n_bins, width, -1).mean(axis=1)
    return means
