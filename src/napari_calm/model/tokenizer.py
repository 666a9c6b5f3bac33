"""The neural quantizer: four frames of one neuron become one of 128 codes, and back."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention, FeedForward
from .config import TokenizerConfig


class Patch(nn.Module):
    """Frames to latents: two strided convolutions."""

    def __init__(self, width: int, window: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, width // 2, 2, stride=2)
        self.conv2 = nn.Conv1d(width // 2, width, window // 2, stride=stride // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, frames) to (batch, tokens, width)."""
        y: Tensor = self.conv2(F.gelu(self.conv1(x[:, None])))
        return y.transpose(1, 2)


class Unpatch(nn.Module):
    """Latents to frames: the mirror image of `Patch`."""

    def __init__(self, width: int, window: int, stride: int) -> None:
        super().__init__()
        self.deconv1 = nn.ConvTranspose1d(width, width // 2, window // 2, stride=stride // 2)
        self.deconv2 = nn.ConvTranspose1d(width // 2, 1, 2, stride=2)

    def forward(self, z: Tensor) -> Tensor:
        """Map (batch, tokens, width) to (batch, frames)."""
        x: Tensor = self.deconv2(F.gelu(self.deconv1(z.transpose(1, 2))))
        return x[:, 0]


class Block(nn.Module):
    """Pre-norm attention over tokens, then a feed-forward net."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attn = nn.LayerNorm(width)
        self.attn = Attention(width, n_heads, bias=True, rotary=True, dropout=dropout)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = FeedForward(width, 4 * width, bias=True)

    def forward(self, h: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        h = h + self.attn(self.norm_attn(h), mask=mask, causal=causal)
        h = h + self.mlp(self.norm_mlp(h))
        return h


class Quantizer(nn.Module):
    """Nearest of a codebook's vectors; the codebook follows its latents as a moving average."""

    codebook: Tensor
    ema_count: Tensor
    ema_sum: Tensor

    def __init__(self, n_codes: int, width: int) -> None:
        super().__init__()
        self.register_buffer("codebook", torch.empty(n_codes, width).uniform_(-1, 1) / n_codes)
        self.register_buffer("ema_count", torch.zeros(n_codes))
        self.register_buffer("ema_sum", self.codebook.clone())

    def distances(self, z: Tensor) -> Tensor:
        """Squared distance of latents (..., width) to every code, (..., codes)."""
        # |z|^2 - 2 z.c + |c|^2: a matrix product instead of a (..., codes, width) difference.
        cross = z @ self.codebook.T
        squares = (z**2).sum(-1, keepdim=True) + (self.codebook**2).sum(-1)
        return squares - 2 * cross

    def forward(self, z: Tensor) -> Tensor:
        """Code number of each latent, (...,) of int64; the first of equally near ones."""
        return self.distances(z).argmin(-1)

    def lookup(self, tokens: Tensor) -> Tensor:
        """Code vectors of tokens (...), (..., width)."""
        return F.embedding(tokens, self.codebook)

    @torch.no_grad()
    def update(self, z: Tensor, tokens: Tensor, decay: float = 0.99, eps: float = 1e-5) -> None:
        """Move each code towards the mean of the latents (n, width) that chose it.

        Source: van den Oord et al. 2017, appendix A.1, with Laplace-smoothed counts.
        """
        n_codes = self.codebook.shape[0]
        one_hot = F.one_hot(tokens, n_codes).to(z)
        self.ema_count.mul_(decay).add_(one_hot.sum(0), alpha=1 - decay)
        self.ema_sum.mul_(decay).add_(one_hot.T @ z, alpha=1 - decay)
        total = self.ema_count.sum()
        count = (self.ema_count + eps) / (total + n_codes * eps) * total
        # A new tensor: the old one may still be part of this step's gradient.
        self.codebook = self.ema_sum / count.clamp(min=1e-6)[:, None]


class TokenizerOutput(NamedTuple):
    """What one pass through the tokenizer gives.

    reconstruction (batch, frames), latents (batch, tokens, width), quantised likewise,
    tokens (batch, tokens).
    """

    reconstruction: Tensor
    latents: Tensor
    quantised: Tensor
    tokens: Tensor


class Tokenizer(nn.Module):
    """The neural quantizer of CalM (Xu et al. 2026, arXiv 2604.04958).

    1. Two strided convolutions turn every 4 frames of one neuron into a latent.
    2. Causal transformer blocks let a latent see the ones before it.
    3. Latents are smoothed along tokens and replaced by the nearest code: the token.
    4. Causal transformer blocks and two transposed convolutions turn codes into frames.

    Neurons are independent rows; there are no neuron or session ids here.
    """

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = c = config
        self.patch = Patch(c.width, c.window, c.stride)
        self.encoder = nn.ModuleList(
            Block(c.width, c.n_heads, c.dropout) for _ in range(c.n_encoder_blocks)
        )
        self.quantizer = Quantizer(c.n_codes, c.width)
        self.decoder = nn.ModuleList(
            Block(c.width, c.n_heads, c.dropout) for _ in range(c.n_decoder_blocks)
        )
        self.unpatch = Unpatch(c.width, c.window, c.stride)

    def encode(self, x: Tensor) -> Tensor:
        """Latents of traces: (batch, frames) to (batch, tokens, width), before smoothing."""
        h: Tensor = self.patch(x)
        for i, block in enumerate(self.encoder):
            # Only the first layer looks ahead, so the whole stack sees exactly that far.
            ahead = self.config.look_ahead_tokens if i == 0 else 0
            h = block(h, *self._visible(h, self.config.encoder_causal, ahead))
        return h

    def smooth(self, h: Tensor) -> Tensor:
        """z[0] = h[0]; z[t] = (1 - m) h[t] + m z[t-1], as one triangular product."""
        memory = self.config.latent_memory
        if memory == 0:
            return h
        lag = torch.arange(h.shape[1])
        weights = (1 - memory) * memory ** (lag[:, None] - lag).clamp(min=0).double()
        weights[:, 0] = memory ** lag.double()
        return weights.tril().to(h.dtype).to(h.device) @ h

    def decode(self, z: Tensor) -> Tensor:
        """Traces of (quantised) latents: (batch, tokens, width) to (batch, frames)."""
        for block in self.decoder:
            z = block(
                z, *self._visible(z, self.config.decoder_causal, self.config.look_ahead_tokens)
            )
        x: Tensor = self.unpatch(z)
        return x

    def tokenize(self, x: Tensor) -> Tensor:
        """Tokens of traces: (batch, frames) to (batch, tokens) of int64."""
        tokens: Tensor = self.quantizer(self.smooth(self.encode(x)))
        return tokens

    def decode_tokens(self, tokens: Tensor) -> Tensor:
        """Traces of tokens: (batch, tokens) to (batch, frames)."""
        return self.decode(self.quantizer.lookup(tokens))

    def forward(self, x: Tensor, quantise: bool = True) -> TokenizerOutput:
        """Encode, quantise and decode traces (batch, frames).

        With ``quantise=False`` the latents go to the decoder as they are (the warm-up
        of training).
        """
        z = self.smooth(self.encode(x))
        tokens = self.quantizer(z)
        q = self.quantizer.lookup(tokens) if quantise else z
        # Straight through: the value of q, the gradient of z.
        return TokenizerOutput(self.decode(z + (q - z).detach()), z, q, tokens)

    @staticmethod
    def _visible(h: Tensor, causal: bool, ahead: int) -> tuple[Tensor | None, bool]:
        """Return mask and causal flag: a token sees those up to `ahead` after it, or all."""
        if not causal or ahead == 0:
            return None, causal
        n = h.shape[1]
        return torch.ones(n, n, dtype=torch.bool, device=h.device).tril(ahead), False
