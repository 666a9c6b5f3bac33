"""Fit a model to one recording with its backbone frozen; keep it only where it helps."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import StoppedEarly
from ..core.progress import Steps, Stop, never, run
from ..core.recording import Recording
from ..model.adaptation import Adaptation, with_rows
from ..model.calm import CalmModel
from ..model.forecast_head import forecast_loss
from ..model.stepping_down import Tell, less_at_once_steps, stepping_down_steps, warn
from .calibrate import calibrate
from .config import AdaptConfig, OptimiserConfig
from .data import Window, WindowSampler
from .dynamics_training import head_forecast, loss_positions, weighted_mean
from .in_parts import Drawn, Found, InParts
from .known_frames import known_frames
from .optimise import Curve, optimise_steps
from .validation_error import validation_error_steps
from .window_batch import WindowBatch, batches_of_equal_size, of_all_parts

VALIDATION_WINDOWS = 24
VALIDATE_EVERY = 20
# Neurons times windows that the whole population is checked on.
WHOLE_NEURON_WINDOWS = 4000
MOST_WHOLE_WINDOWS = 100
# Smaller gains on the validation part are taken for chance.
LEAST_GAIN = 0.005


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
    tell: Tell = warn,
) -> Steps[Adaptation]:
    """`adapt` as a generator of progress; `curve` becomes the learning curve.

    Once `stop` says so, the fit ends. What did best on the validation part is kept as it is,
    without the second fit on all frames, and is marked as stopped early.

    Parameters
    ----------
    tell : callable
        Gets a sentence on what was done where an accelerator's memory did not suffice, and
        whether the fit began again on the CPU; a warning if not given.

    Raises
    ------
    StoppedEarly
        If it was stopped before the fit was validated for the first time.
    """
    config = config or AdaptConfig()
    curve = [] if curve is None else curve
    where = str(model.device)

    def fit_on(device: str) -> Steps[Adaptation]:
        del curve[:]
        return _adapt_steps(
            model if device == where else _on_cpu(model),
            recording,
            from_frame=from_frame,
            until_frame=until_frame,
            config=config,
            seed=seed,
            curve=curve,
            stop=stop,
            tell=tell,
        )

    return (yield from stepping_down_steps(fit_on, where, tell, tries=1))


def _adapt_steps(
    model: CalmModel,
    recording: Recording,
    *,
    from_frame: int,
    until_frame: int | None,
    config: AdaptConfig,
    seed: int,
    curve: Curve,
    stop: Stop,
    tell: Tell,
) -> Steps[Adaptation]:
    in_parts = InParts(tell)
    sampler = known_frames(model, recording, from_frame, until_frame, config)
    judging = _whole_windows(sampler)
    held = sampler.validation_windows(VALIDATION_WINDOWS, config.population, seed=seed)
    zero_shot_mse = yield from less_at_once_steps(
        lambda: validation_error_steps(model, judging), tell
    )
    fitted = copy.deepcopy(model).requires_grad_(False).eval()
    with_rows(fitted, recording.n_neurons)
    found = yield from _fit_steps(
        fitted, sampler, config.optimiser, config, seed, curve, held, stop, in_parts
    )
    stopped = stop()
    if stopped and not any("validation_loss" in row and row["step"] for row in curve):
        raise StoppedEarly(
            f"Stopped after {curve[-1]['step']:.0f} steps, before the fit was validated for "
            f"the first time (after {VALIDATE_EVERY}): nothing is kept, the zero-shot model "
            "stays."
        )
    adapted_mse = yield from less_at_once_steps(
        lambda: validation_error_steps(fitted, judging), tell
    )
    helped = adapted_mse < (1 - LEAST_GAIN) * zero_shot_mse
    if helped:
        calibrate(fitted, held, in_parts=in_parts)
        if not stopped:
            again = yield from _with_all_frames_steps(
                model, fitted, sampler, config, seed, found, stop, in_parts
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

    Where a GPU's memory does not suffice for a step, its gradient is taken in parts, which is
    the same fit up to rounding and the draws of dropout; where even one window is too much,
    the fit begins again on the CPU. A warning says so.

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


def _on_cpu(model: CalmModel) -> CalmModel:
    """Copy a model whose device has no room for a second one."""
    kept = {
        id(weight): nn.Parameter(_copied(weight.detach()), weight.requires_grad)
        for weight in model.parameters()
    } | {id(buffer): _copied(buffer) for buffer in model.buffers()}
    return copy.deepcopy(model, kept)


def _copied(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="cpu").copy_(tensor)


def _whole_windows(sampler: WindowSampler) -> list[Window]:
    """Validation windows of the whole population, fewer of them for a large one."""
    n_neurons = len(sampler.traces[0])
    n_windows = int(np.clip(WHOLE_NEURON_WINDOWS // n_neurons, 8, MOST_WHOLE_WINDOWS))
    return sampler.validation_windows(n_windows, None, seed=0)


def _with_all_frames_steps(
    model: CalmModel,
    fitted: CalmModel,
    sampler: WindowSampler,
    config: AdaptConfig,
    seed: int,
    curve: Curve,
    stop: Stop,
    in_parts: InParts,
) -> Steps[CalmModel]:
    """Fit anew on the training and validation part, for as long as was best before.

    The bands stay as they were found on frames that the first fit had not seen.
    """
    best = min((row for row in curve if "validation_loss" in row), key=_validation_loss)
    again = copy.deepcopy(model).requires_grad_(False).eval()
    with_rows(again, fitted.config.dynamics.n_neurons)
    optimiser = replace(config.optimiser, steps=max(1, int(best["step"])), patience=0)
    everything = sampler.with_all_frames()
    yield from _fit_steps(again, everything, optimiser, config, seed, [], (), stop, in_parts)
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
    in_parts: InParts,
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

    def loss_after(batch: WindowBatch, positions: Sequence[int]) -> tuple[Found, int]:
        session = torch.zeros(len(batch), dtype=torch.int64, device=adapted.device)
        hidden = dynamics(
            batch.tokens[:, :, :-1], batch.neurons, session, frames=batch.frames[:, :, :-1]
        )
        loss = forecast_loss(*head_forecast(adapted, batch, hidden, positions))
        return loss, batch.n_targets

    def draw(rng: np.random.Generator, _step: int) -> Drawn:
        windows = [
            sampler.training_window(rng, config.population)
            for _ in range(config.batch_populations)
        ]
        positions = loss_positions(adapted.config, config.head_positions, rng)
        n_targets = sum(len(window.units) for window in windows) * adapted.config.max_tokens

        def loss_of(part: slice) -> Found:
            batches = batches_of_equal_size(adapted, windows[part])
            return weighted_mean([loss_after(each, positions) for each in batches], n_targets)

        return Drawn(len(windows), loss_of)

    start = [adapted.config.context_tokens - 1]

    @torch.no_grad()
    def validate() -> dict[str, float]:
        if not validation:
            return {}
        loss, logged = weighted_mean(
            of_all_parts(validation, lambda batch: loss_after(batch, start), in_parts)
        )
        return {"validation_loss": float(loss), "validation_mse": logged["squared_error"]}

    # What the fit starts from: the zero-shot model.
    curve.append({"step": 0.0, **validate()})
    found = yield from optimise_steps(
        fitted,
        optimiser,
        draw,
        stage="Adapting",
        seed=seed,
        validate=validate,
        validate_every=VALIDATE_EVERY,
        curve=curve,
        stop=stop,
        in_parts=in_parts,
    )
    fitted.requires_grad_(False)
    return found
