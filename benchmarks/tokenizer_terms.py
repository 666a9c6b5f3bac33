"""Loss terms of the CalM release that our own loss leaves out, for the ablation.

Every term is a module called with (output, traces, tokenizer) and carries the release's
weight (Xu et al. 2026, arXiv 2604.04958, mouse configuration). Two things differ from the
release wherever they occur:

- The soft assignment p = softmax(-distance) measures distances in units of their mean nearest
  distance. In raw units p is one-hot in hundreds of dimensions and has no gradient.
- All entropies are in nats, where the release mixes nats and bits.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_calm.model.tokenizer import Block, Quantizer, Tokenizer, TokenizerOutput


def soft_assignment(tokenizer: Tokenizer, latents: Tensor) -> Tensor:
    """Probability of every code for latents (batch, tokens, width), (batch, tokens, codes)."""
    distances = tokenizer.quantizer.distances(latents)
    unit = distances.min(-1).values.mean().detach().clamp(min=1e-6)
    return (-distances / unit).softmax(-1)


class GradientQuantizer(Quantizer):
    """A codebook that is learned by gradient instead of following its latents."""

    def __init__(self, n_codes: int, width: int) -> None:
        super().__init__(n_codes, width)
        start = self.codebook.clone()
        del self.codebook
        self.codebook = nn.Parameter(start)

    def update(self, z: Tensor, tokens: Tensor, decay: float = 0.99, eps: float = 1e-5) -> None:
        """Move nothing; no use is counted either, so no code is ever found dead."""


class CodebookError(nn.Module):
    """Mean squared distance of the codes to the latents that chose them, weight 1."""

    def forward(self, out: TokenizerOutput, _x: Tensor, tokenizer: Tokenizer) -> Tensor:
        """Pull codes, not latents."""
        return F.mse_loss(tokenizer.quantizer.lookup(out.tokens), out.latents.detach())


class Orthogonality(nn.Module):
    """Sum of abs(E E^T - I) over the codebook E, weight 5e-6.

    In the release the moving average overwrites what this term did to the codebook one step
    before. Here the codebook is learned by gradient, as `GradientQuantizer` does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.codebook_error = CodebookError()

    def forward(self, out: TokenizerOutput, _x: Tensor, tokenizer: Tokenizer) -> Tensor:
        """Codebook error and orthogonality."""
        codes = tokenizer.quantizer.codebook
        gram = codes @ codes.T
        penalty = (gram - torch.eye(len(codes), device=codes.device)).abs().sum()
        return self.codebook_error(out, _x, tokenizer) + 5e-6 * penalty


class LatentVariation(nn.Module):
    """Squared first and second differences of latents along tokens, weights 0.05 and 5e-4."""

    def forward(self, out: TokenizerOutput, *_: object) -> Tensor:
        """Both terms."""
        first = out.latents.diff(dim=1)
        second = first.diff(dim=1)
        return 0.05 * (first**2).mean() + 5e-4 * (second**2).mean()


class Stickiness(nn.Module):
    """Neighbouring tokens alike: 1 - p[t].p[t+1] (0.1) and Jensen-Shannon (2e-3)."""

    def forward(self, out: TokenizerOutput, _x: Tensor, tokenizer: Tokenizer) -> Tensor:
        """Both terms."""
        p = soft_assignment(tokenizer, out.latents)
        now, following = p[:, :-1], p[:, 1:]
        middle = _entropy(0.5 * (now + following))
        divergence = middle - 0.5 * (_entropy(now) + _entropy(following))
        return 0.1 * (1 - (now * following).sum(-1)).mean() + 2e-3 * divergence.mean()


