"""A linear readout of population averages, in which no weight belongs to a certain neuron."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from ..core.progress import Progress, Steps
from .network_fit import sample_frames
from .neuron_frames import N_LOADINGS, NeuronFrames
from .samples import Samples, Split
from .scores import score
from .target import Target

# What neurons are averaged by: their loadings on the population's components, or all that
# their portrait says of them.
AVERAGES = ("loadings", "portrait")
# Inverse penalties, of features of unit variance.
STRENGTHS = 10.0 ** np.arange(-4.0, 1.1)
SOME_FRAMES = 400
# Logit of a class that the training samples lack.
_ABSENT = -30.0

Taken: TypeAlias = tuple[NeuronFrames, Samples, Target, np.ndarray]


@dataclass(frozen=True, eq=False)
class PooledReadout:
    """``outputs = averages @ weights + offset``.

    1. Each neuron's recent activity (over four time constants) is multiplied by what describes
       the neuron (its portrait) and averaged over all neurons of the recording.
    2. Averages are standardised within the recording, by its own mean and deviation.
    3. A linear readout gives numbers, unit vectors, or logits of classes.

    Parameters
    ----------
    average : {"loadings", "portrait"}
    weights : Tensor, (averages, outputs)
    offset : Tensor, (outputs,)
    """

    average: str
    weights: Tensor
    offset: Tensor

    def outputs(self, neurons: NeuronFrames, frames: Tensor) -> np.ndarray:
        """What is read from samples (samples, frames of each), (samples, outputs)."""
        found = averages(neurons, self.average, frames)
        said: np.ndarray = found @ self.weights.numpy() + self.offset.numpy()
        return said

    def neuron_weights(self, neurons: NeuronFrames, frames: Tensor) -> np.ndarray:
        """Deviation of what each neuron adds to the outputs, (neurons,), summing to 1."""
        flat = frames.flatten().numpy()
        some = flat[:: max(1, flat.size // SOME_FRAMES)]
        described, recent = _described(neurons, self.average), neurons.recent.numpy()
        _, deviation = _statistics(neurons, self.average)
        shape = (recent.shape[2], described.shape[1], -1)
        weights = (self.weights.numpy() / deviation[:, None]).reshape(shape)
        of_neuron = np.einsum("nj,kjo->nko", described, weights)
        added = np.einsum("fnk,nko->fno", recent[some], of_neuron)
        size = np.sqrt(added.var(axis=0).sum(axis=1))
        shares: np.ndarray = size / max(size.sum(), 1e-12)
        return shares


def averages(neurons: NeuronFrames, average: str, frames: Tensor) -> np.ndarray:
    """Standardised population averages of samples, (samples, averages)."""
    mean, deviation = _statistics(neurons, average)
    values = (_averaged(neurons, average) - mean) / deviation
    found: np.ndarray = values[frames.numpy()].mean(axis=1)
    return found


def fit_pooled_steps(
    target: Target,
    recordings: Sequence[Taken],
    splits: Sequence[Split],
) -> Steps[PooledReadout]:
    """Fit to samples of one or several recordings.

    Parameters
    ----------
    target : Target
        Its kind and classes.
    recordings : sequence of (NeuronFrames, Samples, Target, numpy.ndarray)
        Each with its variable and the samples that are taken.
    splits : sequence of (numpy.ndarray, numpy.ndarray)
        Of the taken samples of all recordings, one after the other: what to fit to and what
        to hold out, to choose averages and penalty by.
    """
    outputs = np.concatenate(
        [each.outputs(samples.number[taken]) for _, samples, each, taken in recordings]
    )
    truth = np.concatenate(
        [each.values[samples.number[taken]] for _, samples, each, taken in recordings]
    )
    features = {
        average: np.concatenate(
            [
                averages(neurons, average, sample_frames(samples, taken))
                for neurons, samples, _, taken in recordings
            ]
        )
        for average in AVERAGES
    }
    worth = {}
    n_fits = len(AVERAGES) * STRENGTHS.size
    for average in AVERAGES:
        for strength in STRENGTHS:
            found = []
            for train, test in splits:
                weights, offset = _fit(
                    target, features[average][train], outputs[train], strength
                )
                said = features[average][test] @ weights + offset
                found.append(score(target, truth[test], said))
            worth[average, strength] = float(np.mean(found))
            yield Progress(len(worth), n_fits, "Fitting the decoder")
    average, strength = max(worth, key=lambda choice: worth[choice])
    weights, offset = _fit(target, features[average], outputs, strength)
    return PooledReadout(average, torch.as_tensor(weights), torch.as_tensor(offset))


def _fit(
    target: Target, features: np.ndarray, outputs: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (features, outputs) and offset (outputs,)."""
    if target.kind != "classes":
        ridge = Ridge(alpha=1 / strength).fit(features, outputs)
        weights = np.asarray(ridge.coef_).reshape(outputs.shape[1], -1).T
        return weights, np.atleast_1d(np.asarray(ridge.intercept_, np.float64))
    codes = outputs.argmax(axis=1)
    weights = np.zeros((features.shape[1], outputs.shape[1]))
    offset = np.full(outputs.shape[1], _ABSENT)
    present = np.unique(codes)
    if present.size == 1:
        offset[present] = 0.0
        return weights, offset
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=500)
    model.fit(features, codes)
    if present.size == 2:
        weights[:, present[1]] = model.coef_[0]
        offset[present] = 0.0, model.intercept_[0]
    else:
        weights[:, present] = model.coef_.T
        offset[present] = model.intercept_
    return weights, offset


def _described(neurons: NeuronFrames, average: str) -> np.ndarray:
    portrait = neurons.portrait.numpy()
    if average == "loadings":
        return portrait[:, :N_LOADINGS]
    return np.concatenate([np.ones((len(portrait), 1), portrait.dtype), portrait], axis=1)


def _averaged(neurons: NeuronFrames, average: str) -> np.ndarray:
    """Sums over neurons of activity times description, (frames, averages)."""
    described = _described(neurons, average)
    found = np.einsum("fnk,nj->fkj", neurons.recent.numpy(), described, optimize=True)
    flat: np.ndarray = found.reshape(len(found), -1).astype(np.float64)
    return flat


def _statistics(neurons: NeuronFrames, average: str) -> tuple[np.ndarray, np.ndarray]:
    values = _averaged(neurons, average)[neurons.statistics_frames]
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0)
