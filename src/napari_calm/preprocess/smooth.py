"""The causal smoothing of the CalM release."""

import numpy as np


def alpha_at_rate(alpha: float, rate_hz: float, other_rate_hz: float) -> float:
    """The weight that smooths as strongly at another frame rate.

    Examples
    --------
    >>> round(alpha_at_rate(0.75, 6.0, 12.0), 6), alpha_at_rate(1.0, 6.0, 12.0)
    (0.5, 1.0)
    """
    if rate_hz == other_rate_hz:
        return alpha
    return float(1 - (1 - alpha) ** (rate_hz / other_rate_hz))


def smooth_causally(traces: np.ndarray, alpha: float) -> np.ndarray:
    """Exponential smoothing that looks only backwards.

    s[0] = x[0], s[t] = alpha x[t] + (1 - alpha) s[t-1].

    Parameters
    ----------
    traces : numpy.ndarray, (..., frames)
    alpha : float
        Weight of the newest frame; 1 returns the traces unchanged (the release: 0.15).

    Source: Xu et al. 2026 (arXiv 2604.04958), preprocessing.
    """
    if alpha == 1:
        return traces
    # Takes a second to import, which a window that opens would stand still for.
    from scipy.signal import lfilter

    start = (1 - alpha) * traces[..., :1]
    smoothed, _ = lfilter([alpha], [1, alpha - 1], traces, axis=-1, zi=start)
    result: np.ndarray = smoothed.astype(traces.dtype)
    return result
