"""The expectation and quantiles of every horizon, read from the hidden states at once."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..preprocess.continuation import N_CONTINUATIONS, N_SKILL_FEATURES
from ..preprocess.portrait import LEVEL, N_NEURON_FEATURES, N_PAIR_FEATURES
from .config import ForecastHeadConfig

MIX_GAIN = 6.0
# Scores of the continuations beside the 0 of the head's own forecast, before training.
FIRST_TRUST = -2.0
N_PORTRAIT = N_NEURON_FEATURES + N_SKILL_FEATURES
QUANTILE_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class HeadForecast(NamedTuple):
    """Mean (..., frames) and quantiles (..., frames, levels) in centred units."""

    mean: Tensor
    quantiles: Tensor


class ForecastHead(nn.Module):
    """A task head on the dynamics' hidden states.

    Sampling trajectories and averaging them converges slowly; this head gives the mean and
    the quantiles of the next frames in one pass. It sees

    1. the hidden state after the last token, which knows the past of all neurons as tokens,
    2. the last frames themselves, whose detail the tokens lose, by a linear skip whose
       weights depend on the neuron's portrait (see `preprocess.portrait`),
    3. the other neurons' hidden states and last frames, weighted by the correlations of the
       portrait: which neurons go together is known before anything is fitted, and
    4. how a linear system solved from this history would go on (see
       `preprocess.continuation`), and how well that did in it: what it learned from other
       animals is how far to trust such a continuation and what it misses.
    """

    stretch: Tensor

    def __init__(self, config: ForecastHeadConfig, width: int) -> None:
        super().__init__()
        self.config = c = config
        n_levels = len(QUANTILE_LEVELS)
        self.n_skip = c.recent_frames + 1  # the level of the context comes along
        self.recent_in = nn.Linear(self.n_skip, width)
        self.portrait_in = nn.Linear(N_PORTRAIT, width)
        self.continued_in = nn.Linear(N_CONTINUATIONS * c.horizon_frames, width)
        self.norm_pop = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.pair_bias = _small_net(N_PAIR_FEATURES, 16, c.n_heads)
        self.pair_mix = _small_net(N_PAIR_FEATURES, 16, c.n_heads)
        self.pop_out = nn.Linear(width + c.n_heads * self.n_skip, width)
        self.norm_out = nn.LayerNorm(width)
        self.trunk = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(c.dropout)
        )
        self.mean_out = nn.Linear(2 * width, c.horizon_frames)
        self.spread_out = nn.Linear(2 * width, c.horizon_frames * n_levels)
        self.skip = nn.Parameter(torch.zeros(c.horizon_frames, self.n_skip))
        self.skip_gate = _small_net(N_PORTRAIT, 64, c.horizon_frames * self.n_skip)
        self.trust_of_portrait = _small_net(N_PORTRAIT, 32, N_CONTINUATIONS * c.horizon_frames)
        self.trust_of_state = nn.Linear(2 * width, N_CONTINUATIONS * c.horizon_frames)
        self.dropout = nn.Dropout(c.dropout)
        # How much wider than learned the bands must be to hold what they say; see `calibrate`.
        self.register_buffer("stretch", torch.ones(c.horizon_frames, n_levels))
        with torch.no_grad():
            for last in (
                self.mean_out,
                self.spread_out,
                self.skip_gate[-1],
                self.trust_of_portrait[-1],
                self.trust_of_state,
            ):
                for parameter in last.parameters():
                    parameter.zero_()
            self.skip[:, -2] = 0.5  # starts half way between copying and the context's mean
            self.trust_of_state.bias.fill_(FIRST_TRUST)

    def forward(
        self,
        hidden: Tensor,
        recent: Tensor,
        portrait: Tensor,
        pairs: Tensor,
        continued: Tensor,
    ) -> HeadForecast:
        """Forecast the frames after each of some tokens.

        Parameters
        ----------
        hidden : Tensor, (batch, neurons, tokens, width)
            The dynamics' states after these tokens.
        recent : Tensor, (batch, neurons, tokens, recent_frames)
            The frames up to each token's end, in centred units.
        portrait : Tensor, (batch, neurons, N_PORTRAIT)
            Features of the neurons, then the skill of their continuations.
        pairs : Tensor, (batch, neurons, neurons, N_PAIR_FEATURES)
        continued : Tensor, (batch, neurons, tokens, N_CONTINUATIONS, horizon_frames)
            Linear continuations, in centred units.

        Returns
        -------
        HeadForecast
            (batch, neurons, tokens, horizon_frames) and the same with a last axis of levels.
        """
        batch, n_neurons, n_tokens, _ = hidden.shape
        c = self.config
        level = portrait[:, :, None, LEVEL, None].expand(-1, -1, n_tokens, 1)
        frames = torch.cat([recent, level], dim=-1)
        h = hidden + self.recent_in(frames) + self.portrait_in(portrait)[:, :, None]
        h = h + self.continued_in(continued.flatten(-2))
        h = h + self.dropout(self._population(h, frames, pairs))
        trunk = self.trunk(self.norm_out(h))
        gate = self.skip_gate(portrait).view(batch, n_neurons, c.horizon_frames, self.n_skip)
        own = self.mean_out(trunk) + frames @ (self.skip + gate).transpose(-1, -2)
        mean = self._mixed(own, continued, trunk, portrait)
        offsets = self.spread_out(trunk).unflatten(-1, (c.horizon_frames, -1))
        return HeadForecast(mean, self._quantiles(mean, offsets))

    def _population(self, h: Tensor, frames: Tensor, pairs: Tensor) -> Tensor:
        """What the other neurons add, (batch, neurons, tokens, width)."""
        batch, n_neurons, n_tokens, width = h.shape
        heads = self.config.n_heads
        bias = self.pair_bias(pairs).permute(0, 3, 1, 2).repeat_interleave(n_tokens, dim=0)
        q, k, v = (
            self.qkv(self.norm_pop(h))
            .transpose(1, 2)
            .reshape(batch * n_tokens, n_neurons, 3, heads, width // heads)
            .permute(2, 0, 3, 1, 4)
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        attended = attended.transpose(1, 2).reshape(batch, n_tokens, n_neurons, width)
        # A mean over neurons, so that larger populations do not speak louder.
        weights = self.pair_mix(pairs) * (MIX_GAIN / n_neurons)
        mixed = torch.einsum("bijk,bjtf->bitkf", weights, frames).flatten(-2)
        out: Tensor = self.pop_out(torch.cat([attended.transpose(1, 2), mixed], dim=-1))
        return out

    def _mixed(self, own: Tensor, continued: Tensor, trunk: Tensor, portrait: Tensor) -> Tensor:
        """Weigh the head's own forecast and the continuations, horizon by horizon."""
        scores = self.trust_of_state(trunk) + self.trust_of_portrait(portrait)[:, :, None]
        scores = F.pad(scores.unflatten(-1, continued.shape[-2:]), (0, 0, 1, 0))
        said = torch.cat([own[..., None, :], continued], dim=-2)
        mean: Tensor = (scores.softmax(-2) * said).sum(-2)
        return mean

    def _quantiles(self, mean: Tensor, offsets: Tensor) -> Tensor:
        """Quantiles that cannot cross: steps away from the median are positive."""
        median = mean.detach() + offsets[..., 2]
        steps = F.softplus(offsets)
        distances = torch.stack(
            [
                -(steps[..., 1] + steps[..., 0]),
                -steps[..., 1],
                torch.zeros_like(median),
                steps[..., 3],
                steps[..., 3] + steps[..., 4],
            ],
            dim=-1,
        )
        return median[..., None] + distances * self.stretch


