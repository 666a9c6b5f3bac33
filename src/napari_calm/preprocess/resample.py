"""Between the recording's frame rate and the one a checkpoint was trained at.

Slower is a longer exposure: each new frame is the mean over its interval, which keeps
fast noise from folding into slow signals and looks at nothing outside the interval.
Faster is linear interpolation in which a frame's value is reached at the frame's end, so
nothing leans on a frame that has not begun. Both are small matrices, so they are exact about
which frames enter which result.
"""

import math

import numpy as np
import scipy.sparse as sp


def model_rate_hz(frame_rate_hz: float, range_hz: tuple[float, float]) -> float:
    """Rate at which a recording is shown to the model.

    Its own rate inside the range; else that rate divided (or multiplied) by the smallest
    whole number that leads inside, or the nearest end of the range if none does.

    Examples
    --------
    >>> model_rate_hz(6.0, (4.0, 12.0)), model_rate_hz(30.0, (4.0, 12.0))
    (6.0, 10.0)
    >>> model_rate_hz(1.7, (4.0, 12.0)), model_rate_hz(7.5, (5.0, 6.0))
    (5.1, 6.0)
    """
    low, high = range_hz
    # Rates from files carry rounding errors; 1e-3 of slack keeps a 12.001 Hz file as it is.
    if low * (1 - 1e-3) <= frame_rate_hz <= high * (1 + 1e-3):
        return frame_rate_hz
    if frame_rate_hz > high:
        rate = frame_rate_hz / math.ceil(frame_rate_hz / high)
        return rate if rate >= low else high
    rate = frame_rate_hz * math.ceil(low / frame_rate_hz)
    return rate if rate <= high else low


def resampling_matrix(
    n_frames: int, frame_rate_hz: float, new_rate_hz: float, *, end_aligned: bool
) -> sp.csr_array:
    """Weights that bring traces of `n_frames` to `new_rate_hz`.

    Parameters
    ----------
    end_aligned : bool
        Whether the last new frame ends with the last old one (the frames before a
        forecast), or the first begins with the first.

    Returns
    -------
    scipy.sparse.csr_array, (new frames, frames)
        Rows sum to 1. ``traces @ matrix.T`` are the new traces.
    """
    if new_rate_hz == frame_rate_hz:
        return sp.eye_array(n_frames, format="csr")
    step = frame_rate_hz / new_rate_hz  # old frames in one new frame
    n_new = math.floor(n_frames / step + 1e-6)
    offset = n_frames - n_new * step if end_aligned else 0.0
    if new_rate_hz > frame_rate_hz:
        centres = offset + (np.arange(n_new) + 0.5) * step
        return interpolation_matrix(centres - 1.0, n_frames)
    edges = np.clip(offset + np.arange(n_new + 1) * step, 0, n_frames)
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    width = math.ceil(step) + 1
    frames = first[:, None] + np.arange(width)
    overlap = np.minimum(frames + 1, edges[1:, None]) - np.maximum(frames, edges[:-1, None])
    overlap = np.clip(overlap, 0, None)
    return _sparse_rows(np.minimum(frames, n_frames - 1), overlap, n_frames)


def interpolation_matrix(positions: np.ndarray, n_frames: int) -> sp.csr_array:
    """Linear interpolation between frames 0 ... n_frames - 1, held outside.

    Parameters
    ----------
    positions : numpy.ndarray, (new frames,)
        In frames; 0 is the centre of the first one.
    """
    positions = np.clip(positions, 0, n_frames - 1)
    left = np.minimum(np.floor(positions).astype(np.int64), max(n_frames - 2, 0))
    share = positions - left
    frames = np.minimum(left[:, None] + np.arange(2), n_frames - 1)
    return _sparse_rows(frames, np.stack([1 - share, share], axis=1), n_frames)


def forecast_matrix(
    horizon_frames: int, frame_rate_hz: float, model_rate_hz: float
) -> sp.csr_array:
    """Weights that bring a forecast back to the recording's time base.

    Model frame 0 is the last one before the start, so that the first forecast frames
    follow on from what was seen.

    Returns
    -------
    scipy.sparse.csr_array, (horizon_frames, 1 + model frames)
    """
    if model_rate_hz == frame_rate_hz:
        shifted = sp.eye_array(horizon_frames, horizon_frames + 1, k=1, format="csr")
        return sp.csr_array(shifted)
    n_model = model_horizon_frames(horizon_frames, frame_rate_hz, model_rate_hz)
    # A slower model's frames stand for their middles; where the model is faster, a recorded
    # frame's value is reached at its end (see `resampling_matrix`).
    within_frame = 1.0 if model_rate_hz > frame_rate_hz else 0.5
    time_s = (np.arange(horizon_frames) + within_frame) / frame_rate_hz
    return interpolation_matrix(time_s * model_rate_hz + 0.5, 1 + n_model)


def model_horizon_frames(
    horizon_frames: int, frame_rate_hz: float, model_rate_hz: float
) -> int:
    """Model frames that cover `horizon_frames` of the recording."""
    return max(1, math.ceil(horizon_frames * model_rate_hz / frame_rate_hz - 1e-6))


def _sparse_rows(columns: np.ndarray, weights: np.ndarray, n_columns: int) -> sp.csr_array:
    weights = weights / weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    matrix = sp.coo_array(
        (weights.ravel(), (rows, columns.ravel())), shape=(len(columns), n_columns)
    )
    return sp.csr_array(matrix)