class Smoothness(nn.Module):
    """Second difference of the reconstruction and high-frequency error, weights 1e-9."""

    def forward(self, out: TokenizerOutput, x: Tensor, _tokenizer: Tokenizer) -> Tensor:
        """Both terms; frequencies are the two-sided spectrum's from a quarter of it on."""
        bend = out.reconstruction.diff(n=2, dim=1).abs().mean()
        high = slice(x.shape[1] // 4, None)
        found, wanted = (torch.fft.fft(y)[:, high].abs() for y in (out.reconstruction, x))
        return 1e-9 * bend + 1e-9 * F.mse_loss(found, wanted)


class Bigram(nn.Module):
    """A table says the next token from this one: cross-entropy (0.5) and alignment (0.5).

    As released, neither reaches the tokenizer: tokens are numbers and p[t+1] is detached, so
    only the table learns. With ``reaches_encoder`` the table is read with p[t] and p[t+1]
    keeps its gradient; this asks the tokenizer for tokens that can be foretold.
    """

    def __init__(self, n_codes: int, *, reaches_encoder: bool = False) -> None:
        super().__init__()
        self.reaches_encoder = reaches_encoder
        self.table = nn.Parameter(2 * torch.eye(n_codes))

    def forward(self, out: TokenizerOutput, _x: Tensor, tokenizer: Tokenizer) -> Tensor:
        """Both terms."""
        p = soft_assignment(tokenizer, out.latents)
        if not self.reaches_encoder:
            p = p.detach()
        now = p[:, :-1] @ self.table if self.reaches_encoder else self.table[out.tokens[:, :-1]]
        log_next = now.log_softmax(-1)
        following = out.tokens[:, 1:]
        cross_entropy = F.nll_loss(log_next.flatten(0, 1), following.flatten())
        align = -(p[:, 1:] * log_next).sum(-1).mean()
        return 0.5 * cross_entropy + 0.5 * align


class FutureTokens(nn.Module):
    """Two causal blocks on the latents say the tokens 1 to 4 steps ahead, weight 0.5 each."""

    def __init__(self, n_codes: int, width: int, n_heads: int, *, n_ahead: int = 4) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, n_heads, dropout=0.0) for _ in range(2))
        self.ahead = nn.Parameter(0.02 * torch.randn(n_ahead, width))
        self.hidden = nn.Linear(width, width)
        self.head = nn.Linear(width, n_codes)

    def forward(self, out: TokenizerOutput, *_: object) -> Tensor:
        """Sum over the steps ahead; one that the window does not reach is left out."""
        state = out.latents
        for block in self.blocks:
            state = block(state, None, True)
        loss = state.new_zeros(())
        for k, ahead in enumerate(self.ahead[: state.shape[1] - 1], start=1):
            hidden = F.dropout(F.gelu(self.hidden(state[:, :-k] + ahead)), 0.1, self.training)
            logits = self.head(hidden).flatten(0, 1)
            following = out.tokens[:, k:].flatten()
            loss = loss + 0.5 * F.cross_entropy(logits, following, label_smoothing=0.05)
        return loss


class Contrast(nn.Module):
    """CPC: a latent tells its successor from those of all other pairs, weight 0.5."""

    def __init__(self, width: int, *, temperature: float = 0.1, n_pairs: int = 2048) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.temperature = temperature
        self.n_pairs = n_pairs

    def forward(self, out: TokenizerOutput, *_: object) -> Tensor:
        """InfoNCE over pooled pairs, a random `n_pairs` of them where there are more."""
        now, following = (
            part.flatten(0, 1) for part in (out.latents[:, :-1], out.latents[:, 1:])
        )
        if len(now) > self.n_pairs:
            pick = torch.randperm(len(now))[: self.n_pairs].to(now.device)
            now, following = now[pick], following[pick]
        query = F.normalize(self.query(now), dim=-1)
        key = F.normalize(self.key(following), dim=-1)
        logits = query @ key.T / self.temperature
        return 0.5 * F.cross_entropy(logits, torch.arange(len(now), device=now.device))


def _entropy(p: Tensor) -> Tensor:
    return -(p * p.clamp(min=1e-9).log()).sum(-1)
