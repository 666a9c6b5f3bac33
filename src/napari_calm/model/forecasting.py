"""From a recording and a start frame to a forecast."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.errors import CalmError, RecordingError
from ..core.forecast import Forecast
from ..core.progress import Progress, Steps, retold
from ..core.recording import Recording
from ..preprocess.normalise import Normalisation, normalisation_from
from ..preprocess.portrait import Portrait, portrait_of
from ..preprocess.resample import forecast_matrix, model_horizon_frames, resampling_matrix
from ..preprocess.smooth import alpha_at_rate, smooth_causally
from .budget import dynamics_positions, tokenizer_positions
from .expectation import couple, expectation_steps
from .forecast_head import QUANTILE_LEVELS
from .rollout import Choose, most_likely, roll_out_steps, sampled, windows
from .rows import rows_for
from .tokenising import check_length, token_rows_steps

if TYPE_CHECKING:
    from .calm import CalmModel

MOST_BYTES = 4e9
# Draws that continue a forecast beyond the head's horizon where none were asked for.
TAIL_SAMPLES = 16

Expectation = Literal["auto", "direct", "samples"]


class Context(NamedTuple):
    """What the networks see of the frames before the start.

    units (neurons, context_frames), and how to get back; portrait of the same neurons.
    """

    units: np.ndarray
    normalisation: Normalisation
    portrait: Portrait


def prepare_context(
    model: "CalmModel",
    recording: Recording,
    start_frame: int,
    statistics_until: int | None = None,
) -> Context:
    """Resample, smooth and normalise the frames before `start_frame`, and no others."""
    settings = model.config.preprocessing
    rate_hz = model.model_rate_hz(recording.frame_rate_hz)

    def before(frame: int) -> np.ndarray:
        resampling = resampling_matrix(
            frame, recording.frame_rate_hz, rate_hz, end_aligned=True
        )
        traces = (resampling @ recording.traces[:, :frame].T).T
        return smooth_causally(traces, settings.smoothing_alpha)

    known = before(start_frame)
    context = known[:, -settings.context_frames :]
    history = known if statistics_until is None else before(statistics_until)
    normalisation = normalisation_from(history, context, settings.centre)
    return Context(
        units=normalisation.apply(context).astype(np.float32),
        normalisation=normalisation,
        portrait=portrait_of(history, context, normalisation, rate_hz),
    )


def forecast_steps(
    model: "CalmModel",
    recording: Recording,
    *,
    start_frame: int,
    horizon_frames: int,
    samples: int = 16,
    seed: int = 0,
    expectation: Expectation = "auto",
    statistics_until: int | None = None,
    neuron_ids: np.ndarray | None = None,
    session_id: int | None = None,
) -> Steps[Forecast]:
    """Forecast a recording; see `CalmModel.forecast`."""
    _check_request(
        model, recording, start_frame, horizon_frames, samples, seed, statistics_until
    )
    neuron_ids, session_id = rows_for(model, recording, neuron_ids, session_id)
    direct = _takes_head(model, expectation)
    config = model.config
    rate_hz = model.model_rate_hz(recording.frame_rate_hz)
    context = prepare_context(model, recording, start_frame, statistics_until)
    n_model_frames = model_horizon_frames(horizon_frames, recording.frame_rate_hz, rate_hz)
    back = forecast_matrix(horizon_frames, recording.frame_rate_hz, rate_hz)

    def in_recording_frames(units: np.ndarray) -> np.ndarray:
        """Bring (..., neurons, model frames) to the recording's frames, still normalised."""
        last_seen = np.broadcast_to(context.units[:, -1:], (*units.shape[:-1], 1))
        frames = np.concatenate([last_seen, units[..., :n_model_frames]], axis=-1)
        flat = frames.reshape(-1, frames.shape[-1])
        resampled: np.ndarray = (back @ flat.T).T
        return resampled.reshape(*units.shape[:-1], horizon_frames)

    tokens = yield from retold(
        token_rows_steps(model, context.units),
        lambda done: Progress(done, recording.n_neurons, "Tokenising the context"),
    )
    head = None
    n_head_frames = 0
    if direct:
        head = yield from expectation_steps(
            model,
            context.units,
            tokens,
            context.portrait,
            neuron_ids=neuron_ids,
            session_id=session_id,
            seed=seed,
        )
        n_head_frames = head.shape[-1]
    draws = samples
    if direct and n_model_frames > n_head_frames:
        draws = max(samples, TAIL_SAMPLES)
    trajectories = None
    if draws or not direct:
        trajectories = yield from _trajectories_steps(
            model, tokens, draws, seed, n_model_frames, neuron_ids, session_id
        )
    if head is None:
        assert trajectories is not None
        sampled_frames = in_recording_frames(trajectories)
        mean = sampled_frames.mean(axis=0)
        quantiles = np.quantile(sampled_frames, QUANTILE_LEVELS, axis=0)
    else:
        if trajectories is not None:
            head = _with_tail(head, trajectories)
            trajectories = couple(trajectories, head[1:, :, : trajectories.shape[-1]])
        mean, *levels = in_recording_frames(head)
        quantiles = np.stack(levels)
        sampled_frames = np.empty((0, recording.n_neurons, horizon_frames))
        if samples and trajectories is not None:
            sampled_frames = in_recording_frames(trajectories)[:samples]
    undo = context.normalisation.undo
    return Forecast(
        mean=undo(mean),
        quantiles=undo(quantiles),
        quantile_levels=np.array(QUANTILE_LEVELS),
        samples=undo(sampled_frames),
        start_frame=start_frame,
        frame_rate_hz=recording.frame_rate_hz,
        centre=context.normalisation.centre,
        scale=context.normalisation.scale,
        smoothing_alpha=alpha_at_rate(
            config.preprocessing.smoothing_alpha, rate_hz, recording.frame_rate_hz
        ),
        model_name=model.title,
        seed=seed,
        roi_labels=recording.roi_labels,
    )


