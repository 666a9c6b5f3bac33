"""The default head: linear readouts of several views, weighed by what each is worth."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar, nnls
from scipy.special import log_softmax, softmax
from sklearn.linear_model import Ridge

from ..core.progress import Progress, Steps
from .options import Design, Option, make_design
from .problem import Problem
from .readout import Readout
from .ridge_path import PENALTIES, RidgePath
from .samples import Samples
from .scores import balanced_accuracy, class_weights
from .views import Inputs, Series, TraceUnits, Views, products_of

# Keeps the weights of parts that say the same from being anything.
LEAST_STACK_PENALTY = 1e-3
SLOPES = (0.1, 100.0)


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the inner folds of a training set decided for one part.

    Parameters
    ----------
    option : Option
    penalty : float
        Of the ridge regression, in units of the design's variance.
    held_out : numpy.ndarray, (training samples, outputs)
        What the part says of the training samples when they are held out.
    """

    option: Option
    penalty: float
    held_out: np.ndarray


@dataclass(frozen=True, eq=False)
class Blend:
    """Fitted readouts and how much each counts.

    Parameters
    ----------
    readouts : dict of Readout
        By part.
    chosen : dict of Chosen
        By part.
    shares : dict of float
        Weight of each part, 0 or more.
    middle : numpy.ndarray, (outputs,)
        Mean output, from which parts say how far it is.
    slope : float
        Turns outputs of classes into probabilities.
    units : TraceUnits
        Of the traces.
    products : Series, optional
        Components of the traces whose products are read.
    """

    readouts: dict[str, Readout]
    chosen: dict[str, Chosen]
    shares: dict[str, float]
    middle: np.ndarray
    slope: float
    units: TraceUnits
    products: Series | None

    def outputs(self, inputs: Inputs, samples: Samples) -> np.ndarray:
        """What the head says of samples, (samples, outputs)."""
        found = np.broadcast_to(self.middle, (len(samples), self.middle.size)).copy()
        for part, share in self.shares.items():
            if share > 0:
                found += share * (self.part_outputs(part, inputs, samples) - self.middle)
        return found

    def part_outputs(self, part: str, inputs: Inputs, samples: Samples) -> np.ndarray:
        """What one part says by itself, (samples, outputs)."""
        readout = self.readouts[part]
        if readout.source == "coordinates":
            assert inputs.coordinates is not None
            return readout.outputs(inputs.coordinates.values, samples)
        traces = self.units.apply(inputs.traces)
        if readout.source == "traces":
            return readout.outputs(traces, samples)
        assert self.products is not None
        assert self.products.back is not None
        components = (traces - self.products.centre) @ self.products.back
        return readout.outputs(products_of(components), samples)

    def with_parts(
        self, problem: Problem, train: np.ndarray, parts: tuple[str, ...]
    ) -> "Blend":
        """Return the same readouts weighed anew, as if there were only these parts."""
        kept = {part: self.chosen[part] for part in parts if part in self.chosen}
        shares, slope = weigh(problem, train, kept)
        return replace(
            self, shares={part: shares.get(part, 0.0) for part in self.shares}, slope=slope
        )


def probabilities(outputs: np.ndarray, slope: float) -> np.ndarray:
    """Probabilities of the classes if all were equally frequent, (samples, classes)."""
    found: np.ndarray = softmax(slope * outputs, axis=1)
    return found


def fit_blend_steps(
    problem: Problem, train: np.ndarray, options: dict[str, list[Option]]
) -> Steps[Blend]:
    """Fit a blend to training samples.

    1. Every part (lagged traces, their history, products of their components, hidden states,
       their history) is a ridge regression, to numbers, unit vectors or class indicators in
       which all classes count alike. Lags and penalty are those that do best on inner folds.
    2. What the parts said of held-out inner folds is regressed on, with no negative weight:
       a part that adds nothing gets none (stacking; Breiman, Machine Learning 24, 1996).
    3. The parts are fitted to all training samples.
    """
    splits = problem.inner_splits(train)
    n_steps = (len(splits) + 1) * sum(map(len, options.values()))
    done = 0
    position = {int(sample): place for place, sample in enumerate(train)}
    outputs = problem.outputs(problem.everything)
    held_out = {
        option: np.empty((PENALTIES.size, train.size, outputs.shape[1]), np.float32)
        for each in options.values()
        for option in each
    }
    for inner, test in splits:
        views = _views(problem, inner)
        weights = class_weights(problem.target, outputs[inner])
        places = np.array([position[int(sample)] for sample in test])
        for option, found in held_out.items():
            features = make_design(option, views, problem.samples, inner).features
            path = RidgePath(features[inner], weights)
            found[:, places] = path.predictions(outputs[inner], features[test], PENALTIES)
            done += 1
            yield Progress(done, n_steps, "Choosing lags and penalties")
    chosen = {part: _choose(problem, train, each, held_out) for part, each in options.items()}
    del held_out
    shares, slope = weigh(problem, train, chosen)
    views = _views(problem, train)
    weights = class_weights(problem.target, outputs[train])
    readouts = {}
    for part, choice in chosen.items():
        design = make_design(choice.option, views, problem.samples, train)
        path = RidgePath(design.features[train], weights)
        fitted = path.coefficients(outputs[train], choice.penalty)
        readouts[part] = Readout.of(choice.option, design, *fitted)
        done = min(done + len(options[part]), n_steps)
        yield Progress(done, n_steps, "Fitting the readouts")
    return Blend(
        readouts=readouts,
        chosen=chosen,
        shares=shares,
        middle=weights @ outputs[train] / weights.sum(),
        slope=slope,
        units=views.units,
        products=views.product_components if "products" in readouts else None,
    )


