"""Which frames a fit may look at, and which are left to score it on."""

from enum import Enum

from ..core.recording import Recording

# Share of a recording that a fit gets by default; what follows is for scoring.
FIRST_SHARE = 0.7


class FitFrames(Enum):
    """Frames that a fit may look at; values are what the user reads."""

    FIRST_PART = f"first {100 * FIRST_SHARE:.0f} %"
    BEFORE_SLIDER = "before slider"
    ALL = "all frames"

    def until_frame(self, recording: Recording, time_s: float) -> int:
        """Return the first frame that a fit at the moment `time_s` may not look at."""
        if self is FitFrames.FIRST_PART:
            return int(FIRST_SHARE * recording.n_frames)
        if self is FitFrames.BEFORE_SLIDER:
            return min(recording.n_frames, round(time_s * recording.frame_rate_hz))
        return recording.n_frames


def scored_part(n_frames: int, fitted_until_frame: int | None) -> tuple[float, bool]:
    """Return the share before the scored part, and whether no fit has seen that part.

    Parameters
    ----------
    n_frames : int
        Frames of the recording.
    fitted_until_frame : int, optional
        First frame that the fit did not see; None without a fit.
    """
    if fitted_until_frame is None:
        return FIRST_SHARE, True
    if fitted_until_frame >= n_frames:
        return FIRST_SHARE, False
    # Half a frame more, so that rounding down does not end before the fit does.
    return max(FIRST_SHARE, (fitted_until_frame + 0.5) / n_frames), True
