"""Multi-head attention with rotary positions, as both networks use it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROTARY_BASE = 10_000.0


def rotate(x: Tensor, first_position: int = 0) -> Tensor:
    """Turn interleaved pairs of features by an angle that grows with the position.

    Parameters
    ----------
    x : Tensor, (batch, heads, positions, features)
        Features 2i and 2i+1 form pair i, turned by position * 10000^(-2i/features).
    first_position : int
        Position of ``x[:, :, 0]``.

    Source: Su et al. 2021 (RoFormer), interleaved form.
    """
    n_positions, n_features = x.shape[-2:]
    # Angles in double precision: at position 2,000 single precision is off by 1e-4. The type
    # changes before the device, since not every device knows double precision.
    exponent = torch.arange(0, n_features, 2, dtype=torch.float64) / n_features
    position = torch.arange(first_position, first_position + n_positions, dtype=torch.float64)
    angle = position[:, None] * ROTARY_BASE**-exponent
    cos = angle.cos().to(x.dtype).to(x.device)
    sin = angle.sin().to(x.dtype).to(x.device)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class KeyValueCache:
    """Keys and values of the tokens already seen by one attention layer."""

    def __init__(self, max_positions: int) -> None:
        self.max_positions = max_positions
        self.length = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append (batch, heads, new, features) and return all keys and values so far."""
        if self._keys is None or self._values is None:
            batch, heads, _, features = keys.shape
            self._keys = keys.new_empty(batch, heads, self.max_positions, features)
            self._values = torch.empty_like(self._keys)
        end = self.length + keys.shape[2]
        self._keys[:, :, self.length : end] = keys
        self._values[:, :, self.length : end] = values
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]


class Attention(nn.Module):
    """Self-attention over the second axis of (batch, positions, width).

    Parameters
    ----------
    width, n_heads : int
        Model width and number of heads.
    bias : bool
        Whether the projections have biases.
    rotary : bool
        Whether queries and keys carry rotary positions.
    dropout : float
        On the attention probabilities, in training.
    """

    def __init__(
        self, width: int, n_heads: int, *, bias: bool, rotary: bool, dropout: float
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.rotary = rotary
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Attend; `mask` is True where a query may look, `causal` needs no mask.

        With a `cache`, `x` continues the positions that the cache holds.
        """
        batch, n_new, width = x.shape
        n_seen = 0 if cache is None else cache.length
        heads = self.qkv(x).view(batch, n_new, 3, self.n_heads, width // self.n_heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (batch, heads, new, features)
        if self.rotary:
            q, k = rotate(q, n_seen), rotate(k, n_seen)
        if cache is not None:
            k, v = cache.extend(k, v)
        if causal and n_seen:
            # torch aligns its causal mask to the first key; ours continues at n_seen.
            mask = torch.ones(n_new, k.shape[2], dtype=torch.bool, device=x.device).tril(n_seen)
            causal = False
        attended = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            is_causal=causal,
            dropout_p=self.dropout if self.training else 0.0,
        )
        y: Tensor = self.out(attended.transpose(1, 2).reshape(batch, n_new, width))
        return y


class FeedForward(nn.Module):
    """Two linear maps with an exact GELU between them."""

    def __init__(self, width: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=bias)
        self.down = nn.Linear(hidden, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., width) to (..., width)."""
        y: Tensor = self.down(F.gelu(self.up(x)))
        return y
