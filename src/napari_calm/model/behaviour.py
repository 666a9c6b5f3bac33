"""The low-rank bilinear head that reads behaviour from hidden states."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import BehaviourConfig


class BehaviourHead(nn.Module):
    """Per-neuron gated features, summed over neurons with fitted read-out weights.

    1. value and gate: hidden states projected to (channel x sub-frame, rank).
    2. value * GELU(gate), weighted by the neuron's read-out row, summed over neurons.
    3. A depth-wise smoother of `smoother_taps` frames, initialised to the identity. It is
       centred: an output looks `smoother_taps // 2` frames ahead.

    Source: behaviour head of Xu et al. 2026 (arXiv 2604.04958).
    """

    def __init__(self, config: BehaviourConfig, n_neurons: int, width: int) -> None:
        super().__init__()
        self.config = c = config
        n_outputs = c.n_channels * c.frames_per_token
        self.value_proj = nn.Parameter(0.02 * torch.randn(n_outputs, c.rank, width))
        self.gate_proj = nn.Parameter(0.02 * torch.randn(n_outputs, c.rank, width))
        self.neuron_readout = nn.Parameter(0.02 * torch.randn(n_outputs, n_neurons, c.rank))
        self.bias = nn.Parameter(torch.zeros(n_outputs))
        self.dropout = nn.Dropout(c.dropout)
        self.smoother = nn.Conv1d(
            c.n_channels,
            c.n_channels,
            c.smoother_taps,
            padding=c.smoother_taps // 2,
            groups=c.n_channels,
        )
        nn.init.dirac_(self.smoother.weight, groups=c.n_channels)
        nn.init.zeros_(self.smoother.bias)  # type: ignore[arg-type]

    def forward(
        self, hidden: Tensor, neuron_ids: Tensor, lengths_tokens: Tensor | None = None
    ) -> Tensor:
        """Behaviour of every frame.

        Parameters
        ----------
        hidden : Tensor, (batch, neurons, tokens, width)
            Final hidden states of the frozen dynamics.
        neuron_ids : Tensor of int64, (batch, neurons)
            Rows of the read-out table.
        lengths_tokens : Tensor of int64, (batch,), optional
            Valid tokens of each trial. Later outputs are zeroed before the smoother, so
            that a short trial does not depend on the padding of its batch.

        Returns
        -------
        Tensor, (batch, channels, tokens * frames_per_token)
        """
        value = torch.einsum("bntd,ord->bntor", hidden, self.value_proj)
        gate = torch.einsum("bntd,ord->bntor", hidden, self.gate_proj)
        features = self.dropout(value * F.gelu(gate))
        readout = self.neuron_readout[:, neuron_ids]  # (outputs, batch, neurons, rank)
        y = torch.einsum("bntor,obnr->bot", features, readout) + self.bias[:, None]
        # Output o is channel * frames_per_token + sub-frame.
        y = y.unflatten(1, (self.config.n_channels, self.config.frames_per_token))
        y = y.transpose(2, 3).flatten(2)
        if lengths_tokens is not None:
            frame = torch.arange(y.shape[2], device=y.device)
            valid = frame < (lengths_tokens * self.config.frames_per_token)[:, None]
            y = y * valid[:, None]
        smoothed: Tensor = self.smoother(y)
        return smoothed


def behaviour_loss(predicted: Tensor, target: Tensor, lengths_frames: Tensor) -> Tensor:
    """Squared error summed over channels, mean over valid frames.

    Parameters
    ----------
    predicted, target : Tensor, (batch, channels, frames)
    lengths_frames : Tensor of int64, (batch,)
    """
    frame = torch.arange(target.shape[2], device=target.device)
    valid = frame < lengths_frames[:, None]
    error = ((predicted - target) ** 2).sum(1)
    return error[valid].sum() / valid.sum()
