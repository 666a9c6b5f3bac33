"""How well a variable is read, and how sure one can be of a difference."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from sklearn.metrics import balanced_accuracy_score, r2_score

from .target import Target

LEVEL = 0.95
# Of chance that is called a finding.
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Interval:
    """A mean over folds or recordings and where it may lie (95 %)."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"


def measure_of(target: Target) -> str:
    """Name of the score of a variable of this kind."""
    return "balanced accuracy" if target.kind == "classes" else "R2"


def score(target: Target, truth: np.ndarray, outputs: np.ndarray) -> float:
    """Balanced accuracy of classes, R2 of numbers, R2 of the unit vectors of angles.

    Parameters
    ----------
    truth : numpy.ndarray, (samples,)
        Values of the target.
    outputs : numpy.ndarray, (samples, n_outputs)
        What a decoder says: the class with the largest output is its choice.
    """
    if target.kind == "classes":
        return balanced_accuracy(truth, outputs.argmax(axis=1))
    if target.kind == "circular":
        there = np.stack([np.cos(truth), np.sin(truth)], axis=1)
        return float(r2_score(there, outputs, multioutput="variance_weighted"))
    return float(r2_score(truth, outputs[:, 0]))


def balanced_accuracy(truth: np.ndarray, chosen: np.ndarray) -> float:
    """Mean over the classes that are there of the share that was told right."""
    with warnings.catch_warnings():
        # A fold may hold one class only, and a decoder choose another.
        warnings.filterwarnings("ignore", message="y_pred contains classes")
        warnings.filterwarnings("ignore", message="A single label was found")
        return float(balanced_accuracy_score(truth, chosen))


def further_scores(target: Target, truth: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """Other views on the same predictions: accuracy, correlation, angular error."""
    if target.kind == "classes":
        return {"accuracy": float((outputs.argmax(axis=1) == truth).mean())}
    if target.kind == "circular":
        angle = np.arctan2(outputs[:, 1], outputs[:, 0])
        error = np.abs(np.angle(np.exp(1j * (angle - truth))))
        return {"mean_angular_error_deg": float(np.rad2deg(error.mean()))}
    varies = outputs[:, 0].std() > 1e-12 and truth.std() > 1e-12
    pearson = np.corrcoef(outputs[:, 0], truth)[0, 1] if varies else 0.0
    return {"pearson_r": float(pearson)}


def over_folds(values: np.ndarray, test_share: float) -> Interval:
    """Mean over folds with an interval that counts the training data which folds share.

    Folds are no independent repetitions: most of what two of them are fitted to is the
    same. The variance of their mean is taken as s^2 (1/k + test/training), as Nadeau and
    Bengio propose (Machine Learning 52, 239-281, 2003), with Student's t.

    Parameters
    ----------
    values : numpy.ndarray, (folds,)
        A score, or the difference of two.
    test_share : float
        Test samples of a fold in relation to its training samples.
    """
    n_folds = values.size
    mean = float(values.mean())
    if n_folds < 2:
        return Interval(mean, float("-inf"), float("inf"))
    spread = np.sqrt(values.var(ddof=1) * (1 / n_folds + test_share))
    half = float(student.ppf(0.5 + LEVEL / 2, n_folds - 1) * spread)
    return Interval(mean, mean - half, mean + half)


def class_weights(target: Target, outputs: np.ndarray) -> np.ndarray:
    """Weights of samples that make all classes count alike, (samples,), mean 1.

    `outputs` are those of `Target.outputs`; samples of other kinds count alike anyway.
    """
    if target.kind != "classes":
        return np.ones(len(outputs))
    counts = outputs.sum(axis=0)
    of_class = np.divide(
        len(outputs) / max(int((counts > 0).sum()), 1),
        counts,
        out=np.zeros_like(counts),
        where=counts > 0,
    )
    weights: np.ndarray = outputs @ of_class
    return weights
