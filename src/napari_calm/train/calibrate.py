"""Bands that hold what they say, on frames that gave nothing to training."""

from collections.abc import Sequence

import numpy as np
import torch

from ..model.calm import CalmModel
from ..model.forecast_head import QUANTILE_LEVELS
from .data import Window
from .dynamics_training import head_forecast
from .in_parts import InParts
from .window_batch import WindowBatch, batches_of_equal_size, of_all_parts

NEIGHBOUR_FRAMES = 4
LEAST, MOST = 0.5, 4.0


@torch.no_grad()
def calibrate(
    model: CalmModel, windows: Sequence[Window], *, in_parts: InParts | None = None
) -> None:
    """Stretch the head's bands so that each quantile holds its share on `windows`.

    The distance of each quantile from the median is multiplied, per level and horizon, by
    the factor that makes it true there (conformalised quantile regression in its scaled
    form: Romano, Patterson and Candes 2019; neighbouring horizons are pooled). Factors are
    kept within 0.5 and 4.

    Parameters
    ----------
    in_parts : InParts, optional
        In how many parts a batch of windows is taken.
    """
    in_parts = in_parts or InParts()
    head = model.forecast_head
    if head is None or not windows:
        return
    model.eval()
    has_rows = model.config.dynamics.n_neurons > 0
    head.stretch.fill_(1.0)
    last = model.config.context_tokens - 1

    def ratios_of(batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """Truth's distance from the median over the level's, (rows, horizon, levels).

        And where there is a truth, (horizon,).
        """
        hidden = model.dynamics(
            batch.tokens[:, :, : last + 1],
            batch.neurons if has_rows else None,
            frames=batch.frames[:, :, : last + 1],
        )
        forecast, truth, has_truth = head_forecast(model, batch, hidden, [last])
        median = forecast.quantiles[..., QUANTILE_LEVELS.index(0.5), None]
        distance = forecast.quantiles - median
        ratio = (truth[..., None] - median) / torch.where(distance == 0, 1.0, distance)
        return ratio[:, :, 0].flatten(0, 1).cpu().numpy(), has_truth[0].cpu().numpy()

    found = of_all_parts(batches_of_equal_size(model, windows), ratios_of, in_parts)
    known = found[0][1]
    ratio_of = np.concatenate([ratios for ratios, _ in found])[:, known]
    n_known = ratio_of.shape[1]
    stretch = np.ones(tuple(head.stretch.shape))
    for number, level in enumerate(QUANTILE_LEVELS):
        if level == 0.5:
            continue
        for horizon in range(n_known):
            near = ratio_of[
                :, max(0, horizon - NEIGHBOUR_FRAMES) : horizon + NEIGHBOUR_FRAMES + 1, number
            ]
            stretch[horizon, number] = np.quantile(near, max(level, 1 - level))
        stretch[n_known:, number] = stretch[n_known - 1, number]
    head.stretch.copy_(torch.as_tensor(np.clip(stretch, LEAST, MOST)))
