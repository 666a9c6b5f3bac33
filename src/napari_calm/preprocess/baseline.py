"""Fluorescence to dF/F, looking only backwards."""

import numpy as np
import pandas as pd

DEFAULT_WINDOW_S = 60.0
DEFAULT_PERCENTILE = 20.0


def running_baseline(
    fluorescence: np.ndarray,
    frame_rate_hz: float,
    *,
    window_s: float = DEFAULT_WINDOW_S,
    percentile: float = DEFAULT_PERCENTILE,
) -> np.ndarray:
    """Running percentile of each trace over the `window_s` seconds up to each frame.

    The window trails, so no frame's baseline depends on a later frame: a forecast that
    starts anywhere has seen nothing of what it is scored on. Over the first frames the
    window is as long as what there is.

    Parameters
    ----------
    fluorescence : numpy.ndarray, (neurons, frames)
        Raw fluorescence in camera units.
    frame_rate_hz : float
        Frames a second.

    Returns
    -------
    numpy.ndarray, (neurons, frames)
        Baseline in the same units, float32.
    """
    window_frames = max(1, round(window_s * frame_rate_hz))
    rolling = pd.DataFrame(np.asarray(fluorescence, np.float64).T).rolling(
        window_frames, min_periods=1
    )
    return rolling.quantile(percentile / 100).to_numpy(np.float32).T
