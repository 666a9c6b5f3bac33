"""Fit a model to one recording with its backbone frozen; keep it only where it helps."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress, Steps, retold, run
from ..core.recording import Recording
from ..model.adaptation import Adaptation, with_rows
from ..model.calm import CalmModel
from ..model.expectation import expectation_steps
from ..model.forecast_head import forecast_loss, horizon_weights
from ..model.population_skip import PopulationSkip
from ..model.tokenising import token_rows_steps
from ..preprocess.normalise import normalisation_from
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
from .population_fit import PopulationWindows, fit_population_skip

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
            learning_rate=5e-4,
            weight_decay=1e-2,
            average_decay=0.95,
            patience=5,
        )
    )
    batch_populations: int = 8
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
) -> Steps[Adaptation]:
    """`adapt` as a generator of progress; the learning curve is appended to `curve`."""
    config = config or AdaptConfig()
    curve = [] if curve is None else curve
    sampler = _known_frames(model, recording, from_frame, until_frame, config)
    whole = _whole_windows(sampler)
    n_context = sampler.config.context_frames
    # The earlier half chooses what to mix in how much, the later half judges it.
    half = len(whole) // 2
    choosing, judging = whole[:half], whole[half:]
    truth = np.stack(
        [window.units[:, n_context:] / window.portrait.spread[:, None] for window in judging]
    )
    held = sampler.validation_windows(VALIDATION_WINDOWS, config.population, seed=seed)
    zero_shot_mse = _weighted_mse((yield from _means_steps(model, judging)), truth)
    fitted = copy.deepcopy(model).requires_grad_(False).eval()
    with_rows(fitted, recording.n_neurons)
    yield from _fit_steps(fitted, sampler, held, config, seed, curve)
    fitted_mse = _weighted_mse((yield from _means_steps(fitted, judging)), truth)
    means = yield from _means_steps(fitted, choosing)
    mixed = copy.copy(fitted)
    mixed.population_skip = _population_skip(sampler, choosing, means)
    mixed_mse = _weighted_mse((yield from _means_steps(mixed, judging)), truth)
    # Whatever is more than the simpler one has to prove itself.
    adapted, adapted_mse = fitted, fitted_mse
    if mixed_mse < (1 - LEAST_GAIN) * fitted_mse:
        adapted, adapted_mse = mixed, mixed_mse
    calibrate(adapted, held)
    helped = adapted_mse < (1 - LEAST_GAIN) * zero_shot_mse
    return Adaptation(
        model_name=model.name,
        recording_name=recording.name,
        until_frame=recording.n_frames if until_frame is None else until_frame,
        roi_labels=recording.roi_labels,
        weights=fitted_weights(adapted) if helped else {},
        zero_shot_mse=zero_shot_mse,
        adapted_mse=adapted_mse,
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
    """Fit rows, head and population map to a recording; backbone and tokenizer stay frozen.

    1. A row for each neuron and one for the session, and the forecast head, by gradient,
       until the validation part gets no better.
    2. A ridge regression on the population's newest frames is mixed into the head's mean as
       far as it helps on the earlier half of the validation part, if it then helps on the
       later half as well.
    3. The bands are stretched to hold their share on the validation part.

    If all that is no better on that later half than the model as it was, the result
    is empty and says so: applied, it changes nothing.

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
    if adapted.population_skip is not None:
        weights |= {
            f"skip.{f.name}": torch.as_tensor(getattr(adapted.population_skip, f.name))
            for f in fields(adapted.population_skip)
        }
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


def _means_steps(model: CalmModel, windows: Sequence[Window]) -> Steps[np.ndarray]:
    """Forecast the mean of each window, (windows, neurons, frames).

    In units of each neuron's deviation in the recording, from the context's mean.
    """
    n_context = windows[0].config.context_frames
    has_rows = model.config.dynamics.n_neurons == windows[0].neurons.size
    found: list[np.ndarray] = []
    for window in windows:
        units = window.units[:, :n_context]
        tokens = yield from retold(
            token_rows_steps(model, units),
            lambda _: Progress(len(found), len(windows), "Checking on the validation part"),
        )
        expectation = yield from expectation_steps(
            model,
            units,
            tokens,
            window.portrait,
            neuron_ids=window.neurons if has_rows else None,
            session_id=0 if has_rows else None,
            seed=0,
        )
        spread = window.portrait.spread[:, None]
        found.append(expectation[0, :, : window.future.shape[1]] / spread)
    return np.stack(found)


def _weighted_mse(mean: np.ndarray, truth: np.ndarray) -> float:
    n_frames = mean.shape[2]
    weights = horizon_weights(n_frames, torch.ones(1)).numpy()
    return float((((mean - truth[:, :, :n_frames]) ** 2) * weights).mean())


def _population_skip(
    sampler: WindowSampler, choosing: Sequence[Window], means: np.ndarray
) -> PopulationSkip | None:
    """Fit the population map on the training part, choose on the validation windows."""
    traces, n_fitted = sampler.traces[0], sampler.n_training[0]
    n_context = sampler.config.context_frames
    n_future = sampler.config.max_frames - n_context
    scale = normalisation_from(traces[:, :n_fitted], traces[:, :n_fitted], "history").scale
    mean = traces[:, :n_fitted].mean(axis=1)

    def windows(starts: np.ndarray) -> PopulationWindows:
        return PopulationWindows(
            traces,
            starts,
            context_frames=n_context,
            future_frames=n_future,
            scale=scale,
            mean=mean,
        )

    fitted = windows(np.arange(n_context, n_fitted - n_future + 1))
    validated = windows(np.array([window.start for window in choosing]))
    return fit_population_skip(fitted, validated, means)


def _fit_steps(
    adapted: CalmModel,
    sampler: WindowSampler,
    held: Sequence[Window],
    config: AdaptConfig,
    seed: int,
    curve: Curve,
) -> Steps[Curve]:
    """Fit rows and head by gradient; the validation part says when to stop."""
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
        start = [adapted.config.context_tokens - 1]
        loss, logged = weighted_mean(
            [(loss_after(batch, start), batch.n_targets) for batch in validation]
        )
        return {"validation_loss": float(loss), "validation_mse": logged["squared_error"]}

    # What the fit starts from: the zero-shot model.
    curve.append({"step": 0.0, **validate()})
    found = yield from optimise_steps(
        fitted,
        config.optimiser,
        loss_of,
        stage="Adapting",
        seed=seed,
        validate=validate,
        validate_every=VALIDATE_EVERY,
        curve=curve,
    )
    fitted.requires_grad_(False)
    return found
