"""Responses sorted into the classes or bins of a column."""

from dataclasses import dataclass

import numpy as np

from .columns import Column


@dataclass(frozen=True, eq=False)
class Tuning:
    """Responses and the bin that each belongs to.

    Parameters
    ----------
    responses : numpy.ndarray, (neurons, values)
        dF/F of frames or mean dF/F of trials.
    one_hot : numpy.ndarray, (values, bins)
        1 for the bin of each value; a row of 0 where the column holds none.
    names : tuple of str
    centres : numpy.ndarray, (bins,)
    """

    responses: np.ndarray
    one_hot: np.ndarray
    names: tuple[str, ...]
    centres: np.ndarray

    @classmethod
    def of(cls, responses: np.ndarray, column: Column, bins: int) -> "Tuning":
        """Sort `responses` by a column; a continuous one into bins of equal occupancy."""
        values = column.values
        if column.classes:
            codes = np.where(column.known, values, -1).astype(int)
            one_hot = (codes[:, None] == np.arange(len(column.classes))).astype(np.float64)
            return cls(responses, one_hot, column.classes, np.arange(float(one_hot.shape[1])))
        known = values[column.known]
        # Values that are very frequent (waiting at 0) make edges coincide.
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)))
        codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        codes = np.where(column.known, codes, -1)
        one_hot = (codes[:, None] == np.arange(len(edges) - 1)).astype(np.float64)
        filled = one_hot.sum(axis=0) > 0
        one_hot = one_hot[:, filled]
        centres = (one_hot.T @ np.where(column.known, values, 0)) / one_hot.sum(axis=0)
        spans = zip(edges[:-1][filled], edges[1:][filled], strict=True)
        names = tuple(f"{low:.3g} to {high:.3g}" for low, high in spans)
        return cls(responses, one_hot, names, centres)


def explained_share(responses: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Share of each neuron's variance that lies between the bins (eta squared), (neurons,)."""
    known = one_hot.any(axis=1)
    if not known.all():
        responses, one_hot = responses[:, known], one_hot[known]
    counts = np.maximum(one_hot.sum(axis=0), 1)
    centred = responses - responses.mean(axis=1, keepdims=True)
    between = ((centred @ one_hot) ** 2 / counts).sum(axis=1)
    total = (centred**2).sum(axis=1)
    share: np.ndarray = between / np.maximum(total, 1e-12)
    return share


def d_prime(tuning: Tuning, *, signed: bool) -> np.ndarray:
    """Difference of two means over the root of their mean variance, (neurons,).

    Parameters
    ----------
    signed : bool
        True: second bin less the first. False: the bin of the largest mean against all
        other bins together.
    """
    known = tuning.one_hot.any(axis=1)
    bin_of = tuning.one_hot[known].argmax(axis=1)
    responses = tuning.responses[:, known]
    if signed:
        high = np.broadcast_to(bin_of == 1, responses.shape)
    else:
        means = responses @ tuning.one_hot[known] / tuning.one_hot.sum(axis=0)
        high = bin_of == means.argmax(axis=1)[:, None]
    (mean, variance), (other_mean, other_variance) = (
        _moments(responses, high),
        _moments(responses, ~high),
    )
    spread = np.sqrt((variance + other_variance) / 2)
    found: np.ndarray = (mean - other_mean) / np.maximum(spread, 1e-12)
    return found


def visit_errors(tuning: Tuning, *, per_trial: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each bin and its standard error over visits, both (neurons, bins)."""
    n_bins = tuning.one_hot.shape[1]
    means = tuning.responses @ tuning.one_hot / tuning.one_hot.sum(axis=0)
    errors = np.full(means.shape, np.nan)
    for number in range(n_bins):
        inside = tuning.one_hot[:, number] > 0
        index = np.flatnonzero(inside)
        # A visit ends where the next value belongs to another bin; trials stand alone.
        new = np.concatenate([[True], np.diff(index) > 1]) | per_trial
        first = np.flatnonzero(new)
        if first.size < 2:
            continue
        sums = np.add.reduceat(tuning.responses[:, index], first, axis=1)
        sizes = np.diff(np.append(first, index.size))
        # Long visits weigh more in the mean, so they do in its error (ratio estimator).
        deviation = sums - means[:, number, None] * sizes
        variance = (deviation**2).sum(axis=1) / (first.size - 1) * first.size
        errors[:, number] = np.sqrt(variance) / sizes.sum()
    return means, errors


def _moments(responses: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = np.maximum(chosen.sum(axis=1), 1)
    mean = np.where(chosen, responses, 0).sum(axis=1) / counts
    deviation = np.where(chosen, responses - mean[:, None], 0)
    return mean, (deviation**2).sum(axis=1) / np.maximum(counts - 1, 1)
