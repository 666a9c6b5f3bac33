"""Hidden states of a whole recording, block by block."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from ..core.progress import Progress, Steps, retold
from ..core.recording import Recording
from ..core.representation import Representation
from .blocks import Block, blocks_of, shown_traces
from .rows import rows_for
from .tokenising import check_length, token_rows_steps

if TYPE_CHECKING:
    from .calm import CalmModel


def represent_steps(
    model: "CalmModel",
    recording: Recording,
    *,
    neuron_ids: np.ndarray | None = None,
    session_id: int | None = None,
    seed: int = 0,
) -> Steps[Representation]:
    """Hidden states of a recording; see `CalmModel.represent`."""
    check_length(model, recording)
    neuron_ids, session_id = rows_for(model, recording, neuron_ids, session_id)
    traces = shown_traces(model, recording)
    n_neurons = len(traces)
    n_groups = -(-n_neurons // model.config.dynamics.max_neurons)
    order = np.random.default_rng(seed).permutation(n_neurons)
    groups = np.array_split(order, n_groups) if n_groups > 1 else [np.arange(n_neurons)]
    n_tokens = traces.shape[1] // model.config.tokenizer.stride
    hidden = np.empty((n_neurons, n_tokens, model.config.dynamics.width), np.float32)
    for block in blocks_of(model, traces):
        tokens = yield from retold(
            token_rows_steps(model, block.units),
            lambda done, block=block: _told(block, done / (2 * n_neurons)),  # type: ignore[misc]
        )
        for number, group in enumerate(groups):
            hidden[group, block.first_token : block.stop_token] = _states(
                model, block, tokens, group, neuron_ids, session_id
            )
            yield _told(block, 0.5 + (number + 1) / (2 * len(groups)))
    return Representation(
        hidden=hidden,
        frames_per_token=model.config.tokenizer.stride,
        model_rate_hz=model.model_rate_hz(recording.frame_rate_hz),
        frame_rate_hz=recording.frame_rate_hz,
        n_frames=recording.n_frames,
        settled_tokens=model.config.context_tokens,
        model_name=model.title,
        roi_labels=recording.roi_labels,
    )


@torch.no_grad()
def _states(
    model: "CalmModel",
    block: Block,
    tokens: np.ndarray,
    group: np.ndarray,
    neuron_ids: np.ndarray | None,
    session_id: int | None,
) -> np.ndarray:
    """States after the block's own tokens of a group of neurons, (group, tokens, width)."""

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=model.device)[None]

    units = block.units[group].astype(np.float32)
    states = model.dynamics(
        tensor(tokens[group]),
        None if neuron_ids is None else tensor(neuron_ids[group]),
        None if session_id is None else tensor(np.asarray(session_id)),
        frames=tensor(units.reshape(len(group), tokens.shape[1], -1)),
    )
    found: np.ndarray = states[0, :, block.n_known :].cpu().numpy()
    return found


def _told(block: Block, share: float) -> Progress:
    """Progress in thousandths of a block."""
    done = round(1000 * (block.number + share))
    return Progress(done, 1000 * block.total, "Reading the recording")
