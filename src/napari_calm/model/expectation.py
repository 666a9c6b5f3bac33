"""Mean and quantiles from the forecast head, and samples brought in line with them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import ndtri

from ..core.progress import Progress, Steps
from ..preprocess.continuation import Continuation
from ..preprocess.portrait import Portrait
from .forecast_head import QUANTILE_LEVELS

if TYPE_CHECKING:
    from .calm import CalmModel


@torch.no_grad()
def expectation_steps(
    model: "CalmModel",
    units: np.ndarray,
    tokens: np.ndarray,
    portrait: Portrait,
    *,
    neuron_ids: np.ndarray | None,
    session_id: int | None,
    seed: int,
    continuation_of: Callable[[np.ndarray], Continuation] | None = None,
) -> Steps[np.ndarray]:
    """Mean and quantiles of the frames after the context, in centred units.

    Populations larger than `max_neurons` are dealt into random groups of even size.

    Parameters
    ----------
    units : numpy.ndarray, (neurons, context_frames)
    tokens : numpy.ndarray of int, (neurons, context tokens)
    portrait : Portrait
        Of the same neurons.
    continuation_of : callable, optional
        Gives the continuation of some neurons (n,) of int where it is known already; made of
        the portrait if not given.

    Returns
    -------
    numpy.ndarray, (1 + levels, neurons, horizon_frames)
        The mean, then the levels of `QUANTILE_LEVELS`.
    """
    head = model.forecast_head
    assert head is not None
    n_neurons = len(units)
    n_groups = -(-n_neurons // model.config.dynamics.max_neurons)
    order = np.arange(n_neurons)
    if n_groups > 1:
        order = np.random.default_rng(seed).permutation(n_neurons)
    found = np.empty((1 + len(QUANTILE_LEVELS), n_neurons, head.config.horizon_frames))

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=model.device)[None]

    n_recent, n_horizon = head.config.recent_frames, head.config.horizon_frames
    for number, group in enumerate(np.array_split(order, n_groups)):
        recent = units[group, None, -n_recent:]
        continuation = (continuation_of or portrait.continuation)(group)
        continued = portrait.continued(continuation, group, recent, n_horizon)
        features = np.concatenate([portrait.neurons[group], continuation.skill], axis=1)
        frames = units[group].reshape(len(group), tokens.shape[1], -1)
        hidden = model.dynamics(
            tensor(tokens[group]),
            None if neuron_ids is None else tensor(np.asarray(neuron_ids)[group]),
            None if session_id is None else tensor(np.asarray(session_id)),
            frames=tensor(frames),
        )
        forecast = head(
            hidden[:, :, -1:],
            tensor(recent),
            tensor(features),
            tensor(portrait.pairs(group).astype(np.float32)),
            tensor(continued),
        )
        found[0, group] = forecast.mean[0, :, 0].cpu().numpy()
        found[1:, group] = forecast.quantiles[0, :, 0].permute(2, 0, 1).cpu().numpy()
        yield Progress(number + 1, n_groups, "Forecasting the mean and its bands")
    return found


def couple(samples: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Give joint samples the head's distribution at every neuron and frame.

    Each value is replaced by the head's quantile at its rank among the samples, so what
    belongs together over time and neurons stays so while each single frame has the head's
    spread: ensemble copula coupling (Schefzik, Thorarinsdottir and Gneiting 2013,
    Statistical Science 28, 616-640).

    Parameters
    ----------
    samples : numpy.ndarray, (samples, neurons, frames)
    quantiles : numpy.ndarray, (levels, neurons, frames)
        At `QUANTILE_LEVELS`; between and beyond them straight lines over the normal score.
    """
    ranks = samples.argsort(axis=0).argsort(axis=0)
    score = ndtri((ranks + 0.5) / len(samples))
    knots = ndtri(np.array(QUANTILE_LEVELS))
    left = np.clip(np.searchsorted(knots, score) - 1, 0, len(knots) - 2)
    low = np.take_along_axis(quantiles, left, axis=0)
    high = np.take_along_axis(quantiles, left + 1, axis=0)
    share = (score - knots[left]) / (knots[left + 1] - knots[left])
    coupled: np.ndarray = low + share * (high - low)
    return coupled
