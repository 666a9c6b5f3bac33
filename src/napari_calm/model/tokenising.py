"""Tokens of a whole recording, block by block."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress, Steps, retold
from ..core.recording import Recording
from ..core.token_map import TokenMap
from .blocks import blocks_of, shown_traces
from .budget import tokenizer_positions

if TYPE_CHECKING:
    from .calm import CalmModel


def check_length(model: "CalmModel", recording: Recording) -> None:
    """Refuse recordings shorter than one context."""
    needed = model.context_frames_of(recording.frame_rate_hz)
    if recording.n_frames < needed:
        raise RecordingError(
            f"{recording.source or recording.name}: {recording.n_frames} frames are shorter "
            f"than one context of the model {model.name}, which is {needed} frames at "
            f"{recording.frame_rate_hz:g} Hz. Use a longer recording."
        )
    if model.config.tokenizer.window != model.config.tokenizer.stride:
        raise CalmError(
            f"{model.name}: tokens overlap (window {model.config.tokenizer.window}, stride "
            f"{model.config.tokenizer.stride} frames); only models whose tokens follow each "
            "other can be used on recordings."
        )


def tokenize_steps(model: "CalmModel", recording: Recording) -> Steps[TokenMap]:
    """Tokenise a recording; see `CalmModel.tokenize`."""
    check_length(model, recording)
    traces = shown_traces(model, recording)
    n_neurons, n_frames = traces.shape
    tokens = np.empty((n_neurons, n_frames // model.config.tokenizer.stride), np.int64)
    for block in blocks_of(model, traces):
        found = yield from retold(
            token_rows_steps(model, block.units),
            lambda rows, block=block: Progress(  # type: ignore[misc]
                block.number * n_neurons + rows, block.total * n_neurons, "Tokenising"
            ),
        )
        tokens[:, block.first_token : block.stop_token] = found[:, block.n_known :]
    return TokenMap(
        tokens=tokens,
        n_codes=model.config.tokenizer.n_codes,
        frames_per_token=model.config.tokenizer.stride,
        model_rate_hz=model.model_rate_hz(recording.frame_rate_hz),
        frame_rate_hz=recording.frame_rate_hz,
        n_frames=recording.n_frames,
        model_name=model.name,
        roi_labels=recording.roi_labels,
    )


@torch.no_grad()
def token_rows_steps(model: "CalmModel", units: np.ndarray) -> Generator[int, None, np.ndarray]:
    """Tokens of normalised rows (rows, frames), some rows at a time; yields rows done."""
    stride = model.config.tokenizer.stride
    n_rows, n_frames = units.shape
    at_once = tokenizer_positions(model.config.tokenizer, model.device) * stride // n_frames
    at_once = max(1, at_once)
    parts = []
    for row in range(0, n_rows, at_once):
        part = units[row : row + at_once]
        x = torch.as_tensor(part, dtype=torch.float32, device=model.device)
        parts.append(model.tokenizer.tokenize(x).cpu().numpy())
        yield min(row + at_once, n_rows)
    return np.concatenate(parts)
