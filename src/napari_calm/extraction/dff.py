"""Raw fluorescence to dF/F, a few neurons at a time."""

from collections.abc import Callable

import numpy as np

from ..core.progress import Progress, Steps
from ..preprocess.baseline import (
    DEFAULT_PERCENTILE,
    DEFAULT_WINDOW_S,
    running_baseline,
)

# About a tenth of a second of work: the window wants to hear of progress.
_BLOCK_VALUES = 500_000


def dff_steps(
    fluorescence: np.ndarray,
    frame_rate_hz: float,
    *,
    window_s: float = DEFAULT_WINDOW_S,
    percentile: float = DEFAULT_PERCENTILE,
    reference: np.ndarray | None = None,
    lowest_reference: float | None = None,
    on_baseline: Callable[[slice, np.ndarray], None] | None = None,
) -> Steps[np.ndarray]:
    """Change of fluorescence over its running baseline: ``(F - F0) / F0(reference)``.

    ``F0`` is `running_baseline`: the percentile of the `window_s` seconds up to each
    frame, so that no value depends on a later frame.

    Parameters
    ----------
    fluorescence : numpy.ndarray, (neurons, frames)
        In camera units.
    frame_rate_hz : float
        Frames a second.
    window_s, percentile : float
        Length of the trailing window, and which percentile of it is the baseline.
    reference : numpy.ndarray, (neurons, frames), optional
        The traces whose baseline divides; `fluorescence` itself if not given. For
        neuropil-corrected traces it is the uncorrected ones, whose baseline cannot be
        close to 0.
    lowest_reference : float, optional
        Smallest value to divide by, in camera units.
    on_baseline : callable, optional
        Told of the neurons (a slice) and the baseline that divides them; may raise.

    Returns
    -------
    numpy.ndarray, (neurons, frames)
        dF/F, float32, dimensionless. Not finite where the baseline is 0.
    """
    n_neurons, n_frames = fluorescence.shape
    dff = np.empty((n_neurons, n_frames), np.float32)
    step = max(1, _BLOCK_VALUES // n_frames)
    for start in range(0, n_neurons, step):
        rows = slice(start, min(start + step, n_neurons))
        block = np.asarray(fluorescence[rows])
        baseline = running_baseline(
            block, frame_rate_hz, window_s=window_s, percentile=percentile
        )
        divisor = baseline
        if reference is not None:
            divisor = running_baseline(
                np.asarray(reference[rows]),
                frame_rate_hz,
                window_s=window_s,
                percentile=percentile,
            )
        if on_baseline is not None:
            on_baseline(rows, divisor)
        if lowest_reference is not None:
            divisor = np.maximum(divisor, np.float32(lowest_reference))
        with np.errstate(divide="ignore", invalid="ignore"):
            dff[rows] = (block - baseline) / divisor
        yield Progress(rows.stop, n_neurons, "Computing dF/F")
    return dff
