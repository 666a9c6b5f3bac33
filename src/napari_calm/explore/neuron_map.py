"""Neurons as points in a plane: PCA, UMAP, or LDA of labelled groups."""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ..core.errors import CalmError
from .neuron_embedding import NeuronEmbedding

UMAP_PIP = "pip install 'napari-calm[umap]'"
FEWEST_PER_GROUP = 4


@dataclass(frozen=True, eq=False)
class NeuronMap:
    """Two (or more) coordinates a neuron.

    Parameters
    ----------
    points : numpy.ndarray, (neurons, axes)
        NaN for neurons that the embedding left out.
    method : str
        "PCA", "UMAP" or "LDA".
    explained : numpy.ndarray, (axes,)
        Share of variance on each axis of PCA; of variance between groups for LDA; empty for
        UMAP, whose axes have no size.
    held_out : numpy.ndarray of bool, (neurons,)
        Neurons that an LDA was not fitted to; only they tell whether groups lie apart. All
        False for the others, which know no labels.
    score, null_score : float
        Balanced accuracy of the LDA on the held-out neurons, and its mean over fits to
        shuffled labels; NaN for the others.
    """

    points: np.ndarray
    method: str
    explained: np.ndarray
    held_out: np.ndarray
    score: float = float("nan")
    null_score: float = float("nan")


def pca_map(embedding: NeuronEmbedding, *, axes: int = 2) -> NeuronMap:
    """Turn the vectors to their axes of largest variance.

    Raises
    ------
    CalmError
        If there are fewer neurons or dimensions than axes.
    """
    # Imported late, as below: the window asks what there is before it needs scikit-learn.
    from sklearn.decomposition import PCA

    vectors = _checked(embedding, axes)
    pca = PCA(axes, random_state=0)
    points = _among_all(embedding, pca.fit_transform(vectors))
    return NeuronMap(points, "PCA", pca.explained_variance_ratio_, _none(embedding))


def umap_map(
    embedding: NeuronEmbedding, *, axes: int = 2, n_neighbours: int = 15, seed: int = 0
) -> NeuronMap:
    """Lay the neurons out by UMAP (McInnes et al. 2018); distances across it mean little.

    Raises
    ------
    CalmError
        If umap-learn is not installed, or there are too few neurons.
    """
    vectors = _checked(embedding, axes)
    if len(vectors) < axes + 3:
        raise CalmError(
            f"UMAP: {len(vectors)} neurons are too few; expected at least {axes + 3}."
        )
    check_umap()
    with warnings.catch_warnings():
        # It warns of a part without its own optional packages.
        warnings.simplefilter("ignore", ImportWarning)
        # Imported late: an optional extra that compiles for seconds.
        from umap import UMAP

    layout = UMAP(
        n_components=axes,
        n_neighbors=min(n_neighbours, len(vectors) - 1),
        random_state=seed,
        n_jobs=1,
        init="pca" if vectors.shape[1] >= axes else "random",
    )
    points = _among_all(embedding, np.asarray(layout.fit_transform(vectors), np.float64))
    return NeuronMap(points, "UMAP", np.empty(0), _none(embedding))


def check_umap() -> None:
    """Refuse where umap-learn is not installed.

    Raises
    ------
    CalmError
        Which says how to install it.
    """
    if find_spec("umap") is None:
        raise CalmError(
            f"UMAP needs the package umap-learn, which is not installed. {UMAP_PIP}, or take "
            "PCA."
        )


def lda_map(
    embedding: NeuronEmbedding,
    labels: np.ndarray,
    *,
    held_out_share: float = 0.5,
    shuffles: int = 100,
    seed: int = 0,
) -> NeuronMap:
    """Axes that set labelled groups apart, fitted to a part of the neurons, scored on the rest.

    Parameters
    ----------
    labels : numpy.ndarray, (neurons,)
        A group a neuron (region, cell type, cluster of another day).
    held_out_share : float
        Share of each group that the fit does not see.

    Raises
    ------
    CalmError
        If lengths do not fit, there is one group only, or one has fewer than 4 neurons.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedShuffleSplit

    labels = np.asarray(labels)
    vectors = _checked(embedding, 1)
    if not embedding.known.all():
        raise CalmError(
            f"LDA: {np.count_nonzero(~embedding.known)} neurons were left out of the "
            "embedding; embed all of them, or take a recording without them."
        )
    if labels.shape != (embedding.n_neurons,):
        raise CalmError(
            f"LDA: found labels of shape {labels.shape} for {embedding.n_neurons} neurons."
        )
    if labels.dtype.kind == "O":
        labels = labels.astype(str)
    names, counts = np.unique(labels, return_counts=True)
    if names.size < 2:
        raise CalmError(
            f"LDA: all neurons are labelled {str(names[0])!r}; expected at least two groups."
        )
    if counts.min() < FEWEST_PER_GROUP:
        rare = str(names[counts.argmin()])
        raise CalmError(
            f"LDA: the group {rare!r} has {counts.min()} neurons; expected at least "
            f"{FEWEST_PER_GROUP} of each."
        )
    split = StratifiedShuffleSplit(1, test_size=held_out_share, random_state=seed)
    fitted, tested = next(split.split(vectors, labels))

    def score_of(targets: np.ndarray) -> tuple[LinearDiscriminantAnalysis, float]:
        model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
        model.fit(vectors[fitted], targets[fitted])
        said = model.predict(vectors[tested])
        return model, float(balanced_accuracy_score(targets[tested], said))

    model, score = score_of(labels)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(shuffles):
        shuffled = labels.copy()
        # Within each part, so that every class stays in both.
        shuffled[fitted] = rng.permutation(labels[fitted])
        null.append(score_of(shuffled)[1])
    axes = min(2, names.size - 1, vectors.shape[1])
    held_out = _none(embedding)
    held_out[tested] = True
    return NeuronMap(
        points=model.transform(vectors)[:, :axes],
        method="LDA",
        explained=model.explained_variance_ratio_[:axes],
        held_out=held_out,
        score=score,
        null_score=float(np.mean(null)) if null else float("nan"),
    )


def _checked(embedding: NeuronEmbedding, axes: int) -> np.ndarray:
    known = embedding.vectors[embedding.known]
    n_neurons, dimensions = known.shape
    if axes < 1 or min(n_neurons, dimensions) < axes:
        raise CalmError(
            f"map: {axes} axes of {n_neurons} neurons x {dimensions} dimensions cannot be."
        )
    vectors: np.ndarray = known.astype(np.float64)
    if embedding.source in ("mean", "row"):
        from sklearn.preprocessing import StandardScaler

        # Hidden dimensions have no common unit.
        vectors = StandardScaler().fit_transform(vectors)
    return vectors


def _among_all(embedding: NeuronEmbedding, points: np.ndarray) -> np.ndarray:
    """Return points of all neurons; NaN for those left out."""
    whole = np.full((embedding.n_neurons, points.shape[1]), np.nan)
    whole[embedding.known] = points
    return whole


def _none(embedding: NeuronEmbedding) -> np.ndarray:
    return np.zeros(embedding.n_neurons, bool)