def weigh(
    problem: Problem, train: np.ndarray, chosen: dict[str, Chosen]
) -> tuple[dict[str, float], float]:
    """Find how much each part counts, and the slope of the probabilities."""
    outputs = problem.outputs(train)
    weights = class_weights(problem.target, outputs)
    middle = weights @ outputs / weights.sum()
    root = np.sqrt(weights)[:, None]
    said = [((choice.held_out - middle) * root).ravel() for choice in chosen.values()]
    design = np.stack(said, axis=1)
    wanted = ((outputs - middle) * root).ravel()
    size = LEAST_STACK_PENALTY * np.sqrt((design**2).sum() / len(said))
    shares, _ = nnls(
        np.concatenate([design, size * np.eye(len(said))]),
        np.concatenate([wanted, np.zeros(len(said))]),
    )
    found = dict(zip(chosen, map(float, shares), strict=True))
    if problem.target.kind != "classes":
        return found, 1.0
    together = middle + sum(
        share * (choice.held_out - middle)
        for share, choice in zip(shares, chosen.values(), strict=True)
    )

    def loss(log_slope: float) -> float:
        logs = log_softmax(np.exp(log_slope) * together, axis=1)
        return float(-(weights * (logs * outputs).sum(axis=1)).sum())

    best = minimize_scalar(loss, bounds=tuple(np.log(SLOPES)), method="bounded")
    return found, float(np.exp(best.x))


def null_outputs(
    blend: Blend, problem: Problem, train: np.ndarray, others: list[Problem]
) -> Steps[list[np.ndarray]]:
    """Fit the same readouts to other targets, everything else as it was chosen.

    Parameters
    ----------
    others : list of Problem
        The problem with its target shifted or shuffled.

    Returns
    -------
    list of numpy.ndarray, (samples, outputs)
        What each of them says of all samples.
    """
    views = _views(problem, train)
    fitted = [other.outputs(train) for other in others]
    weights = [class_weights(problem.target, outputs) for outputs in fitted]
    middles = [
        each @ outputs / each.sum() for each, outputs in zip(weights, fitted, strict=True)
    ]
    found = [np.tile(middle, (len(problem.samples), 1)) for middle in middles]
    parts = [part for part, share in blend.shares.items() if share > 0]
    for number, part in enumerate(parts):
        choice, share = blend.chosen[part], blend.shares[part]
        design = make_design(choice.option, views, problem.samples, train)
        for place, read in enumerate(_refit(problem, design, train, choice, fitted, weights)):
            found[place] += share * (read - middles[place])
            done = number * len(others) + place + 1
            yield Progress(done, len(parts) * len(others), "Decoding shifted behaviour")
    return found


def _refit(
    problem: Problem,
    design: Design,
    train: np.ndarray,
    choice: Chosen,
    fitted: list[np.ndarray],
    weights: list[np.ndarray],
) -> "list[np.ndarray] | map[np.ndarray]":
    """Outputs of one part fitted to each of several targets, at its chosen penalty."""
    x = design.features
    if problem.target.kind != "classes":
        # All samples count alike whatever the target: one regression does for all.
        path = RidgePath(x[train], weights[0])
        together = path.coefficients(np.concatenate(fitted, axis=1), choice.penalty)
        read = x @ together[0] + together[1]
        return np.split(read, len(fitted), axis=1)
    if x.shape[1] > train.size:
        # A turn of the axes: the penalty does not notice, and there are fewer of them.
        x = RidgePath(x[train], np.ones(train.size)).turned(x)

    def fit(place: int) -> np.ndarray:
        ridge = Ridge(alpha=choice.penalty * train.size)
        ridge.fit(x[train], fitted[place], sample_weight=weights[place])
        return np.asarray(ridge.predict(x))

    return map(fit, range(len(fitted)))


def _views(problem: Problem, train: np.ndarray) -> Views:
    return Views(problem.inputs, problem.samples.frames(train), seed=problem.seed)


def _choose(
    problem: Problem,
    train: np.ndarray,
    options: list[Option],
    held_out: dict[Option, np.ndarray],
) -> Chosen:
    """The option and penalty that read held-out inner folds best."""
    truth, outputs = problem.truth(train), problem.outputs(train)
    weights = class_weights(problem.target, outputs)[:, None]
    spread = max(float((weights * (outputs - outputs.mean(axis=0)) ** 2).sum()), 1e-12)
    found = []
    for option in options:
        for place, said in enumerate(held_out[option]):
            missed = float((weights * (said - outputs) ** 2).sum()) / spread
            worth = -missed
            if problem.target.kind == "classes":
                # Equally accurate choices are told apart by how sure they are.
                worth = balanced_accuracy(truth, said.argmax(axis=1)) - 1e-3 * missed
            found.append((worth, -PENALTIES[place], option, said))
    _, penalty, option, said = max(found, key=lambda each: each[:2])
    return Chosen(option, -penalty, said.astype(np.float64))
