"""Stage two: the dynamics learn which token comes next, their head which frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..core.progress import Steps, Stop, never
from ..model.calm import CalmModel
from ..model.config import CalmConfig
from ..model.dynamics import UNKNOWN, next_token_loss
from ..model.forecast_head import HeadForecast, forecast_loss
from .ahead import Ahead
from .config import DynamicsTrainingConfig, PretrainConfig
from .data import Window, WindowSampler
from .in_parts import Drawn, Found, InParts
from .optimise import Curve, optimise_steps
from .window_batch import (
    WindowBatch,
    batches_of_equal_size,
    groups_of_equal_size,
    of_all_parts,
)

VALIDATION_WINDOWS = 96
# Sets the stream of the windows apart from that of a step's other draws.
WINDOWS = 1


def nearest_codes(codebook: Tensor, n_neighbours: int) -> Tensor:
    """Nearest other codes of each code by Euclidean distance, (codes, neighbours)."""
    distance = torch.cdist(codebook, codebook)
    distance.fill_diagonal_(float("inf"))
    n_neighbours = min(n_neighbours, len(codebook) - 1)
    return distance.topk(n_neighbours, largest=False).indices


def token_noise(
    shape: tuple[int, ...], n_neighbours: int, probability: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw which neighbour takes the place of each token, all equally likely; -1: none."""
    flip = rng.random(shape) < probability
    return np.where(flip, rng.integers(n_neighbours, size=shape), -1)


def with_token_noise(tokens: Tensor, neighbours: Tensor, noise: np.ndarray) -> Tensor:
    """Replace tokens by the neighbours that `token_noise` has drawn for them."""
    pick = torch.as_tensor(noise, device=tokens.device)
    return torch.where(pick >= 0, neighbours[tokens, pick.clamp(min=0)], tokens)


def head_forecast(
    model: CalmModel, batch: WindowBatch, hidden: Tensor, positions: Sequence[int]
) -> tuple[HeadForecast, Tensor, Tensor]:
    """Forecast after the tokens `positions`; also the truth and where it is known.

    Returns
    -------
    HeadForecast, Tensor (batch, neurons, positions, frames), Tensor of bool (positions, frames)
    """
    assert model.forecast_head is not None
    c = model.forecast_head.config
    stride = model.config.tokenizer.stride
    n_frames = batch.units.shape[2]
    padded = torch.nn.functional.pad(batch.units, (0, c.horizon_frames))
    ends = [(position + 1) * stride for position in positions]
    recent = torch.stack([batch.units[..., end - c.recent_frames : end] for end in ends], 2)
    truth = torch.stack([padded[..., end : end + c.horizon_frames] for end in ends], 2)
    horizon = torch.arange(c.horizon_frames, device=truth.device)
    known = torch.tensor(ends, device=truth.device)[:, None] + horizon < n_frames
    chosen = hidden[:, :, list(positions)]
    forecast = model.forecast_head(
        chosen, recent, batch.portrait, batch.pairs, batch.continued(ends, c.horizon_frames)
    )
    return forecast, truth, known


