"""What the model makes of every neuron over a recording."""

from dataclasses import dataclass, field

import numpy as np

from .errors import CalmError
from .token_map import checked_roi_labels


@dataclass(frozen=True, eq=False, repr=False)
class Representation:
    """Hidden states of the frozen dynamics, one vector a neuron and token.

    Parameters
    ----------
    hidden : numpy.ndarray, (neurons, tokens, width)
        State after token j, which knows all neurons' frames up to
        ``(j + 1) * frames_per_token`` of the model's time base and none later. float32.
    frames_per_token : int
        Frames of the model's time base that one token stands for.
    model_rate_hz : float
        Frame rate at which the networks saw the recording.
    frame_rate_hz, n_frames : float, int
        Time base of the recording.
    settled_tokens : int
        Tokens of the first context; their normalisation is that of the whole first context,
        so they know its later frames as well.
    model_name : str
        The checkpoint (and what it was adapted to) that made them.
    roi_labels : numpy.ndarray of int, (neurons,), optional
        Number of each neuron's ROI in its source; 0, 1, 2 ... if not given.

    Raises
    ------
    CalmError
        If shapes or rates do not fit.
    """

    hidden: np.ndarray
    frames_per_token: int
    model_rate_hz: float
    frame_rate_hz: float
    n_frames: int
    settled_tokens: int = 0
    model_name: str = ""
    roi_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        hidden = np.asarray(self.hidden, np.float32)
        if hidden.ndim != 3:
            raise CalmError(
                f"representation: found shape {hidden.shape}; expected (neurons, tokens, "
                "width)."
            )
        if min(self.model_rate_hz, self.frame_rate_hz) <= 0 or self.frames_per_token < 1:
            raise CalmError("representation: rates and frames per token must be above 0.")
        hidden.flags.writeable = False
        object.__setattr__(self, "hidden", hidden)
        labels = checked_roi_labels(self.roi_labels, len(hidden), what="representation")
        object.__setattr__(self, "roi_labels", labels)

    def __repr__(self) -> str:
        return (
            f"Representation({self.n_neurons} neurons x {self.n_tokens} tokens of "
            f"{self.token_duration_s:.3g} s, width {self.hidden.shape[2]})"
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.hidden.shape[0])

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return int(self.hidden.shape[1])

    @property
    def token_duration_s(self) -> float:
        """Seconds that one token stands for."""
        return self.frames_per_token / self.model_rate_hz

    def known_token_of_frame(self) -> np.ndarray:
        """Newest token that is complete when each frame of the recording ends, (frames,).

        -1 before the first one: a decoder that takes the state of this token looks at no frame
        after its own.
        """
        end_s = (np.arange(self.n_frames) + 1) / self.frame_rate_hz
        # The small offset counts a token that ends with the frame as complete.
        complete = np.floor(end_s / self.token_duration_s + 1e-6).astype(np.int64)
        return np.minimum(complete, self.n_tokens) - 1
