"""Fitting the networks among the heads, with the best weights chosen by validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.progress import Steps
from ..train.config import OptimiserConfig
from ..train.in_parts import Found, in_one_piece
from ..train.optimise import optimise_steps
from .networks import AttentionHead, BilinearHead, make_network
from .neuron_frames import NeuronFrames
from .samples import Samples
from .scores import class_weights
from .target import Target

FRAMES_PER_TRIAL = 6
FRAMES_PER_STEP = 96
FRAMES_AT_ONCE = 128
VALIDATE_EVERY = 20
LEAST_NEURON_SHARE = 0.5
OPTIMISER = OptimiserConfig(
    steps=300,
    learning_rate=2e-3,
    final_learning_rate=1e-4,
    weight_decay=5e-2,
    average_decay=0.9,
    patience=6,
)


@dataclass(frozen=True, eq=False)
class Examples:
    """Samples of one recording that a network is fitted to or checked on.

    Parameters
    ----------
    neurons : NeuronFrames
    frames : Tensor of int64, (samples, frames of a sample)
        Frames whose outputs are averaged.
    outputs : Tensor, (samples, outputs)
        What they should be.
    weights : Tensor, (samples,)
        How much each sample counts.
    """

    neurons: NeuronFrames
    frames: Tensor
    outputs: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls, neurons: NeuronFrames, samples: Samples, target: Target, chosen: np.ndarray
    ) -> "Examples":
        """Take the chosen samples of a recording."""
        outputs = target.outputs(samples.number[chosen])
        return cls(
            neurons,
            sample_frames(samples, chosen),
            torch.as_tensor(outputs, dtype=torch.float32),
            torch.as_tensor(class_weights(target, outputs), dtype=torch.float32),
        )


def sample_frames(samples: Samples, chosen: np.ndarray) -> Tensor:
    """Frames that stand for each sample: its own, or some evenly spaced ones of a trial."""
    first, last = samples.start_frame[chosen], samples.stop_frame[chosen] - 1
    n_frames = 1 if samples.per == "frame" else FRAMES_PER_TRIAL
    share = (np.arange(n_frames) + 0.5) / n_frames
    found = first[:, None] + np.floor(share * (last - first + 1)[:, None]).astype(np.int64)
    return torch.as_tensor(found)


@dataclass(frozen=True, eq=False)
class FittedNetworks:
    """Fitted heads whose outputs are averaged, and the scale of what they say.

    Parameters
    ----------
    networks : list of BilinearHead or AttentionHead
    middle, scale : Tensor, (outputs,)
        Outputs are ``network * scale + middle``; 0 and 1 for classes, whose outputs are
        logits.
    """

    networks: Sequence[BilinearHead | AttentionHead]
    middle: Tensor
    scale: Tensor

    @torch.no_grad()
    def outputs(self, neurons: NeuronFrames, frames: Tensor) -> np.ndarray:
        """What the heads say of samples (samples, frames of each), (samples, outputs)."""
        parts = []
        for some in frames.split(max(1, FRAMES_AT_ONCE // frames.shape[1])):
            said = sum(_read(network, neurons, some) for network in self.networks)
            parts.append((said / len(self.networks) * self.scale + self.middle).numpy())
        found: np.ndarray = np.concatenate(parts).astype(np.float64)
        return found

    def neuron_weights(self, neurons: NeuronFrames, frames: Tensor) -> np.ndarray:
        """How much each neuron counts, (neurons,), summing to 1.

        Deviation of what it adds to the outputs, or the mean attention it gets.
        """
        flat = frames.flatten()
        some = flat[:: max(1, len(flat) // FRAMES_AT_ONCE)]
        found = torch.stack([each.neuron_weights(neurons, some) for each in self.networks])
        shares = found / found.sum(1, keepdim=True).clamp(min=1e-12)
        weights: np.ndarray = shares.mean(0).numpy()
        return weights


def _read(
    network: BilinearHead | AttentionHead,
    neurons: NeuronFrames,
    frames: Tensor,
    some_neurons: Tensor | None = None,
) -> Tensor:
    """Mean output over the frames of each sample, (samples, outputs)."""
    said = network(neurons, frames.flatten(), some_neurons)
    mean: Tensor = said.unflatten(0, frames.shape).mean(1)
    return mean


def fit_network_steps(
    head: str,
    target: Target,
    training: Sequence[Examples],
    validation: Sequence[Examples],
    *,
    seed: int,
) -> Steps[FittedNetworks]:
    """Fit a head to one or several recordings.

    Every step takes samples of one recording, classes weighed alike; attention sees a random
    part of the neurons. The weights kept are those with the smallest validation loss.

    Parameters
    ----------
    head : {"bilinear", "attention"}
        Only attention can be fitted to several recordings.
    target : Target
        Its kind and number of outputs; values come with the examples.
    training, validation : sequence of Examples
    """
    outputs = torch.cat([each.outputs for each in training])
    is_classes = target.kind == "classes"
    middle = torch.zeros(target.n_outputs) if is_classes else outputs.mean(0)
    scale = torch.ones(target.n_outputs)
    if target.kind == "continuous":
        scale = outputs.std(0).clamp(min=1e-12)
    neurons = training[0].neurons
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make_network(head, neurons.n_neurons, neurons.width, target.n_outputs)
    n_frames = training[0].frames.shape[1]
    per_step = max(8, FRAMES_PER_STEP // n_frames)

    def loss_on(
        examples: Examples, chosen: Tensor, some_neurons: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Sum of the weighted losses, and of the weights."""
        said = _read(network, examples.neurons, examples.frames[chosen], some_neurons)
        wanted, weights = examples.outputs[chosen], examples.weights[chosen]
        if is_classes:
            lost = F.cross_entropy(said, wanted, reduction="none")
        else:
            lost = ((said - (wanted - middle) / scale) ** 2).sum(1)
        return (lost * weights).sum(), weights.sum()

    def loss_of(rng: np.random.Generator, _step: int) -> Found:
        examples = training[int(rng.integers(len(training)))]
        n_samples = len(examples.frames)
        chosen = torch.as_tensor(rng.permutation(n_samples)[:per_step])
        some_neurons = None
        if isinstance(network, AttentionHead):
            n_neurons = examples.neurons.n_neurons
            n_kept = max(1, round(rng.uniform(LEAST_NEURON_SHARE, 1) * n_neurons))
            some_neurons = torch.as_tensor(rng.permutation(n_neurons)[:n_kept])
        lost, weight = loss_on(examples, chosen, some_neurons)
        return lost / weight.clamp(min=1e-6), {}

    @torch.no_grad()
    def validate() -> dict[str, float]:
        lost, weight = 0.0, 0.0
        for examples in validation:
            # Evenly spaced samples say the same of slow behaviour as all of them.
            every = max(1, len(examples.frames) // (4 * FRAMES_PER_STEP))
            chosen = torch.arange(0, len(examples.frames), every)
            for some in chosen.split(max(1, FRAMES_AT_ONCE // n_frames)):
                part, weights = loss_on(examples, some)
                lost, weight = lost + float(part), weight + float(weights)
        return {"validation_loss": lost / max(weight, 1e-12)}

    yield from optimise_steps(
        nn.ModuleDict({"head": network}),
        OPTIMISER,
        in_one_piece(loss_of),
        stage="Fitting the decoder",
        seed=seed,
        validate=validate,
        validate_every=VALIDATE_EVERY,
    )
    return FittedNetworks([network.requires_grad_(False).eval()], middle, scale)


def averaged(members: Sequence[FittedNetworks]) -> FittedNetworks:
    """Put heads that were fitted to the same kind of outputs together."""
    return FittedNetworks(
        [network for member in members for network in member.networks],
        torch.stack([member.middle for member in members]).mean(0),
        torch.stack([member.scale for member in members]).mean(0),
    )
