"""Stage one: the tokenizer learns to say traces in few words and to use all of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from ..core.progress import Steps, Stop, never
from ..model.tokenizer import Quantizer, Tokenizer
from .config import PretrainConfig
from .data import WindowSampler
from .in_parts import Found, in_one_piece
from .optimise import Curve, optimise_steps
from .tokenizer_loss import FurtherTerms, pearson_loss, tokenizer_loss

KMEANS_LATENTS = 16_384
VALIDATION_WINDOWS = 64


@torch.no_grad()
def revive_dead_codes(
    quantizer: Quantizer, latents: Tensor, share: float, rng: np.random.Generator
) -> int:
    """Move codes used less than `share` of the mean to random latents; return how many."""
    count = quantizer.ema_count
    dead = torch.nonzero(count < share * count.mean()).flatten()[: len(latents)]
    if dead.numel():
        pick = torch.as_tensor(rng.choice(len(latents), dead.numel(), replace=False))
        # A new tensor: the old one may still be part of this step's gradient.
        quantizer.codebook = quantizer.codebook.index_copy(
            0, dead, latents[pick.to(latents.device)]
        )
        quantizer.ema_sum[dead] = quantizer.codebook[dead]
        quantizer.ema_count[dead] = 1.0
    return int(dead.numel())


def train_tokenizer_steps(
    tokenizer: Tokenizer,
    sampler: WindowSampler,
    config: PretrainConfig,
    state_file: Path,
    *,
    further_terms: FurtherTerms | None = None,
    start_from_kmeans: bool = True,
    curve: Curve | None = None,
    stop: Stop = never,
) -> Steps[Curve]:
    """Train `tokenizer` in place and return its learning curve.

    A batch is not taken in parts: the codebook that follows would be another one.

    Parameters
    ----------
    further_terms : callable, optional
        Added to the loss; see `tokenizer_loss`. A term with weights of its own is a module
        inside `tokenizer`, so that it is trained, saved and resumed with it.
    start_from_kmeans : bool
        Whether the codebook starts from k-means over latents or stays as it was made.
    curve, stop
        See `optimise_steps`.

    Raises
    ------
    OutOfMemory
        If the memory does not suffice for a batch; see `optimise_steps`.
    """
    settings = config.tokenizer_training
    device = tokenizer.quantizer.codebook.device
    held = sampler.validation_windows(VALIDATION_WINDOWS, 64, seed=config.seed)
    validation = (
        _tensor(np.concatenate([window.units for window in held]), device) if held else None
    )

    def batch(rng: np.random.Generator) -> Tensor:
        # Many recordings a batch, so that no single animal fills it.
        per_recording = max(1, settings.batch_traces // 8)
        rows: list[np.ndarray] = []
        while sum(map(len, rows)) < settings.batch_traces:
            rows.append(sampler.training_window(rng, per_recording).units)
        return _tensor(np.concatenate(rows)[: settings.batch_traces], device)

    # Which codes are used, and where they go, is a matter of the whole batch.
    def loss_of(rng: np.random.Generator, step: int) -> Found:
        if step == settings.plain_steps and start_from_kmeans:
            _start_codebook(tokenizer, batch, rng, config.seed)
        quantising = step >= settings.plain_steps
        x = batch(rng)
        loss, logged = tokenizer_loss(
            tokenizer, x, settings, quantise=quantising, further_terms=further_terms
        )
        if quantising and (step - settings.plain_steps + 1) % settings.revive_every == 0:
            latents = _latents(tokenizer, x)
            logged["revived"] = float(
                revive_dead_codes(tokenizer.quantizer, latents, settings.dead_share, rng)
            )
        return loss, logged

    def validate() -> dict[str, float]:
        return {} if validation is None else tokenizer_quality(tokenizer, validation)

    return (
        yield from optimise_steps(
            tokenizer,
            settings.optimiser,
            in_one_piece(loss_of),
            stage="Training the tokenizer",
            seed=config.seed,
            state_file=state_file,
            save_every=config.save_every,
            validate=validate,
            validate_every=config.validate_every,
            curve=curve,
            stop=stop,
        )
    )


@torch.no_grad()
def tokenizer_quality(tokenizer: Tokenizer, x: Tensor) -> dict[str, float]:
    """Unexplained variance (1 - R2), Pearson r, used codes and perplexity on (rows, frames)."""
    out = tokenizer(x)
    error = ((out.reconstruction - x) ** 2).sum()
    variance = ((x - x.mean(1, keepdim=True)) ** 2).sum()
    tokens = out.tokens.flatten().cpu()  # not every device counts or knows double precision
    share = torch.bincount(tokens, minlength=tokenizer.config.n_codes).double()
    share = share / share.sum()
    entropy = -(share * share.clamp(min=1e-12).log()).sum()
    return {
        "validation_unexplained": float(error / variance),
        "validation_pearson": 1 - float(pearson_loss(out.reconstruction, x)),
        "validation_used_codes": float((share > 0).sum()),
        "validation_perplexity": float(entropy.exp()),
    }


def _tensor(x: np.ndarray, device: torch.device) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float32, device=device)


@torch.no_grad()
def _latents(tokenizer: Tokenizer, x: Tensor) -> Tensor:
    return tokenizer.smooth(tokenizer.encode(x)).flatten(0, 1)


@torch.no_grad()
def _start_codebook(
    tokenizer: Tokenizer,
    batch: Callable[[np.random.Generator], Tensor],
    rng: np.random.Generator,
    seed: int,
) -> None:
    """Put the codes where the latents are: k-means over latents as they are quantised."""
    tokenizer.eval()
    found: list[np.ndarray] = []
    while sum(map(len, found)) < KMEANS_LATENTS:
        found.append(_latents(tokenizer, batch(rng)).cpu().numpy())
    tokenizer.train()
    kmeans = KMeans(tokenizer.config.n_codes, n_init=1, random_state=seed)
    kmeans.fit(np.concatenate(found))
    quantizer = tokenizer.quantizer
    quantizer.codebook.copy_(torch.as_tensor(kmeans.cluster_centers_))
    quantizer.ema_sum.copy_(quantizer.codebook)
    quantizer.ema_count.fill_(1.0)
