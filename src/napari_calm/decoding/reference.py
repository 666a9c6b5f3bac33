"""What costs nothing: ridge or logistic regression on lagged traces."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..core.progress import Progress, Steps
from .blend import Blend
from .options import Option, make_design
from .problem import Problem
from .ridge_path import RidgePath
from .scores import balanced_accuracy
from .views import Views

# Inverse penalties of features of unit variance.
STRENGTHS = 10.0 ** np.arange(-4.0, 0.1)


@dataclass(frozen=True, eq=False)
class Reference:
    """What the reference says, and what it looked at.

    Parameters
    ----------
    outputs : numpy.ndarray, (samples, outputs)
        For all samples.
    window : tuple of int
        Its lags in frames, or parts of a trial.
    penalty : float
    """

    outputs: np.ndarray
    window: tuple[int, ...]
    penalty: float


def fit_reference_steps(problem: Problem, train: np.ndarray, blend: Blend) -> Steps[Reference]:
    """Fit the reference to training samples.

    Numbers are read by ridge regression; it is the blend's own part on lagged traces, taken
    alone, so nothing is fitted again. Classes are read by logistic regression with classes
    weighed alike, its lags being those with which that part read the held-out inner folds
    best, its penalty chosen on these folds.

    Parameters
    ----------
    blend : Blend
        Fitted to the same training samples.
    """
    choice = blend.chosen["traces"]
    if problem.target.kind != "classes":
        outputs = blend.part_outputs("traces", problem.inputs, problem.samples)
        return Reference(outputs, choice.option.window, choice.penalty)
    splits = problem.inner_splits(train)
    worth = np.zeros(STRENGTHS.size)
    truth = problem.truth(problem.everything)
    for number, (inner, test) in enumerate(splits):
        for place, said in enumerate(
            _logistic_path(problem, choice.option, inner, test, STRENGTHS)
        ):
            worth[place] += balanced_accuracy(truth[test], said.argmax(axis=1))
            done = number * STRENGTHS.size + place + 1
            yield Progress(done, (len(splits) + 1) * STRENGTHS.size, "Fitting the reference")
    best = int(worth.argmax())
    # The path to the best strength starts each fit where the one before ended.
    *_, outputs = _logistic_path(
        problem, choice.option, train, problem.everything, STRENGTHS[: best + 1]
    )
    return Reference(outputs, choice.option.window, 1 / float(STRENGTHS[best]))


def _logistic_path(
    problem: Problem,
    option: Option,
    train: np.ndarray,
    test: np.ndarray,
    strengths: np.ndarray,
) -> "list[np.ndarray]":
    """Probabilities of the test samples at each strength, (test samples, classes) each."""
    views = Views(problem.inputs, problem.samples.frames(train), seed=problem.seed)
    features = make_design(option, views, problem.samples, train).features
    features = features * np.sqrt(features.shape[1])
    if features.shape[1] > train.size:
        # A turn of the axes: the penalty does not notice, and there are fewer of them.
        path = RidgePath(features[train], np.ones(train.size))
        features = path.turned(features)
    truth = problem.truth(train)
    if np.unique(truth).size == 1:
        only = np.zeros((test.size, problem.target.n_outputs))
        only[:, truth[0]] = 1.0
        return [only] * len(strengths)
    model = LogisticRegression(class_weight="balanced", warm_start=True, max_iter=300, tol=1e-3)
    found = []
    for strength in strengths:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # The penalty is chosen by what it reads, wherever the fit had got to.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features[train], truth)
        outputs = np.zeros((test.size, problem.target.n_outputs))
        outputs[:, model.classes_] = model.predict_proba(features[test])
        found.append(outputs)
    return found