def horizon_weights(n_frames: int, like: Tensor) -> Tensor:
    """Weight of each horizon in the loss, mean 1: nearer frames can be known better."""
    weights = (1 + torch.arange(n_frames, device=like.device, dtype=like.dtype) / 8) ** -0.5
    return weights / weights.mean()


def forecast_loss(
    forecast: HeadForecast, truth: Tensor, known: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """Squared error of the mean plus pinball loss of the quantiles, horizons weighted.

    Parameters
    ----------
    truth : Tensor, (batch, neurons, tokens, horizon_frames)
    known : Tensor of bool, (tokens, horizon_frames)
        Where the window holds a truth.
    """
    weights = horizon_weights(truth.shape[-1], truth) * known
    weights = weights / weights.sum() / (truth.shape[0] * truth.shape[1])
    squared = (((forecast.mean - truth) ** 2) * weights).sum()
    levels = torch.tensor(QUANTILE_LEVELS, device=truth.device, dtype=truth.dtype)
    error = truth[..., None] - forecast.quantiles
    pinball = torch.maximum(levels * error, (levels - 1) * error).sum(-1)
    pinball = (pinball * weights).sum()
    return squared + pinball, {"squared_error": squared.item(), "pinball": pinball.item()}


def _small_net(n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, n_hidden), nn.GELU(), nn.Linear(n_hidden, n_out))
