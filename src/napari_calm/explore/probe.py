"""What a straight line can read from the vectors of neurons it was not fitted to."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..core.errors import CalmError
from ..core.progress import Progress, Steps, run

FEWEST_PER_CLASS = 2
# Beyond so many dimensions a few hundred neurons determine nothing.
MOST_DIMENSIONS = 32


@dataclass(frozen=True, eq=False)
class Probe:
    """Score of a linear probe on held-out neurons beside shuffled labels.

    Parameters
    ----------
    score : float
        Balanced accuracy (classes) or R2 (numbers) over all held-out neurons together.
    measure : str
        "balanced accuracy" or "R2".
    null : numpy.ndarray, (shuffles,)
        The same after shuffling the labels, fitted anew each time.
    predicted : numpy.ndarray, (neurons,)
        What was said of each neuron while it was held out.
    classes : tuple of str
        Empty for numbers.
    """

    score: float
    measure: str
    null: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]

    @property
    def p_value(self) -> float:
        """Share of shuffles that score as high."""
        return float((1 + (self.null >= self.score - 1e-12).sum()) / (1 + len(self.null)))

    def verdict(self) -> str:
        """One sentence in plain words."""
        return (
            f"{self.measure} {self.score:.3f} on held-out neurons; {self.null.mean():.3f} with "
            f"shuffled labels (p = {self.p_value:.3f})."
        )


def probe_steps(
    vectors: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    shuffles: int = 100,
    seed: int = 0,
) -> Steps[Probe]:
    """`probe` as a generator of progress."""
    vectors, labels, is_class = _checked(vectors, labels)
    n_folds = _folds(labels, groups, folds, is_class)
    rng = np.random.default_rng(seed)

    def held_out(targets: np.ndarray) -> np.ndarray:
        """Predict every neuron by a model that was fitted on others."""
        predicted = np.empty(len(targets), targets.dtype)
        for fitted, tested in _splitter(n_folds, groups, is_class, seed).split(
            vectors, targets, groups
        ):
            model = _model(is_class, min(len(fitted) - 1, vectors.shape[1]))
            if is_class and np.unique(targets[fitted]).size < 2:
                predicted[tested] = targets[fitted][0]
                continue
            predicted[tested] = model.fit(vectors[fitted], targets[fitted]).predict(
                vectors[tested]
            )
        return predicted

    predicted = held_out(labels)
    null = []
    for number in range(shuffles):
        shuffled = _shuffled(labels, groups, rng)
        null.append(_score(shuffled, held_out(shuffled), is_class))
        yield Progress(number + 1, shuffles, "Probing held-out neurons")
    return Probe(
        score=_score(labels, predicted, is_class),
        measure="balanced accuracy" if is_class else "R2",
        null=np.array(null),
        predicted=predicted,
        classes=tuple(map(str, np.unique(labels))) if is_class else (),
    )


def probe(
    vectors: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    folds: int = 5,
    shuffles: int = 100,
    seed: int = 0,
) -> Probe:
    """Read labels of neurons (region, group, selectivity, animal) from their vectors.

    Logistic regression with balanced classes, or ridge regression, on z-scored vectors (at
    most 32 principal components); every neuron is predicted by a model fitted without it.

    Parameters
    ----------
    vectors : numpy.ndarray, (neurons, dimensions)
    labels : numpy.ndarray, (neurons,)
        Text, truth values or whole numbers are classes, other numbers are not.
    groups : numpy.ndarray, (neurons,), optional
        Neurons of one group (an animal) are held out together, and labels are shuffled
        within groups.
    folds, shuffles, seed : int

    Raises
    ------
    CalmError
        If lengths do not fit, a value is not finite, or there are fewer than two classes with
        two neurons each.
    """
    return run(
        probe_steps(vectors, labels, groups=groups, folds=folds, shuffles=shuffles, seed=seed)
    )


def _checked(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    vectors, labels = np.asarray(vectors, np.float64), np.asarray(labels)
    if vectors.ndim != 2 or labels.shape != (len(vectors),):
        raise CalmError(
            f"probe: found labels of shape {labels.shape} for vectors of shape "
            f"{vectors.shape}; expected one label a neuron."
        )
    if not np.isfinite(vectors).all():
        raise CalmError("probe: the vectors hold NaN or infinite values.")
    if labels.dtype.kind == "O":
        labels = labels.astype(str)
    is_class = labels.dtype.kind in "bUSiu"
    if not is_class and not np.isfinite(labels.astype(float)).all():
        raise CalmError("probe: the labels hold NaN; leave out neurons without a label.")
    if np.unique(labels).size < 2:
        raise CalmError("probe: all neurons have the same label; expected at least two.")
    if is_class:
        names, counts = np.unique(labels, return_counts=True)
        if counts.min() < FEWEST_PER_CLASS:
            rare = str(names[counts.argmin()])
            raise CalmError(
                f"probe: only {counts.min()} neuron is labelled {rare!r}; "
                f"expected at least {FEWEST_PER_CLASS} of each class. Leave rare ones out."
            )
    return vectors, labels, is_class


def _folds(labels: np.ndarray, groups: np.ndarray | None, folds: int, is_class: bool) -> int:
    most = len(labels)
    if is_class:
        most = int(np.unique(labels, return_counts=True)[1].min())
    if groups is not None:
        if np.shape(groups) != labels.shape:
            raise CalmError(
                f"probe: found groups of shape {np.shape(groups)} for {len(labels)} neurons."
            )
        most = np.unique(groups).size
    found = min(folds, most)
    if found < 2:
        raise CalmError(
            f"probe: {found} fold is possible; expected at least 2 groups, neurons and folds."
        )
    return found


def _splitter(
    folds: int, groups: np.ndarray | None, is_class: bool, seed: int
) -> StratifiedKFold | StratifiedGroupKFold | GroupKFold | KFold:
    if groups is not None:
        return StratifiedGroupKFold(folds) if is_class else GroupKFold(folds)
    kind = StratifiedKFold if is_class else KFold
    return kind(folds, shuffle=True, random_state=seed)


def _model(is_class: bool, most: int) -> BaseEstimator:
    reduce = PCA(min(MOST_DIMENSIONS, most), random_state=0)
    last = (
        LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
        if is_class
        else RidgeCV(np.geomspace(1e-2, 1e4, 13))
    )
    return make_pipeline(StandardScaler(), reduce, last)


def _score(labels: np.ndarray, predicted: np.ndarray, is_class: bool) -> float:
    # Over all held-out neurons together: folds of rare classes hold too few of them.
    return float((balanced_accuracy_score if is_class else r2_score)(labels, predicted))


def _shuffled(
    labels: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    if groups is None:
        return rng.permutation(labels)
    shuffled = labels.copy()
    for group in np.unique(groups):
        inside = np.flatnonzero(groups == group)
        shuffled[inside] = rng.permutation(labels[inside])
    return shuffled
