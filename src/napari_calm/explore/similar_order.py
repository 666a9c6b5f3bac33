"""Neurons in a line, those of like activity beside each other, for a picture of all of them."""

from collections.abc import Callable

import numpy as np

from ..core.errors import CalmError
from ..core.progress import Progress, Steps, run

MOST_GROUPS = 100
_NEURONS_PER_GROUP = 4
_MOST_BINS = 4000
_MOST_COMPONENTS = 60
_NEURONS_AT_ONCE = 64
_NEURONS_FITTED = 1500
# Places between two neighbouring groups at which a neuron can stand.
_PLACES_PER_GROUP = 10
_STAGES = 3


def order_by_similarity_steps(
    traces: np.ndarray, *, n_groups: int = MOST_GROUPS, seed: int = 0
) -> Steps[np.ndarray]:
    """Sort neurons so that those whose activity goes together stand beside each other.

    1. Traces are averaged in bins of time, at most 4,000 of them, and z-scored.
    2. Their principal components, at most 60, are scaled to length 1: what follows compares
       by correlation.
    3. k-means parts the neurons into groups.
    4. The groups are put in a line: hierarchical clustering of their centres, whose tree is
       turned so that neighbours are as alike as it allows (optimal leaf ordering, Bar-Joseph
       et al. 2001); then stretches of the line are reversed and moved while that makes
       neighbours more alike.
    5. Each neuron stands where a line through the centres is most like it.

    Of the two directions the one is taken in which activity runs down the page.

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
        In any unit; read some neurons at a time, never copied as a whole.
    n_groups : int
        Groups at most; there are no more than a fourth of the neurons.
    seed : int
        The same seed gives the same order.

    Yields
    ------
    Progress

    Returns
    -------
    numpy.ndarray of int, (neurons,)
        Every neuron once; those whose trace is constant come last.

    Raises
    ------
    CalmError
        If traces are no table of finite numbers, or there is no group.
    """
    traces = np.asarray(traces)
    if traces.ndim != 2 or 0 in traces.shape or traces.dtype.kind not in "biuf":
        raise CalmError(
            f"order by similarity: found {traces.dtype} of shape {traces.shape}; expected "
            "numbers (neurons, frames) with at least one of each."
        )
    if n_groups < 1:
        raise CalmError(f"order by similarity: {n_groups} groups; expected at least 1.")
    binned = yield from _binned_steps(traces)
    varying = np.flatnonzero(binned.any(axis=1))
    still = np.flatnonzero(~binned.any(axis=1))
    if varying.size < 3:
        return np.concatenate([varying, still])
    directions = yield from _directions_steps(binned[varying], seed)
    yield Progress(2, _STAGES, "Sorting neurons")
    # Below this many, a group would be one or two neurons: the line goes through neurons.
    count = min(n_groups, varying.size)
    if varying.size > _NEURONS_PER_GROUP * 4:
        count = min(n_groups, max(4, varying.size // _NEURONS_PER_GROUP))
    centres = _centres(directions, count, seed)
    line = centres[_line_through(centres)]
    order = varying[np.argsort(_places(directions, line), kind="stable")]
    peaks = binned[order].argmax(axis=1)
    if np.dot(np.arange(order.size) - (order.size - 1) / 2, peaks) < 0:
        order = order[::-1]
    return np.concatenate([order, still])


def order_by_similarity(
    traces: np.ndarray,
    *,
    n_groups: int = MOST_GROUPS,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> np.ndarray:
    """Sort neurons by the likeness of their activity; see `order_by_similarity_steps`.

    Examples
    --------
    >>> import numpy as np
    >>> phase = np.array([0.0, 2.0, 1.0, 3.0])
    >>> time = np.linspace(0, 4, 200)
    >>> traces = np.exp(-((time - phase[:, None]) ** 2))
    >>> order_by_similarity(traces).tolist()
    [0, 2, 1, 3]
    """
    return run(order_by_similarity_steps(traces, n_groups=n_groups, seed=seed), on_progress)


def _binned_steps(traces: np.ndarray) -> Steps[np.ndarray]:
    """Return means over bins of time, z-scored, float32; 0 for a constant trace."""
    n_neurons, n_frames = traces.shape
    edges = np.arange(0, n_frames, -(-n_frames // _MOST_BINS))
    sizes = np.diff(np.append(edges, n_frames))
    binned = np.empty((n_neurons, edges.size), np.float32)
    for start in range(0, n_neurons, _NEURONS_AT_ONCE):
        some = slice(start, start + _NEURONS_AT_ONCE)
        part = np.add.reduceat(traces[some], edges, axis=1, dtype=np.float64) / sizes
        if not np.isfinite(part).all():
            neuron = start + int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0])
            raise CalmError(
                f"order by similarity: the trace of neuron {neuron} holds NaN or infinite "
                "values; leave such neurons out."
            )
        part -= part.mean(axis=1, keepdims=True)
        deviation = part.std(axis=1, keepdims=True)
        is_constant = deviation <= 1e-9 * np.abs(traces[some]).max(axis=1, keepdims=True)
        binned[some] = np.where(is_constant, 0, part / np.where(is_constant, 1, deviation))
        done = min(n_neurons, start + _NEURONS_AT_ONCE)
        yield Progress(done, n_neurons * _STAGES, "Averaging in time")
    return binned


def _directions_steps(binned: np.ndarray, seed: int) -> Steps[np.ndarray]:
    """Return each neuron's principal components, scaled to length 1."""
    # Imported late: the window opens before it needs scikit-learn.
    from sklearn.decomposition import PCA

    # Components of some neurons are those of all, and take no seconds in one piece.
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(binned))[:_NEURONS_FITTED]
    components = min(_MOST_COMPONENTS, len(some), binned.shape[1])
    solver = "randomized" if components < min(len(some), binned.shape[1]) else "full"
    # Two power iterations: more take longer and change nothing in the order.
    pca = PCA(components, svd_solver=solver, iterated_power=2, random_state=seed)
    pca.fit(binned[some])
    directions = np.empty((len(binned), components), np.float32)
    for start in range(0, len(binned), 4 * _NEURONS_AT_ONCE):
        part = slice(start, start + 4 * _NEURONS_AT_ONCE)
        scores = pca.transform(binned[part])
        length = np.linalg.norm(scores, axis=1, keepdims=True)
        directions[part] = scores / np.maximum(length, 1e-12)
        yield Progress(len(binned) + start, len(binned) * _STAGES, "Comparing neurons")
    return directions


def _centres(directions: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the mean directions of groups of like neurons, (groups, components)."""
    if count >= len(directions):
        return directions
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Fewer distinct neurons than groups: some groups stay empty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = KMeans(count, n_init=1, random_state=seed).fit_predict(directions)
    groups = np.unique(labels)
    means = np.array([directions[labels == group].mean(axis=0) for group in groups])
    length = np.linalg.norm(means, axis=1, keepdims=True)
    unit: np.ndarray = means / np.maximum(length, 1e-12)
    return unit


def _line_through(centres: np.ndarray) -> np.ndarray:
    """Return the centres in a line, so that neighbours are alike."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(centres) < 3:
        return np.arange(len(centres))
    tree = linkage(centres, "average", optimal_ordering=True)
    order = leaves_list(tree)
    return _improved(order, centres @ centres.T)


def _improved(order: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """Reverse stretches of a line while its neighbours become more alike (2-opt)."""
    order = order.copy()
    for _ in range(4 * len(order)):
        # A place without a neighbour, at both ends, is as like as nothing: 0.
        padded = np.zeros((len(order) + 2, len(order) + 2))
        padded[1:-1, 1:-1] = likeness[np.ix_(order, order)]
        links = np.diagonal(padded, 1)
        # Reversing places i ... j joins i - 1 with j, and i with j + 1.
        gain = padded[:-2, 1:-1] + padded[1:-1, 2:] - links[:-1, None] - links[None, 1:]
        gain = np.triu(gain, 1)
        i, j = np.unravel_index(gain.argmax(), gain.shape)
        if gain[i, j] <= 1e-9:
            break
        order[i : j + 1] = order[i : j + 1][::-1]
    return order


def _places(directions: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return where on the line each neuron stands: at the place most like it."""
    if len(line) < 2:
        alike: np.ndarray = directions @ line[0]
        return alike
    steps = np.linspace(0, len(line) - 1, (len(line) - 1) * _PLACES_PER_GROUP + 1)
    left = np.minimum(steps.astype(int), len(line) - 2)
    share = (steps - left)[:, None]
    between = (1 - share) * line[left] + share * line[left + 1]
    between /= np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-12)
    places: np.ndarray = steps[(directions @ between.T).argmax(axis=1)]
    return places