def joint_loss(
    model: CalmModel,
    batch: WindowBatch,
    settings: DynamicsTrainingConfig,
    noisy: Tensor,
    positions: Sequence[int],
    *,
    with_frames: bool = True,
    rows: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of the next token and, where the model has a head, of the next frames."""
    frames = batch.frames[:, :, :-1] if with_frames else None
    hidden = model.dynamics(noisy[:, :, :-1], *(rows or ()), frames=frames)
    nats = next_token_loss(model.dynamics.logits(hidden), batch.tokens)
    if model.forecast_head is None:
        return nats, {"nats": nats.item()}
    loss, logged = forecast_loss(*head_forecast(model, batch, hidden, positions))
    return loss + settings.next_token * nats, {"nats": nats.item()} | logged


def first_rows(sampler: WindowSampler, device: torch.device) -> Tensor:
    """Embedding row of the first neuron of each recording, (recordings,)."""
    counts = np.array([len(traces) for traces in sampler.traces])
    return torch.as_tensor(np.concatenate([[0], counts.cumsum()[:-1]]), device=device)


def own_rows(
    batch: WindowBatch, first_row: Tensor, is_unknown: np.ndarray | None
) -> tuple[Tensor, Tensor] | None:
    """Embedding rows of the neurons and sessions, left unknown in some windows (batch,).

    None where they are to be left out of all steps.
    """
    if is_unknown is None:
        return None
    unknown = torch.as_tensor(is_unknown, device=batch.recordings.device)
    neurons = batch.neurons + first_row[batch.recordings][:, None]
    return (
        neurons.masked_fill(unknown[:, None], UNKNOWN),
        batch.recordings.masked_fill(unknown, UNKNOWN),
    )


def trained_parts(model: CalmModel) -> nn.ModuleDict:
    """What the second stage trains."""
    parts: dict[str, nn.Module] = {"dynamics": model.dynamics}
    if model.forecast_head is not None:
        parts["forecast_head"] = model.forecast_head
    return nn.ModuleDict(parts)


def train_dynamics_steps(
    model: CalmModel,
    sampler: WindowSampler,
    config: PretrainConfig,
    state_file: Path,
    *,
    curve: Curve | None = None,
    stop: Stop = never,
    in_parts: InParts | None = None,
) -> Steps[Curve]:
    """Train dynamics and forecast head in place on a frozen tokenizer; return the curve.

    `curve`, `stop` and `in_parts` as in `optimise_steps`.
    """
    settings = config.dynamics_training
    model.tokenizer.eval().requires_grad_(False)
    neighbours = nearest_codes(model.tokenizer.quantizer.codebook, settings.noise_neighbours)
    first_row = first_rows(sampler, model.device)
    held = sampler.validation_windows(VALIDATION_WINDOWS, settings.population, seed=config.seed)
    validation = batches_of_equal_size(model, held)
    in_parts = in_parts or InParts()

    def windows_of(step: int) -> list[Window]:
        rng = np.random.default_rng([config.seed + 1, step, WINDOWS])
        windows = [
            sampler.training_window(rng, settings.population)
            for _ in range(settings.batch_populations)
        ]
        for window in windows:
            _ = window.continuation  # what takes long is done here, beside the step before
        return windows

    drawn = Ahead(windows_of)

    def draw(rng: np.random.Generator, step: int) -> Drawn:
        groups = groups_of_equal_size(drawn(step))
        positions = loss_positions(model.config, settings.head_positions, rng)
        # Sampled tokens have no frames, so tokens alone must do as well.
        with_frames = rng.random() >= settings.frames_dropout
        noise: list[np.ndarray] = []
        unknown: list[bool] = []
        for group in groups:
            shape = (len(group), len(group[0].units), model.config.max_tokens)
            noise += list(token_noise(shape, neighbours.shape[1], settings.token_noise, rng))
            if settings.row_dropout < 1:
                unknown += list(rng.random(len(group)) < settings.row_dropout)
        windows = [window for group in groups for window in group]
        n_targets = sum(map(np.size, noise))

        def loss_of(part: slice) -> Found:
            found, first = [], part.start
            for batch in batches_of_equal_size(model, windows[part]):
                own = slice(first, first + len(batch))
                first = own.stop
                noisy = with_token_noise(batch.tokens, neighbours, np.stack(noise[own]))
                rows = own_rows(batch, first_row, np.array(unknown[own]) if unknown else None)
                loss = joint_loss(
                    model,
                    batch,
                    settings,
                    noisy,
                    positions,
                    with_frames=with_frames,
                    rows=rows,
                )
                found.append((loss, batch.n_targets))
            return weighted_mean(found, n_targets)

        return Drawn(len(windows), loss_of)

    start = [config.model.context_tokens - 1]

    def judged(batch: WindowBatch) -> tuple[Found, int]:
        return joint_loss(model, batch, settings, batch.tokens, start), batch.n_targets

    @torch.no_grad()
    def validate() -> dict[str, float]:
        if not validation:
            return {}
        loss, logged = weighted_mean(of_all_parts(validation, judged, in_parts))
        named = {f"validation_{name}": value for name, value in logged.items()}
        return {"validation_loss": float(loss)} | named

    with drawn:
        return (
            yield from optimise_steps(
                trained_parts(model),
                settings.optimiser,
                draw,
                stage="Training the dynamics",
                seed=config.seed + 1,
                state_file=state_file,
                save_every=config.save_every,
                validate=validate,
                validate_every=config.validate_every,
                curve=curve,
                stop=stop,
                in_parts=in_parts,
            )
        )


def loss_positions(config: CalmConfig, n_positions: int, rng: np.random.Generator) -> list[int]:
    """Tokens after which the head is trained: the context's last and some later ones."""
    first = config.context_tokens - 1
    later = np.arange(first + 1, config.max_tokens - 1)
    chosen = rng.choice(later, min(n_positions - 1, later.size), replace=False)
    return [first, *sorted(map(int, chosen))]


def weighted_mean(found: Sequence[tuple[Found, int]], n_targets: int | None = None) -> Found:
    """Mean of losses and of what they log, weighted by their number of targets.

    Where these are a part of `n_targets` only, what they contribute to the mean of all.
    """
    total = sum(count for _, count in found) if n_targets is None else n_targets
    loss = torch.stack([part * (count / total) for (part, _), count in found]).sum()
    names = found[0][0][1]
    logged = {
        name: sum(values[name] * count / total for (_, values), count in found)
        for name in names
    }
    return loss, logged
