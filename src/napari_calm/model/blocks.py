"""A recording as the networks read it: block after block, each with the context before it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core.recording import Recording
from ..preprocess.normalise import normalisation_from
from ..preprocess.resample import resampling_matrix
from ..preprocess.smooth import smooth_causally

if TYPE_CHECKING:
    from .calm import CalmModel


class Block(NamedTuple):
    """Normalised frames (neurons, frames) of a block behind its context.

    `first_token` to `stop_token` of the recording are the block's own; `n_known` tokens of
    the context come before them. `number` of `total` blocks.
    """

    units: np.ndarray
    first_token: int
    stop_token: int
    n_known: int
    number: int
    total: int


def shown_traces(model: "CalmModel", recording: Recording) -> np.ndarray:
    """Traces at the model's rate and smoothness, (neurons, a whole number of tokens).

    The last token is filled up with copies of the last frame, as in the release.
    """
    settings = model.config.preprocessing
    rate_hz = model.model_rate_hz(recording.frame_rate_hz)
    resampling = resampling_matrix(
        recording.n_frames, recording.frame_rate_hz, rate_hz, end_aligned=False
    )
    traces = (resampling @ recording.traces.T).T
    traces = smooth_causally(traces, settings.smoothing_alpha)
    missing = -traces.shape[1] % model.config.tokenizer.stride
    return np.pad(traces, ((0, 0), (0, missing)), mode="edge")


def blocks_of(model: "CalmModel", traces: np.ndarray) -> Iterator[Block]:
    """Walk through `shown_traces`.

    The first block is the first context, relative to itself; each later one is relative to
    what lies before it, as in a forecast.
    """
    settings, stride = model.config.preprocessing, model.config.tokenizer.stride
    context = settings.context_frames
    block_frames = settings.max_frames - context
    n_frames = traces.shape[1]
    starts = [0, *range(context, n_frames, block_frames)]
    for number, start in enumerate(starts):
        first = max(0, start - context)
        stop = context if start == 0 else min(start + block_frames, n_frames)
        known = traces[:, : max(start, context)]
        normalisation = normalisation_from(known, known[:, -context:], settings.centre)
        yield Block(
            units=normalisation.apply(traces[:, first:stop]),
            first_token=start // stride,
            stop_token=stop // stride,
            n_known=(start - first) // stride,
            number=number,
            total=len(starts),
        )
