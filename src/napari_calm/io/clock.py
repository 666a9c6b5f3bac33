"""When frames were taken: a steady rate, or times of their own."""

import numpy as np

from ..core.errors import RecordingError

# Cameras jitter; a step that is longer by half a frame is a gap.
_JITTER = 0.05


def rate_and_times(
    times_s: np.ndarray, *, source: str, frame_rate_hz: float | None = None
) -> tuple[float, np.ndarray | None, tuple[str, ...]]:
    """Frame rate that timestamps tell, and the timestamps where they say more than it.

    Parameters
    ----------
    times_s : numpy.ndarray, (frames,)
        When each frame was taken, seconds.
    source : str
        What to call the recording in messages.
    frame_rate_hz : float, optional
        Goes before the median step between the times.

    Returns
    -------
    float, numpy.ndarray or None, tuple of str
        Frames a second; the times, None where they are even and begin at 0; what the user
        should know.

    Raises
    ------
    RecordingError
        If there are fewer than two times, or they are not finite or do not ascend.
    """
    times = np.asarray(times_s, dtype=np.float64).ravel()
    steps = np.diff(times)
    if steps.size == 0 or not np.isfinite(times).all() or (steps <= 0).any():
        wrong = int(np.flatnonzero(~(steps > 0))[0]) + 1 if steps.size else 0
        raise RecordingError(
            f"{source}: the timestamps of the frames must be finite and ascend; frame {wrong} "
            "does not come after the one before it. Correct them in the file."
        )
    step_s = float(np.median(steps))
    rate = 1 / step_s if frame_rate_hz is None else float(frame_rate_hz)
    uneven = np.abs(steps - step_s) > _JITTER * step_s
    gaps = int((steps > 1.5 * step_s).sum())
    notes: tuple[str, ...] = ()
    if gaps:
        notes = (
            f"{gaps} gaps between frames (the longest {steps.max():.3g} s); frames beside a "
            "gap are treated as neighbours.",
        )
    elif uneven.any():
        notes = (f"the frames do not come evenly; {rate:.4g} Hz is the median rate.",)
    if not uneven.any() and abs(times[0]) < step_s / 2:
        return rate, None, notes
    return rate, times, notes
