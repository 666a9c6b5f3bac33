"""One training set, one head: fitted, and what it and its references say of all samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..core.progress import Progress, Steps, retold
from .blend import Blend, fit_blend_steps, null_outputs, probabilities
from .network_fit import (
    Examples,
    FittedNetworks,
    averaged,
    fit_network_steps,
    sample_frames,
)
from .neuron_frames import NeuronFrames
from .null import null_problems
from .options import PARTS, PARTS_OF_THE_MODEL, options_for
from .pooled import PooledReadout, fit_pooled_steps
from .problem import Problem
from .reference import fit_reference_steps
from .scores import score
from .settings import Settings

N_NETWORKS = 2
PARTS_OF_THE_TRACES = tuple(part for part in PARTS if part not in PARTS_OF_THE_MODEL)


@dataclass(frozen=True, eq=False)
class Fold:
    """What was fitted to some samples.

    Parameters
    ----------
    outputs : numpy.ndarray, (samples, outputs)
        What the head says of all samples; probabilities for classes.
    reference : numpy.ndarray, (samples, outputs)
        The same of ridge or logistic regression on lagged traces.
    without_model : numpy.ndarray, (samples, outputs), optional
        The same of the blend's parts that know no hidden state.
    blend : Blend
    networks : FittedNetworks or PooledReadout, optional
        The head, where it reads neurons one by one.
    """

    outputs: np.ndarray
    reference: np.ndarray
    without_model: np.ndarray | None
    blend: Blend
    networks: FittedNetworks | PooledReadout | None = None


def fit_fold_steps(problem: Problem, train: np.ndarray, settings: Settings) -> Steps[Fold]:
    """Fit the head and the reference to training samples.

    All that is chosen or estimated (lags, penalties, scales, components, weights, the best
    step of a network) comes from the training samples.
    """
    parts = {
        "blend": PARTS,
        "linear": ("traces", "states"),
    }.get(settings.head, ("traces",))
    options = options_for(
        problem.samples.per,
        problem.inputs.traces.shape[1],
        len(problem.samples),
        with_states=problem.inputs.coordinates is not None,
        parts=parts,
    )
    blend = yield from fit_blend_steps(problem, train, options)
    reference = yield from fit_reference_steps(problem, train, blend)
    networks: FittedNetworks | PooledReadout
    if settings.head in ("bilinear", "attention", "pooled"):
        neurons = neuron_frames(problem, train)
        if settings.head == "pooled":
            networks = yield from _pooled_steps(problem, train, neurons)
        else:
            networks = yield from fit_networks_steps(problem, train, settings, neurons)
        frames = sample_frames(problem.samples, problem.everything)
        outputs = said(problem, networks.outputs(neurons, frames))
        return Fold(outputs, reference.outputs, None, blend, networks)
    without_model = None
    if settings.head == "linear":
        blend = blend.with_parts(problem, train, ("states",))
    else:
        fewer = blend.with_parts(problem, train, PARTS_OF_THE_TRACES)
        without_model = blend_says(fewer, problem)
    return Fold(blend_says(blend, problem), reference.outputs, without_model, blend)


def blend_says(blend: Blend, problem: Problem) -> np.ndarray:
    """What a blend says of all samples, (samples, outputs); probabilities for classes."""
    outputs = blend.outputs(problem.inputs, problem.samples)
    return probabilities(outputs, blend.slope) if problem.target.kind == "classes" else outputs


def said(problem: Problem, outputs: np.ndarray) -> np.ndarray:
    """Outputs of networks, as probabilities where they are classes."""
    if problem.target.kind != "classes":
        return outputs
    found: np.ndarray = softmax(outputs, axis=1)
    return found


def neuron_frames(problem: Problem, train: np.ndarray) -> NeuronFrames:
    """What networks look at, its statistics from the training samples."""
    assert problem.inputs.coordinates is not None
    return NeuronFrames.of(
        problem.inputs.coordinates.states,
        problem.inputs.traces,
        problem.samples.frames(train),
    )


def fit_networks_steps(
    problem: Problem, train: np.ndarray, settings: Settings, neurons: NeuronFrames
) -> Steps[FittedNetworks]:
    """Fit networks, each with another part of the training samples to find its best step."""
    members = []
    splits = problem.inner_splits(train)[:N_NETWORKS]
    for number, (inner, validation) in enumerate(splits):
        examples = [
            [Examples.of(neurons, problem.samples, problem.target, chosen)]
            for chosen in (inner, validation)
        ]
        members.append(
            (
                yield from retold(
                    fit_network_steps(
                        settings.head, problem.target, *examples, seed=settings.seed + number
                    ),
                    part_of(number, len(splits)),
                )
            )
        )
    return averaged(members)


def _pooled_steps(
    problem: Problem, train: np.ndarray, neurons: NeuronFrames
) -> Steps[PooledReadout]:
    position = {int(sample): place for place, sample in enumerate(train)}
    splits = [
        tuple(np.array([position[int(sample)] for sample in part]) for part in split)
        for split in problem.inner_splits(train)
    ]
    taken = [(neurons, problem.samples, problem.target, train)]
    return (
        yield from fit_pooled_steps(
            problem.target, taken, [(inner, test) for inner, test in splits]
        )
    )


def null_scores_steps(
    problem: Problem,
    folds: Sequence[Fold],
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
) -> Steps[NDArray[np.float64]]:
    """Mean score over the folds for each shifted copy of the behaviour, (shifts,).

    Linear heads are fitted to every copy anew. Networks are not; what they said is compared
    with the shifted behaviour.
    """
    others = null_problems(problem, settings.shifts, seed=settings.seed)
    found: NDArray[np.float64] = np.zeros((len(folds), len(others)))
    for number, (fold, (train, test)) in enumerate(zip(folds, splits, strict=True)):
        outputs: list[np.ndarray] = [fold.outputs] * len(others)
        if fold.networks is None and others:
            outputs = yield from retold(
                null_outputs(fold.blend, problem, train, others), part_of(number, len(folds))
            )
        for place, (other, each) in enumerate(zip(others, outputs, strict=True)):
            found[number, place] = score(problem.target, other.truth(test), each[test])
    mean: NDArray[np.float64] = found.mean(axis=0)
    return mean


def part_of(number: int, n_parts: int) -> Callable[[Progress], Progress]:
    """Retell the progress of one of several equal parts as that of the whole."""

    def tell(progress: Progress) -> Progress:
        done = round(1000 * (number + progress.fraction))
        return Progress(done, 1000 * n_parts, progress.stage)

    return tell
