"""What marks each cluster: traces, tokens, place, selectivity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import false_discovery_control, mannwhitneyu

from ..core.footprints import Footprints
from ..core.progress import Progress, Steps
from ..core.token_map import TokenMap
from .selectivity import Selectivity


def mean_traces(traces: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of the members' z-scored traces, (clusters, frames)."""
    traces = traces.astype(np.float64)
    units = traces - traces.mean(axis=1, keepdims=True)
    units /= np.maximum(units.std(axis=1, keepdims=True), 1e-12)
    means = [units[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)]
    return np.array(means).reshape(-1, traces.shape[1])


@dataclass(frozen=True, eq=False)
class Spread:
    """Compactness of clusters in the field of view; see `Clusters`."""

    ratio: np.ndarray
    p_value: np.ndarray


def spread_steps(
    footprints: Footprints | None, labels: np.ndarray, *, draws: int = 999, seed: int = 0
) -> Steps[Spread]:
    """Mean distance between the members' centres beside random sets of as many neurons."""
    n_clusters = int(labels.max()) + 1
    ratio, p_value = np.full(n_clusters, np.nan), np.full(n_clusters, np.nan)
    if footprints is None:
        return Spread(ratio, p_value)
    centres = footprints.centroids_px
    rng = np.random.default_rng(seed)
    for cluster in range(n_clusters):
        members = np.flatnonzero(labels == cluster)
        if 2 <= members.size < len(labels):
            own = pdist(centres[members]).mean()
            by_chance = np.array(
                [
                    pdist(centres[rng.choice(len(labels), members.size, replace=False)]).mean()
                    for _ in range(draws)
                ]
            )
            ratio[cluster] = own / max(by_chance.mean(), 1e-12)
            p_value[cluster] = (1 + (by_chance <= own + 1e-12).sum()) / (1 + draws)
        yield Progress(cluster + 1, n_clusters, "Place of the clusters")
    return Spread(ratio, p_value)


def token_use(tokens: TokenMap | None, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much more often members say each token, and the corrected p-value of that.

    The units are neurons, not tokens: one neuron's tokens depend on each other.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray), both (clusters, codes)
        No codes without tokens. A token that only members say has an infinite ratio.
    """
    n_clusters = int(labels.max()) + 1
    if tokens is None or n_clusters == 0:
        return np.ones((n_clusters, 0)), np.ones((n_clusters, 0))
    counts = np.stack([np.bincount(row, minlength=tokens.n_codes) for row in tokens.tokens])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ratio = np.ones((n_clusters, tokens.n_codes))
    p_value = np.ones_like(ratio)
    for cluster in range(n_clusters):
        inside = labels == cluster
        if inside.all() or not inside.any():
            continue
        own, others = share[inside], share[~inside]
        said = share.any(axis=0)
        with np.errstate(divide="ignore"):
            ratio[cluster, said] = own[:, said].mean(axis=0) / others[:, said].mean(axis=0)
        p_value[cluster, said] = mannwhitneyu(
            own[:, said], others[:, said], alternative="two-sided", method="asymptotic"
        ).pvalue
    # Where all neurons use a token alike, the test has nothing to rank.
    p_value = np.nan_to_num(p_value, nan=1.0)
    q_value = false_discovery_control(p_value, axis=None).reshape(p_value.shape)
    return ratio, q_value


def selectivity_of_clusters(
    results: Sequence[Selectivity], labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean explained share less chance, and share of selective members.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray), both (clusters, columns)
    """
    n_clusters = int(labels.max()) + 1
    explained, selective = np.empty((2, n_clusters, len(results)))
    for number, result in enumerate(results):
        above = result.explained - result.null_explained
        for cluster in range(n_clusters):
            members = labels == cluster
            explained[cluster, number] = above[members].mean()
            selective[cluster, number] = result.significant()[members].mean()
    return explained, selective
