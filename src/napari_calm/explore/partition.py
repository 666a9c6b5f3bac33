"""Ways to part vectors into groups."""

from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np

from ..core.errors import CalmError

Method = Literal["k-means", "gaussian mixture", "hdbscan", "leiden"]
METHODS: tuple[str, ...] = get_args(Method)
# Methods whose number of groups is given and not found.
COUNTED = ("k-means", "gaussian mixture")
NONE = -1
FEWEST_NEURONS = 6

LEIDEN_PIP = "pip install 'napari-calm[leiden]'"


def partition(
    vectors: np.ndarray, method: str, setting: float, *, restarts: int = 10, seed: int = 0
) -> np.ndarray:
    """Group of every vector, counted from 0; -1 for none.

    Parameters
    ----------
    vectors : numpy.ndarray, (neurons, dimensions)
    method : {"k-means", "gaussian mixture", "hdbscan", "leiden"}
    setting : float
        Number of groups (k-means; Gaussian mixture with one covariance for all groups),
        smallest group (HDBSCAN), or resolution (Leiden on the graph of mutual neighbours).
    restarts : int
        Starts of k-means and of the mixture.

    Raises
    ------
    CalmError
        If the method is unknown, needs a package that is not there, or there are more groups
        than neurons.
    """
    check_method(method)
    vectors = np.asarray(vectors, np.float64)
    if method in COUNTED and not 2 <= setting <= len(vectors):
        raise CalmError(
            f"clusters: {setting:g} clusters of {len(vectors)} neurons cannot be; expected 2 "
            f"to {len(vectors)}."
        )
    match method:
        case "k-means":
            return _k_means(vectors, int(setting), restarts, seed)
        case "gaussian mixture":
            return _mixture(vectors, int(setting), restarts, seed)
        case "hdbscan":
            return _hdbscan(vectors, int(setting))
        case _:
            return _leiden(vectors, setting, seed)


def candidates(method: str, n_neurons: int, most: int) -> list[float]:
    """Settings worth comparing for so many neurons."""
    if method in COUNTED:
        return [float(n) for n in range(2, max(2, min(most, n_neurons // 3)) + 1)]
    if method == "hdbscan":
        sizes = np.unique(np.geomspace(3, max(4, n_neurons / 5), 8).round())
        return [float(size) for size in sizes]
    return [round(float(resolution), 2) for resolution in np.geomspace(0.3, 3, 10)]


def setting_name(method: str) -> str:
    """What the setting of a method is, in words."""
    names = {"hdbscan": "smallest cluster", "leiden": "resolution"}
    return names.get(method, "clusters")


def by_size(labels: np.ndarray) -> np.ndarray:
    """Number the groups anew, largest first; -1 stays."""
    values, counts = np.unique(labels[labels != NONE], return_counts=True)
    order = values[np.argsort(-counts, kind="stable")]
    renumbered = np.full(len(labels), NONE, np.int64)
    for new, old in enumerate(order):
        renumbered[labels == old] = new
    return renumbered


def _k_means(vectors: np.ndarray, n_clusters: int, restarts: int, seed: int) -> np.ndarray:
    # Imported late, as below: the window offers these methods before it needs scikit-learn.
    from sklearn.cluster import KMeans

    found: np.ndarray = KMeans(n_clusters, n_init=restarts, random_state=seed).fit_predict(
        vectors
    )
    return found


def _mixture(vectors: np.ndarray, n_clusters: int, restarts: int, seed: int) -> np.ndarray:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        n_clusters,
        covariance_type="tied",
        n_init=restarts,
        reg_covar=1e-3 * float(vectors.var(axis=0).mean() + 1e-12),
        max_iter=300,
        random_state=seed,
    )
    found: np.ndarray = model.fit_predict(vectors)
    return found


def _hdbscan(vectors: np.ndarray, smallest: int) -> np.ndarray:
    from sklearn.cluster import HDBSCAN

    size = min(max(2, smallest), len(vectors))
    found: np.ndarray = HDBSCAN(min_cluster_size=size, copy=True).fit_predict(vectors)
    return found


def check_method(method: str) -> None:
    """Refuse a method that is unknown or whose package is not installed.

    Raises
    ------
    CalmError
        Which says what there is, or how to install it.
    """
    if method not in METHODS:
        raise CalmError(f"clusters: unknown method {method!r}; expected {', '.join(METHODS)}.")
    if method == "leiden" and find_spec("sknetwork") is None:
        raise CalmError(
            "clusters: the method 'leiden' needs the package scikit-network, which is not "
            f"installed. {LEIDEN_PIP}, or choose another method."
        )


def _leiden(vectors: np.ndarray, resolution: float, seed: int) -> np.ndarray:
    from sklearn.neighbors import kneighbors_graph

    # An optional extra.
    from sknetwork.clustering import Leiden

    n_neighbours = min(15, len(vectors) - 1)
    graph = kneighbors_graph(vectors, n_neighbours, mode="connectivity")
    graph = graph.maximum(graph.T).tocsr()
    found: np.ndarray = Leiden(resolution=resolution, random_state=seed).fit_predict(graph)
    return found


def together_share(labels: np.ndarray, resampled: np.ndarray) -> np.ndarray:
    """How often each neuron is put with the other members of its group.

    Parameters
    ----------
    labels : numpy.ndarray of int, (neurons,)
    resampled : numpy.ndarray of int, (partitions, neurons)
        Groups from resamplings; -2 = the neuron was not in it.

    Returns
    -------
    numpy.ndarray, (neurons,)
        Mean share, over resamplings, of its group's other members that are in its group
        again, 0 to 1; NaN for groups of one and neurons without a group.
    """
    share = np.zeros(len(labels))
    counted = np.zeros(len(labels))
    if labels.max() == NONE:
        return np.full(len(labels), np.nan)
    for groups in resampled:
        there = (groups >= NONE) & (labels != NONE)
        table = np.zeros((labels.max() + 1, groups.max() + 2))
        np.add.at(table, (labels[there], groups[there] + 1), 1)
        members = table.sum(axis=1)[labels] - 1
        with_it = table[labels, np.maximum(groups, NONE) + 1] - 1
        # Neurons that a resampling leaves out of every group are with nobody.
        with_it = np.where(groups == NONE, 0, with_it)
        valid = there & (members > 0)
        share[valid] += with_it[valid] / members[valid]
        counted[valid] += 1
    return np.where(counted > 0, share / np.maximum(counted, 1), np.nan)