def _takes_head(model: "CalmModel", expectation: Expectation) -> bool:
    """Tell whether mean and quantiles come from the forecast head."""
    if expectation not in ("auto", "direct", "samples"):
        raise CalmError(
            f"forecast: expectation is {expectation!r}; expected auto, direct or samples."
        )
    if expectation == "direct" and model.forecast_head is None:
        raise CalmError(
            f"forecast: the model {model.name} has no forecast head. Use expectation "
            "'samples', or 'auto' to take whatever the model has."
        )
    return expectation != "samples" and model.forecast_head is not None


def _with_tail(head: np.ndarray, trajectories: np.ndarray) -> np.ndarray:
    """Continue what the head says by the samples' own mean and quantiles.

    Over the last quarter of the head's horizon one passes smoothly into the other.
    """
    n_head, n_frames = head.shape[-1], trajectories.shape[-1]
    if n_frames <= n_head:
        return head
    drawn = np.concatenate(
        [trajectories.mean(axis=0)[None], np.quantile(trajectories, QUANTILE_LEVELS, axis=0)]
    )
    trust = np.clip((n_head - np.arange(n_frames)) / (n_head / 4), 0, 1)
    padded = np.pad(head, ((0, 0), (0, 0), (0, n_frames - n_head)))
    tail: np.ndarray = trust * padded + (1 - trust) * drawn
    return tail


