"""The two networks among the heads: low-rank bilinear, and pooling by attention."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.behaviour import BehaviourHead
from ..model.config import BehaviourConfig
from .neuron_frames import N_LOADINGS, N_PORTRAIT, SMOOTHING_ALPHAS, NeuronFrames

# The past half of the release's nine.
TAPS = 5


class BilinearHead(nn.Module):
    """The release's low-rank bilinear head, frame by frame and causal.

    `model.behaviour.BehaviourHead` reads each frame of a sample's window by itself, so a
    sample depends on no other sample of its batch; a causal filter over the newest `TAPS`
    frames, at first the identity, takes the place of the centred one.

    Source: behaviour head of Xu et al. 2026 (arXiv 2604.04958).
    """

    def __init__(self, n_neurons: int, width: int, n_outputs: int, rank: int = 8) -> None:
        super().__init__()
        self.width = width
        config = BehaviourConfig(
            n_channels=n_outputs, frames_per_token=1, rank=rank, smoother_taps=1
        )
        self.head = BehaviourHead(config, n_neurons, width)
        smoother = torch.zeros(TAPS, n_outputs)
        smoother[-1] = 1.0
        self.smoother = nn.Parameter(smoother)

    def forward(
        self, neurons: NeuronFrames, frames: Tensor, _some_neurons: Tensor | None = None
    ) -> Tensor:
        """Outputs of frames (frames,), (frames, outputs)."""
        hidden = neurons.states(frames, TAPS)
        ids = torch.arange(neurons.n_neurons).expand(len(frames), -1)
        said = self.head(hidden.transpose(1, 2), ids).transpose(1, 2)
        smoothed: Tensor = (said * self.smoother).sum(1)
        return smoothed

    @torch.no_grad()
    def neuron_weights(self, neurons: NeuronFrames, frames: Tensor) -> Tensor:
        """Deviation over the frames of what each neuron adds to the outputs, (neurons,)."""
        hidden = neurons.states(frames, 1)[:, 0]
        value = torch.einsum("bnd,ord->bnor", hidden, self.head.value_proj)
        gate = torch.einsum("bnd,ord->bnor", hidden, self.head.gate_proj)
        added = torch.einsum("bnor,onr->bno", value * F.gelu(gate), self.head.neuron_readout)
        return added.std(0).square().sum(-1).sqrt()


class AttentionHead(nn.Module):
    """Pooling over neurons by attention: no weight belongs to a certain neuron.

    1. A neuron at a frame is described by a few directions of its hidden state, its recent
       activity, its portrait, and the products of activity and loadings.
    2. Each of `n_queries` learned queries attends over all neurons by that description and
       takes the mean of their values, which are read from it as well.
    3. The pooled values give the outputs.

    With even attention the products alone are the population's principal components; since
    neurons are known by what they do, the head can be used on animals that it was not
    fitted to, whatever their number of neurons.
    """

    def __init__(
        self,
        width: int,
        n_outputs: int,
        *,
        n_directions: int = 8,
        n_hidden: int = 16,
        n_queries: int = 8,
        n_values: int = 4,
    ) -> None:
        super().__init__()
        self.width, self.n_queries = width, n_queries
        n_recent = len(SMOOTHING_ALPHAS)
        n_features = n_directions + n_recent + N_PORTRAIT + n_recent * N_LOADINGS
        self.directions = nn.Linear(width, n_directions)
        self.key = nn.Sequential(
            nn.Linear(n_features, n_hidden),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(n_hidden, n_queries),
        )
        self.value = nn.Sequential(
            nn.Linear(n_features, n_hidden),
            nn.GELU(),
            nn.Linear(n_hidden, n_queries * n_values),
        )
        self.linear_value = nn.Linear(n_features, n_queries * n_values)
        self.read = nn.Sequential(
            nn.LayerNorm(n_queries * n_values),
            nn.Dropout(0.2),
            nn.Linear(n_queries * n_values, n_outputs),
        )

    def forward(
        self, neurons: NeuronFrames, frames: Tensor, some_neurons: Tensor | None = None
    ) -> Tensor:
        """Outputs of frames (frames,), (frames, outputs)."""
        described = self._describe(neurons, frames, some_neurons)
        attention = self.key(described).softmax(dim=1)
        values = self.value(described) + self.linear_value(described)
        values = values.unflatten(-1, (self.n_queries, -1))
        pooled = torch.einsum("bnq,bnqv->bqv", attention, values)
        outputs: Tensor = self.read(pooled.flatten(1))
        return outputs

    @torch.no_grad()
    def neuron_weights(self, neurons: NeuronFrames, frames: Tensor) -> Tensor:
        """Mean attention that each neuron gets, (neurons,)."""
        attention = self.key(self._describe(neurons, frames, None)).softmax(dim=1)
        mean: Tensor = attention.mean((0, 2))
        return mean

    def _describe(
        self, neurons: NeuronFrames, frames: Tensor, some_neurons: Tensor | None
    ) -> Tensor:
        """Description of neurons at frames, (frames, neurons, features)."""
        hidden, recent = neurons.hidden[frames], neurons.recent[frames]
        portrait = neurons.portrait
        if some_neurons is not None:
            hidden, recent = hidden[:, some_neurons], recent[:, some_neurons]
            portrait = portrait[some_neurons]
        products = recent[..., None] * portrait[:, None, :N_LOADINGS]
        return torch.cat(
            [
                self.directions(hidden.float()),
                recent,
                portrait.expand(len(frames), -1, -1),
                products.flatten(2),
            ],
            dim=-1,
        )


def make_network(
    head: str, n_neurons: int, width: int, n_outputs: int
) -> BilinearHead | AttentionHead:
    """Make a network of a kind, "bilinear" or "attention", with fresh weights."""
    if head == "attention":
        return AttentionHead(width, n_outputs)
    return BilinearHead(n_neurons, width, n_outputs)
