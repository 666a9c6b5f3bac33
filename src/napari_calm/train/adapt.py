"""Fit a model to one recording with its backbone frozen; keep it only where it helps."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import CalmError, RecordingError, StoppedEarly
from ..core.progress import Progress, Steps, Stop, never, retold, run
from ..core.recording import Recording
from ..model.adaptation import Adaptation, with_rows
from ..model.calm import CalmModel
from ..model.expectation import expectation_steps
from ..model.forecast_head import forecast_loss, horizon_weights
from ..model.tokenising import token_rows_steps
from .calibrate import calibrate
from .config import OptimiserConfig
from .data import Window, WindowSampler
from .dynamics_training import (
    WindowBatch,
    batches_of_equal_size,
    head_forecast,
    loss_positions,
    weighted_mean,
)
from .optimise import Curve, optimise_steps

Found = tuple[Tensor, dict[str, float]]

VALIDATION_WINDOWS = 24
VALIDATE_EVERY = 20
# Neurons times windows that the whole population is checked on.
WHOLE_NEURON_WINDOWS = 4000
MOST_WHOLE_WINDOWS = 100
# Smaller gains on the validation part are taken for chance.
LEAST_GAIN = 0.005


@dataclass(frozen=True)
class AdaptConfig:
    """How a model is adapted.

    Parameters
    ----------
    optimiser : OptimiserConfig
        Of the rows and of the head.
    batch_populations, population : int
        Windows a step, and neurons in each.
    head_positions : int
        Tokens of a window after which the head is fitted.
    validation_share : float
        Last share of the known frames: it stops the fit and decides whether it is kept.
    """

    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(
            steps=240,
            learning_rate=1e-3,
            weight_decay=1e-2,
            average_decay=0.95,
            patience=5,
        )
    )
    batch_populations: int = 4
    population: int = 64
    head_positions: int = 4
    validation_share: float = 0.2


def adapt_steps(
    model: CalmModel,
    recording: Recording,
    *,
    from_frame: int = 0,
    until_frame: int | None = None,
    config: AdaptConfig | None = None,
    seed: int = 0,
    curve: Curve | None = None,
    stop: Stop = never,
) -> Steps[Adaptation]:
    """`adapt` as a generator of progress; the learning curve is appended to `curve`.

    Once `stop` says so, the fit ends. What did best on the validation part is kept as it is,
    without the second fit on all frames, and is marked as stopped early.

    Raises
    ------
    StoppedEarly
        If it was stopped before the fit was validated for the first time.
    """
    config = config or AdaptConfig()
    curve = [] if curve is None else curve
    sampler = _known_frames(model, recording, from_frame, until_frame, config)
    judging = _whole_windows(sampler)
    held = sampler.validation_windows(VALIDATION_WINDOWS, config.population, seed=seed)
    zero_shot_mse = yield from _error_steps(model, judging)
    fitted = copy.deepcopy(model).requires_grad_(False).eval()
    with_rows(fitted, recording.n_neurons)
    found = yield from _fit_steps(
        fitted, sampler, config.optimiser, config, seed, curve, held, stop
    )
    stopped = stop()
    if stopped and not any("validation_loss" in row and row["step"] for row in curve):
        raise StoppedEarly(
            f"Stopped after {curve[-1]['step']:.0f} steps, before the fit was validated for "
            f"the first time (after {VALIDATE_EVERY}): nothing is kept, the zero-shot model "
            "stays."
        )
    adapted_mse = yield from _error_steps(fitted, judging)
    helped = adapted_mse < (1 - LEAST_GAIN) * zero_shot_mse
    if helped:
        calibrate(fitted, held)
        if not stopped:
            again = yield from _with_all_frames_steps(
                model, fitted, sampler, config, seed, found, stop
            )
            stopped = stop()
            fitted = fitted if stopped else again
    return Adaptation(
        model_name=model.name,
        recording_name=recording.name,
        until_frame=recording.n_frames if until_frame is None else until_frame,
        roi_labels=recording.roi_labels,
        weights=fitted_weights(fitted) if helped else {},
        zero_shot_mse=zero_shot_mse,
        adapted_mse=adapted_mse,
        stopped_at_step=int(found[-1]["step"]) if stopped else None,
    )


def adapt(
    model: CalmModel,
    recording: Recording,
    *,
    from_frame: int = 0,
    until_frame: int | None = None,
    config: AdaptConfig | None = None,
    seed: int = 0,
) -> Adaptation:
    """Fit rows and head to a recording; backbone and tokenizer stay frozen.

    1. A row for each neuron and one for the session, and the forecast head, by gradient on
       the earlier frames, until the validation part (the last ones) gets no better.
    2. If that is no better there than the model as it was, the result is empty and says so:
       applied, it changes nothing.
    3. Otherwise the bands are stretched to hold their share on the validation part, and the
       fit is made again with as many steps on all frames: the newest tell most of the next.

    Parameters
    ----------
    recording : Recording
    from_frame, until_frame : int, optional
        Frames that may be looked at; all of them if not given.
    config : AdaptConfig, optional
    seed : int
        Seed of the windows drawn.

    Raises
    ------
    RecordingError
        If the frames are too few.
    CalmError
        If the model has no forecast head.
    """
    return run(
        adapt_steps(
            model,
            recording,
            from_frame=from_frame,
            until_frame=until_frame,
            config=config,
            seed=seed,
        )
    )


def fitted_weights(adapted: CalmModel) -> dict[str, Tensor]:
    """Collect what adapting changed, under the names that `Adaptation` knows."""
    weights = {
        "neuron_rows": adapted.dynamics.neuron_embed.weight,
        "session_row": adapted.dynamics.session_embed.weight[0],
    }
    if adapted.forecast_head is not None:
        state = adapted.forecast_head.state_dict()
        weights |= {f"head.{name}": value for name, value in state.items()}
    return {name: value.detach().clone() for name, value in weights.items()}


def _known_frames(
    model: CalmModel,
    recording: Recording,
    from_frame: int,
    until_frame: int | None,
    config: AdaptConfig,
) -> WindowSampler:
    """Put the frames that may be looked at into a sampler, or say why they do not do."""
    if model.forecast_head is None:
        raise CalmError(
            f"adapt: the model {model.name} has no forecast head, which adapting fits. Use a "
            "model that has one, such as calm-mini."
        )
    if model.adaptation is not None:
        raise CalmError(
            f"adapt: {model.name} is adapted to {model.adaptation.recording_name} already. "
            "Adapt the model as it was loaded."
        )
    until_frame = recording.n_frames if until_frame is None else until_frame
    if not 0 <= from_frame < until_frame <= recording.n_frames:
        raise CalmError(
            f"adapt: frames {from_frame} to {until_frame} of {recording.name}, which has "
            f"{recording.n_frames}."
        )
    known = Recording(
        recording.traces[:, from_frame:until_frame], recording.frame_rate_hz, recording.name
    )
    settings = model.config.preprocessing
    factor = recording.frame_rate_hz / model.model_rate_hz(recording.frame_rate_hz)
    horizon = settings.max_frames - settings.context_frames
    fewest = max(
        settings.max_frames / (1 - config.validation_share), horizon / config.validation_share
    )
    fewest = math.ceil(fewest * factor) + 1
    if known.n_frames < fewest:
        raise RecordingError(
            f"{recording.source or recording.name}: adapting {model.name} takes {fewest} "
            f"frames or more ({fewest / recording.frame_rate_hz:.0f} s), found "
            f"{known.n_frames}. Use the model as it is (zero-shot)."
        )
    return WindowSampler([known], settings, config.validation_share)


def _whole_windows(sampler: WindowSampler) -> list[Window]:
    """Validation windows of the whole population, fewer of them for a large one."""
    n_neurons = len(sampler.traces[0])
    n_windows = int(np.clip(WHOLE_NEURON_WINDOWS // n_neurons, 8, MOST_WHOLE_WINDOWS))
    return sampler.validation_windows(n_windows, None, seed=0)


def _error_steps(model: CalmModel, windows: Sequence[Window]) -> Steps[float]:
    """Mean squared error of the forecasts in `windows`, nearer horizons weighing more.

    In units of each neuron's variance in the recording.
    """
    n_context = windows[0].config.context_frames
    has_rows = model.config.dynamics.n_neurons == windows[0].neurons.size
    errors: list[float] = []
    for window in windows:
        units = window.units[:, :n_context]
        tokens = yield from retold(
            token_rows_steps(model, units),
            lambda _: Progress(len(errors), len(windows), "Checking on the validation part"),
        )
        expectation = yield from expectation_steps(
            model,
            units,
            tokens,
            window.portrait,
            neuron_ids=window.neurons if has_rows else None,
            session_id=0 if has_rows else None,
            seed=0,
            continuation_of=window.continuation_of,
        )
        n_frames = min(window.future.shape[1], expectation.shape[2])
        truth = window.units[:, n_context : n_context + n_frames]
        error = (expectation[0, :, :n_frames] - truth) / window.portrait.spread[:, None]
        weights = horizon_weights(n_frames, torch.ones(1)).numpy()
        errors.append(float((error**2 * weights).mean()))
    return float(np.mean(errors))


def _with_all_frames_steps(
    model: CalmModel,
    fitted: CalmModel,
    sampler: WindowSampler,
    config: AdaptConfig,
    seed: int,
    curve: Curve,
    stop: Stop,
) -> Steps[CalmModel]:
    """Fit anew on the training and validation part, for as long as was best before.

    The bands stay as they were found on frames that the first fit had not seen.
    """
    best = min((row for row in curve if "validation_loss" in row), key=_validation_loss)
    again = copy.deepcopy(model).requires_grad_(False).eval()
    with_rows(again, fitted.config.dynamics.n_neurons)
    optimiser = replace(config.optimiser, steps=max(1, int(best["step"])), patience=0)
    everything = sampler.with_all_frames()
    yield from _fit_steps(again, everything, optimiser, config, seed, [], (), stop)
    assert again.forecast_head is not None
    assert fitted.forecast_head is not None
    again.forecast_head.stretch.copy_(fitted.forecast_head.stretch)
    return again


def _validation_loss(row: dict[str, float]) -> float:
    return row["validation_loss"]


def _fit_steps(
    adapted: CalmModel,
    sampler: WindowSampler,
    optimiser: OptimiserConfig,
    config: AdaptConfig,
    seed: int,
    curve: Curve,
    held: Sequence[Window],
    stop: Stop,
) -> Steps[Curve]:
    """Fit rows and head by gradient; the held windows, where there are any, stop it."""
    assert adapted.forecast_head is not None
    dynamics = adapted.dynamics
    fitted = nn.ModuleDict(
        {
            "neuron_embed": dynamics.neuron_embed,
            "session_embed": dynamics.session_embed,
            "forecast_head": adapted.forecast_head,
        }
    ).requires_grad_(True)
    validation = batches_of_equal_size(adapted, held)

    def loss_after(batch: WindowBatch, positions: Sequence[int]) -> Found:
        session = torch.zeros(len(batch.tokens), dtype=torch.int64, device=adapted.device)
        hidden = dynamics(
            batch.tokens[:, :, :-1], batch.neurons, session, frames=batch.frames[:, :, :-1]
        )
        return forecast_loss(*head_forecast(adapted, batch, hidden, positions))

    def loss_of(rng: np.random.Generator, _step: int) -> Found:
        windows = [
            sampler.training_window(rng, config.population)
            for _ in range(config.batch_populations)
        ]
        positions = loss_positions(adapted.config, config.head_positions, rng)
        (batch,) = batches_of_equal_size(adapted, windows)
        return loss_after(batch, positions)

    @torch.no_grad()
    def validate() -> dict[str, float]:
        if not validation:
            return {}
        start = [adapted.config.context_tokens - 1]
        loss, logged = weighted_mean(
            [(loss_after(batch, start), batch.n_targets) for batch in validation]
        )
        return {"validation_loss": float(loss), "validation_mse": logged["squared_error"]}

    # What the fit starts from: the zero-shot model.
    curve.append({"step": 0.0, **validate()})
    found = yield from optimise_steps(
        fitted,
        optimiser,
        loss_of,
        stage="Adapting",
        seed=seed,
        validate=validate,
        validate_every=VALIDATE_EVERY,
        curve=curve,
        stop=stop,
    )
    fitted.requires_grad_(False)
    return found
