"""Stage two: the dynamics learn which token comes next."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.progress import Steps
from ..model.calm import CalmModel
from ..model.dynamics import next_token_loss
from .config import PretrainConfig
from .data import WindowSampler
from .optimise import Curve, optimise_steps


def nearest_codes(codebook: Tensor, n_neighbours: int) -> Tensor:
    """Nearest other codes of each code by Euclidean distance, (codes, neighbours)."""
    distance = torch.cdist(codebook, codebook)
    distance.fill_diagonal_(float("inf"))
    n_neighbours = min(n_neighbours, len(codebook) - 1)
    return distance.topk(n_neighbours, largest=False).indices


def with_token_noise(
    tokens: Tensor, neighbours: Tensor, probability: float, rng: np.random.Generator
) -> Tensor:
    """Replace tokens with `probability` by one of their neighbours, all equally likely."""
    flip = torch.as_tensor(rng.random(tokens.shape) < probability, device=tokens.device)
    pick = torch.as_tensor(
        rng.integers(neighbours.shape[1], size=tokens.shape), device=tokens.device
    )
    return torch.where(flip, neighbours[tokens, pick], tokens)


def train_dynamics_steps(
    model: CalmModel, sampler: WindowSampler, config: PretrainConfig, state_file: Path
) -> Steps[Curve]:
    """Train `model.dynamics` in place on tokens of its frozen tokenizer; return the curve."""
    settings = config.dynamics_training
    device = model.device
    model.tokenizer.eval().requires_grad_(False)
    neighbours = nearest_codes(model.tokenizer.quantizer.codebook, settings.noise_neighbours)
    held = sampler.validation_windows(2, settings.population, seed=config.seed)
    validation = [_tokens(model, window, device)[None] for window in held]

    def loss_of(rng: np.random.Generator, _step: int) -> tuple[Tensor, dict[str, float]]:
        windows = [
            sampler.training_window(rng, settings.population)
            for _ in range(settings.batch_populations)
        ]
        # Populations of equal size share a pass; smaller recordings get their own.
        losses, counts = [], []
        for size in sorted({len(window) for window in windows}):
            same = [window for window in windows if len(window) == size]
            tokens = torch.stack([_tokens(model, window, device) for window in same])
            noisy = with_token_noise(tokens, neighbours, settings.token_noise, rng)
            hidden = model.dynamics(noisy[:, :, :-1])
            losses.append(next_token_loss(model.dynamics.logits(hidden), tokens))
            counts.append(tokens.numel())
        weights = torch.tensor(counts, device=device) / sum(counts)
        return (torch.stack(losses) * weights).sum(), {}

    @torch.no_grad()
    def validate() -> dict[str, float]:
        if not validation:
            return {}
        losses = [
            next_token_loss(model.dynamics.logits(model.dynamics(t[:, :, :-1])), t)
            for t in validation
        ]
        return {"validation_nats": float(torch.stack(losses).mean())}

    return (
        yield from optimise_steps(
            model.dynamics,
            settings.optimiser,
            loss_of,
            stage="Training the dynamics",
            seed=config.seed + 1,
            state_file=state_file,
            save_every=config.save_every,
            validate=validate,
            validate_every=config.validate_every,
        )
    )


@torch.no_grad()
def _tokens(model: CalmModel, window: np.ndarray, device: torch.device) -> Tensor:
    """Tokens of one population, (neurons, tokens)."""
    x = torch.as_tensor(window, dtype=torch.float32, device=device)
    return model.tokenizer.tokenize(x)
