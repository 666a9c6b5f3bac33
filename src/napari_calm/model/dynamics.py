"""The dual-axis transformer: causal over time, bidirectional over neurons."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention, FeedForward, KeyValueCache
from .config import DynamicsConfig

UNKNOWN = -1


class DualAxisBlock(nn.Module):
    """Attention over time, attention over the population, feed-forward; all residual."""

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        c = config
        # Residual branches of a deep stack add up; this keeps their sum's size even.
        self.residual_scale = (3 * c.n_layers) ** -0.5
        self.norm_time = nn.LayerNorm(c.width)
        self.time_attn = Attention(
            c.width, c.n_heads, bias=False, rotary=True, dropout=c.attention_dropout
        )
        self.norm_pop = nn.LayerNorm(c.width)
        self.pop_attn = Attention(
            c.width, c.n_heads, bias=False, rotary=False, dropout=c.attention_dropout
        )
        self.norm_mlp = nn.LayerNorm(c.width)
        self.mlp = FeedForward(c.width, c.mlp_width, bias=False)
        self.dropout = nn.Dropout(c.dropout)

    def forward(self, x: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Map (batch, neurons, time, width) to the same shape."""
        batch, n_neurons, n_time, width = x.shape
        h = self.norm_time(x).reshape(batch * n_neurons, n_time, width)
        h = self.time_attn(h, causal=True, cache=cache).view_as(x)
        x = x + self.residual_scale * self.dropout(h)
        # One population a time step: (batch * time, neurons, width)
        h = self.norm_pop(x).transpose(1, 2).reshape(batch * n_time, n_neurons, width)
        h = self.pop_attn(h).view(batch, n_time, n_neurons, width).transpose(1, 2)
        x = x + self.residual_scale * self.dropout(h)
        y: Tensor = x + self.residual_scale * self.dropout(self.mlp(self.norm_mlp(x)))
        return y


class Dynamics(nn.Module):
    """The dual-axis transformer of CalM (Xu et al. 2026, arXiv 2604.04958).

    1. A token's vector, its neuron's row and its session's row are added.
    2. Blocks attend over time (causal, rotary positions), then over the neurons of the
       same time step, then apply a feed-forward net.
    3. The result, normalised, is compared with every token's vector: the logits of the
       next token.

    Padding at the end of a batch needs no mask: time attention is causal and population
    attention stays inside a time step, so valid steps never see it.

    Rows: neurons and sessions without a fitted row (id -1) share an unknown row.
    """

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.config = c = config
        self.token_embed = nn.Embedding(c.n_codes, c.width)
        self.neuron_embed = nn.Embedding(c.n_neurons, c.width)
        self.session_embed = nn.Embedding(c.n_sessions, c.width)
        self.unknown_neuron = nn.Parameter(torch.zeros(c.width))
        self.unknown_session = nn.Parameter(torch.zeros(c.width))
        self.time_embed = (
            nn.Embedding(c.time_embedding_rows, c.width) if c.time_embedding_rows else None
        )
        self.frames_in = (
            nn.Linear(c.frame_inputs, c.width, bias=False) if c.frame_inputs else None
        )
        self.dropout = nn.Dropout(c.embedding_dropout)
        self.blocks = nn.ModuleList(DualAxisBlock(c) for _ in range(c.n_layers))
        self.norm_out = nn.LayerNorm(c.width)
        self.apply(_initialise)

    def new_cache(self, max_tokens: int) -> list[KeyValueCache]:
        """Return an empty cache for roll-outs of up to `max_tokens` tokens."""
        return [KeyValueCache(max_tokens) for _ in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        neuron_ids: Tensor | None = None,
        session_ids: Tensor | None = None,
        *,
        frames: Tensor | None = None,
        use_session: bool = True,
        cache: list[KeyValueCache] | None = None,
    ) -> Tensor:
        """Hidden states after every token.

        Parameters
        ----------
        tokens : Tensor of int64, (batch, neurons, time)
            With a `cache`, the tokens that follow the ones it holds.
        neuron_ids : Tensor of int64, (batch, neurons), optional
            Embedding rows; -1 or no tensor = unknown.
        session_ids : Tensor of int64, (batch,), optional
            Embedding rows; -1 or no tensor = unknown.
        frames : Tensor, (batch, neurons, time, frame_inputs), optional
            The normalised frames of each token; only for models that take them.
        use_session : bool
            False leaves the session's vector out altogether.

        Returns
        -------
        Tensor, (batch, neurons, time, width)
        """
        n_seen = cache[0].length if cache else 0
        x = self.token_embed(tokens)
        x = (
            x
            + _rows(self.neuron_embed, self.unknown_neuron, neuron_ids, tokens.shape[:2])[
                :, :, None
            ]
        )
        if use_session:
            x = (
                x
                + _rows(
                    self.session_embed, self.unknown_session, session_ids, tokens.shape[:1]
                )[:, None, None]
            )
        if self.frames_in is not None and frames is not None:
            x = x + self.frames_in(frames)
        if self.time_embed is not None:
            x = x + self.time_embed.weight[n_seen : n_seen + tokens.shape[2]]
        x = self.dropout(x)
        for i, block in enumerate(self.blocks):
            x = block(x, cache[i] if cache else None)
        hidden: Tensor = self.norm_out(x)
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every code as the next token, (..., codes)."""
        return hidden @ self.token_embed.weight.T


def _rows(
    table: nn.Embedding, unknown: Tensor, ids: Tensor | None, shape: torch.Size
) -> Tensor:
    if ids is None or table.num_embeddings == 0:
        return unknown.expand(*shape, -1)
    rows = table(ids.clamp(min=0))
    return torch.where((ids < 0)[..., None], unknown, rows)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


def next_token_loss(logits: Tensor, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Mean negative log likelihood (nats) of each next token.

    Parameters
    ----------
    logits : Tensor, (batch, neurons, time - 1, codes)
        After every token but the last.
    tokens : Tensor of int64, (batch, neurons, time)
    lengths : Tensor of int64, (batch,), optional
        Valid tokens of each trial; targets beyond are left out.
    """
    loss = F.cross_entropy(logits.flatten(0, 2), tokens[:, :, 1:].flatten(), reduction="none")
    if lengths is None:
        return loss.mean()
    target_step = torch.arange(1, tokens.shape[2], device=tokens.device)
    valid = (target_step < lengths[:, None])[:, None].expand(-1, tokens.shape[1], -1)
    return loss.view(valid.shape)[valid].mean()
