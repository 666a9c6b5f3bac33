"""How large the error of a model's forecasts is in held-out windows of a recording."""

from collections.abc import Sequence

import numpy as np
import torch

from ..core.progress import Progress, Steps, retold
from ..model.calm import CalmModel
from ..model.expectation import expectation_steps
from ..model.forecast_head import horizon_weights
from ..model.tokenising import token_rows_steps
from .data import Window


def validation_error_steps(model: CalmModel, windows: Sequence[Window]) -> Steps[float]:
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
