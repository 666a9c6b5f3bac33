"""Autocorrelated random signals, from which behaviour, latents and neuropil are made."""

import numpy as np
from scipy.signal import lfilter


def smooth_noise(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    *,
    frame_rate_hz: float,
    time_constant_s: float,
) -> np.ndarray:
    """Draw Ornstein-Uhlenbeck noise of mean 0 and standard deviation 1.

    Parameters
    ----------
    shape : tuple of int
        Time is the last axis; the other axes are independent.
    time_constant_s : float
        Seconds over which the autocorrelation falls to 1/e.

    Returns
    -------
    numpy.ndarray
        Stationary from the first frame on.
    """
    keep = np.exp(-1 / (frame_rate_hz * time_constant_s))
    steps = rng.standard_normal(shape)
    steps[..., 1:] *= np.sqrt(1 - keep**2)
    noise: np.ndarray = lfilter([1.0], [1.0, -keep], steps, axis=-1)
    return noise


def rotating_noise(
    rng: np.random.Generator,
    n_frames: int,
    *,
    frame_rate_hz: float,
    period_s: float,
    time_constant_s: float,
) -> np.ndarray:
    """Draw a pair of signals that turn around each other, (2, frames), each of variance 1.

    A damped rotation driven by noise: unlike `smooth_noise`, its future does not simply
    fall back to the mean, so a model that has understood it beats persistence.

    Parameters
    ----------
    period_s : float
        Seconds a turn.
    time_constant_s : float
        Seconds over which a turn is forgotten.
    """
    keep = np.exp(-1 / (frame_rate_hz * time_constant_s))
    turn = np.exp(2j * np.pi / (period_s * frame_rate_hz))
    steps = rng.standard_normal(n_frames) + 1j * rng.standard_normal(n_frames)
    steps[1:] *= np.sqrt(1 - keep**2)
    signal = lfilter([1.0], [1.0, -keep * turn], steps)
    return np.stack([signal.real, signal.imag])