def _trajectories_steps(
    model: "CalmModel",
    prefix_tokens: np.ndarray,
    samples: int,
    seed: int,
    n_model_frames: int,
    neuron_ids: np.ndarray | None,
    session_id: int | None,
) -> Steps[np.ndarray]:
    """Roll out tokens and decode them, (max(samples, 1), neurons, n_model_frames)."""
    config = model.config
    n_neurons = len(prefix_tokens)
    prefix = torch.as_tensor(prefix_tokens, device=model.device)
    n_new = -(-n_model_frames // config.tokenizer.stride)
    trajectories = np.empty((max(samples, 1), n_neurons, n_model_frames), np.float32)
    batches = list(_batches(model, n_neurons, samples, seed, n_new))
    total = len(batches) * n_new
    for number, batch in enumerate(batches):
        ids, session_ids = _ids(model, batch, neuron_ids, session_id)
        steps = roll_out_steps(
            model.dynamics,
            prefix[torch.as_tensor(batch.neurons, device=model.device)],
            n_new,
            batch.choose,
            max_tokens=config.max_tokens,
            keep_tokens=config.context_tokens,
            neuron_ids=ids,
            session_ids=session_ids,
            tokens_per_piece=max(
                1, dynamics_positions(config.dynamics, model.device) // batch.neurons.size
            ),
        )
        before = number * n_new

        def rolled_out(done: int, before: int = before) -> Progress:
            return Progress(before + done, total, "Forecasting")

        def decoded(_: Progress, after: int = before + n_new) -> Progress:
            return Progress(after, total, "Decoding tokens")

        tokens = yield from retold(steps, rolled_out)
        frames = yield from retold(
            _decode_steps(model, tokens.flatten(0, 1), prefix.shape[1]), decoded
        )
        frames = frames[:, :n_model_frames].reshape(*batch.neurons.shape, n_model_frames)
        trajectories[batch.samples[:, None], batch.neurons] = frames
    return trajectories


class _Batch(NamedTuple):
    """Populations rolled out together: sample numbers (rows,), neurons (rows, group)."""

    samples: np.ndarray
    neurons: np.ndarray
    choose: Choose


def _batches(
    model: "CalmModel", n_neurons: int, samples: int, seed: int, n_new: int
) -> Iterator[_Batch]:
    """Deal each sample's neurons into groups of at most `max_neurons`, groups into batches.

    Groups of a large population are drawn anew for every sample, so cost grows linearly
    with neurons and no pair of neurons is kept apart in all samples. Draws belong to a
    sample and a neuron, so they do not depend on the batching.
    """
    n_groups = -(-n_neurons // model.config.dynamics.max_neurons)
    rows: dict[int, list[tuple[int, np.ndarray]]] = {}
    uniforms = []
    for sample in range(max(samples, 1)):
        rng = np.random.default_rng([seed, sample])
        if samples:
            # Step by step, so that a longer horizon begins with the same draws.
            uniforms.append(rng.random((n_new, n_neurons), dtype=np.float32).T)
        order = rng.permutation(n_neurons) if n_groups > 1 else np.arange(n_neurons)
        for group in np.array_split(order, n_groups):
            rows.setdefault(group.size, []).append((sample, group))
    for size, same_size in rows.items():
        at_once = max(1, dynamics_positions(model.config.dynamics, model.device) // size)
        for first in range(0, len(same_size), at_once):
            chosen = same_size[first : first + at_once]
            numbers = np.array([sample for sample, _ in chosen])
            neurons = np.stack([group for _, group in chosen])
            if not samples:
                yield _Batch(numbers, neurons, most_likely)
                continue
            draws = np.stack([uniforms[sample][group] for sample, group in chosen])
            yield _Batch(numbers, neurons, sampled(torch.as_tensor(draws, device=model.device)))


@torch.no_grad()
def _decode_steps(model: "CalmModel", tokens: Tensor, n_prefix: int) -> "Steps[np.ndarray]":
    """Frames of the tokens (rows, prefix + new) after the prefix, (rows, frames)."""
    config = model.config
    stride = config.tokenizer.stride
    n_rows, n_tokens = tokens.shape
    frames = np.empty((n_rows, (n_tokens - n_prefix) * stride), np.float32)
    for window in windows(
        n_prefix, n_tokens - n_prefix, config.max_tokens, config.context_tokens
    ):
        length = window.stop - window.start
        at_once = max(1, tokenizer_positions(config.tokenizer, model.device) // length)
        for row in range(0, n_rows, at_once):
            part = tokens[row : row + at_once, window.start : window.stop]
            decoded = model.tokenizer.decode_tokens(part)[
                :, (window.new - window.start) * stride :
            ]
            place = slice((window.new - n_prefix) * stride, (window.stop - n_prefix) * stride)
            frames[row : row + at_once, place] = decoded.cpu().numpy()
            yield Progress(row, n_rows, "Decoding tokens")
    return frames


def _ids(
    model: "CalmModel", batch: _Batch, neuron_ids: np.ndarray | None, session_id: int | None
) -> tuple[Tensor | None, Tensor | None]:
    neurons = (
        None
        if neuron_ids is None
        else torch.as_tensor(np.asarray(neuron_ids)[batch.neurons], device=model.device)
    )
    session = (
        None
        if session_id is None
        else torch.full((len(batch.samples),), session_id, device=model.device)
    )
    return neurons, session


def _check_request(
    model: "CalmModel",
    recording: Recording,
    start_frame: int,
    horizon_frames: int,
    samples: int,
    seed: int,
    statistics_until: int | None,
) -> None:
    check_length(model, recording)
    earliest = model.context_frames_of(recording.frame_rate_hz)
    if not earliest <= start_frame <= recording.n_frames:
        raise RecordingError(
            f"{recording.source or recording.name}: the forecast cannot start at frame "
            f"{start_frame}. The model {model.name} looks at {earliest} frames before it, so "
            f"choose a frame from {earliest} to {recording.n_frames} "
            f"({earliest / recording.frame_rate_hz:.1f} s to {recording.duration_s:.1f} s)."
        )
    if statistics_until is not None and not earliest <= statistics_until <= start_frame:
        raise CalmError(
            f"forecast: statistics_until is frame {statistics_until}; expected {earliest} (one "
            f"context) to {start_frame} (the start)."
        )
    if horizon_frames < 1:
        raise CalmError(
            f"forecast: the horizon is {horizon_frames} frames; it must be at least 1."
        )
    if not 0 <= seed < 2**63:
        raise CalmError(f"forecast: the seed is {seed}; it must be 0 or more, below 2^63.")
    n_bytes = 4 * max(samples, 1) * recording.n_neurons * horizon_frames
    if n_bytes > MOST_BYTES:
        raise CalmError(
            f"forecast: {samples} samples of {recording.n_neurons} neurons x {horizon_frames} "
            f"frames take {n_bytes / 1e9:.3g} GB; at most {MOST_BYTES / 1e9:g} GB are made at "
            "once. Ask for fewer samples or a shorter horizon."
        )
    if samples < 0:
        raise CalmError(
            f"forecast: samples is {samples}; 0 means greedy, above 0 so many draws."
        )
