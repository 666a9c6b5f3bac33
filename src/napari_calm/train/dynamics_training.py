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
from .optimise import Curve, optimise_steps

VALIDATION_WINDOWS = 96
# Sets the stream of the windows apart from that of a step's other draws.
WINDOWS = 1
MOST_WINDOWS_AT_ONCE = 8


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


class WindowBatch:
    """Windows of equal size as tensors, with the tokens of a frozen tokenizer.

    recordings (batch,); neurons (batch, neurons), numbered in their recording; units (batch,
    neurons, frames); tokens (batch, neurons, tokens); portrait (batch, neurons, features),
    the continuations' skill among them; pairs (batch, neurons, neurons, features).
    """

    def __init__(self, model: CalmModel, windows: Sequence[Window]) -> None:
        self._windows, self._device = windows, model.device
        neurons = np.stack([window.neurons for window in windows])
        self.neurons = torch.as_tensor(neurons, device=model.device)
        recordings = np.array([window.recording for window in windows])
        self.recordings = torch.as_tensor(recordings, device=model.device)
        self.units = self._stacked([window.units for window in windows])
        self.portrait = self._stacked(
            [
                np.concatenate([window.portrait.neurons, window.continuation.skill], axis=1)
                for window in windows
            ]
        )
        self.pairs = self._stacked(
            [window.portrait.pairs(np.arange(len(window.neurons))) for window in windows]
        )
        with torch.no_grad():
            tokens = model.tokenizer.tokenize(self.units.flatten(0, 1))
        self.tokens = tokens.unflatten(0, self.units.shape[:2])

    def _stacked(self, arrays: list[np.ndarray]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=torch.float32, device=self._device)

    def continued(self, ends: Sequence[int], horizon_frames: int) -> Tensor:
        """Linear forecasts after so many frames of the windows.

        Returns
        -------
        Tensor, (batch, neurons, ends, continuations, horizon_frames)
        """
        return self._stacked(
            [window.continued(ends, horizon_frames) for window in self._windows]
        )

    @property
    def frames(self) -> Tensor:
        """The frames of each token, (batch, neurons, tokens, frames)."""
        frames: Tensor = self.units.unflatten(-1, (self.tokens.shape[-1], -1))
        return frames

    @property
    def n_targets(self) -> int:
        """Size of the batch in tokens."""
        return int(self.tokens.numel())


def batches_of_equal_size(model: CalmModel, windows: Sequence[Window]) -> list[WindowBatch]:
    """Stack populations of equal size; smaller recordings get their own batch."""
    batches = []
    for size in sorted({len(window.units) for window in windows}):
        same = [window for window in windows if len(window.units) == size]
        for first in range(0, len(same), MOST_WINDOWS_AT_ONCE):
            batches.append(WindowBatch(model, same[first : first + MOST_WINDOWS_AT_ONCE]))
    return batches


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
    batch: WindowBatch, first_row: Tensor, dropout: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor] | None:
    """Embedding rows of the neurons and sessions, some windows' left unknown; None for all."""
    if dropout >= 1:
        return None
    unknown = torch.as_tensor(
        rng.random(len(batch.recordings)) < dropout, device=batch.recordings.device
    )
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
) -> Steps[Curve]:
    """Train dynamics and forecast head in place on a frozen tokenizer; return the curve.

    `curve` and `stop` as in `optimise_steps`.
    """
    settings = config.dynamics_training
    model.tokenizer.eval().requires_grad_(False)
    neighbours = nearest_codes(model.tokenizer.quantizer.codebook, settings.noise_neighbours)
    first_row = first_rows(sampler, model.device)
    held = sampler.validation_windows(VALIDATION_WINDOWS, settings.population, seed=config.seed)
    validation = batches_of_equal_size(model, held)

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

    def loss_of(rng: np.random.Generator, step: int) -> tuple[Tensor, dict[str, float]]:
        windows = drawn(step)
        positions = loss_positions(model.config, settings.head_positions, rng)
        # Sampled tokens have no frames, so tokens alone must do as well.
        with_frames = rng.random() >= settings.frames_dropout
        return weighted_mean(
            [
                (
                    joint_loss(
                        model,
                        batch,
                        settings,
                        with_token_noise(batch.tokens, neighbours, settings.token_noise, rng),
                        positions,
                        with_frames=with_frames,
                        rows=own_rows(batch, first_row, settings.row_dropout, rng),
                    ),
                    batch.n_targets,
                )
                for batch in batches_of_equal_size(model, windows)
            ]
        )

    @torch.no_grad()
    def validate() -> dict[str, float]:
        if not validation:
            return {}
        start = [config.model.context_tokens - 1]
        found = [
            (joint_loss(model, batch, settings, batch.tokens, start), batch.n_targets)
            for batch in validation
        ]
        loss, logged = weighted_mean(found)
        named = {f"validation_{name}": value for name, value in logged.items()}
        return {"validation_loss": float(loss)} | named

    with drawn:
        return (
            yield from optimise_steps(
                trained_parts(model),
                settings.optimiser,
                loss_of,
                stage="Training the dynamics",
                seed=config.seed + 1,
                state_file=state_file,
                save_every=config.save_every,
                validate=validate,
                validate_every=config.validate_every,
                curve=curve,
                stop=stop,
            )
        )


def loss_positions(config: CalmConfig, n_positions: int, rng: np.random.Generator) -> list[int]:
    """Tokens after which the head is trained: the context's last and some later ones."""
    first = config.context_tokens - 1
    later = np.arange(first + 1, config.max_tokens - 1)
    chosen = rng.choice(later, min(n_positions - 1, later.size), replace=False)
    return [first, *sorted(map(int, chosen))]


def weighted_mean(
    found: Sequence[tuple[tuple[Tensor, dict[str, float]], int]],
) -> tuple[Tensor, dict[str, float]]:
    """Mean of losses and of what they log, weighted by their number of targets."""
    total = sum(count for _, count in found)
    loss = torch.stack([part * (count / total) for (part, _), count in found]).sum()
    names = found[0][0][1]
    logged = {
        name: sum(values[name] * count / total for (_, values), count in found)
        for name in names
    }
    return loss, logged
