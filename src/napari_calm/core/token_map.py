"""The discrete words that each neuron speaks."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from .errors import CalmError

if TYPE_CHECKING:
    from .recording import Recording

# In place of the tokens of a neuron that was left out.
NOT_COMPUTED = -1


def checked_roi_labels(labels: np.ndarray, n_neurons: int, *, what: str) -> np.ndarray:
    """Return one ROI number a neuron, counting from 0 where none are given."""
    labels = np.asarray(labels, dtype=np.int64)
    if labels.size == 0:
        return np.arange(n_neurons)
    if labels.shape != (n_neurons,):
        raise CalmError(
            f"{what}: found ROI labels of shape {labels.shape} for {n_neurons} neurons."
        )
    return labels


@dataclass(frozen=True, eq=False, repr=False)
class TokenMap:
    """Tokens of every neuron over a recording.

    Parameters
    ----------
    tokens : numpy.ndarray of int, (neurons, tokens)
        Code numbers, 0 to `n_codes` - 1; all -1 for a neuron that was left out. Token j
        covers the time from ``start_s + j * token_duration_s`` on.
    n_codes : int
        Size of the codebook.
    frames_per_token : int
        Frames of the model's time base that one token stands for.
    model_rate_hz : float
        Frame rate at which the traces were tokenised; the recording's own rate
        unless that lies outside the range of the checkpoint.
    frame_rate_hz, n_frames : float, int
        Time base of the recording.
    start_s : float
        Time of the first token's beginning, in seconds from the recording's start.
    model_name : str
        The checkpoint that made them.
    roi_labels : numpy.ndarray of int, (neurons,), optional
        Number of each neuron's ROI in its source; 0, 1, 2 ... if not given.

    Raises
    ------
    CalmError
        If shapes, ranges or rates do not fit.
    """

    tokens: np.ndarray
    n_codes: int
    frames_per_token: int
    model_rate_hz: float
    frame_rate_hz: float
    n_frames: int
    start_s: float = 0.0
    model_name: str = ""
    roi_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        tokens = np.asarray(self.tokens)
        if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
            raise CalmError(
                f"tokens: found {tokens.dtype} of shape {tokens.shape}; expected integers "
                "(neurons, tokens)."
            )
        spoken = tokens[(tokens != NOT_COMPUTED).any(axis=1)]
        found = spoken if spoken.size else tokens
        if found.size and not 0 <= found.min() <= found.max() < self.n_codes:
            raise CalmError(
                f"tokens: values {found.min()} to {found.max()} lie outside the codebook "
                f"(0 to {self.n_codes - 1})."
            )
        if min(self.model_rate_hz, self.frame_rate_hz) <= 0 or self.frames_per_token < 1:
            raise CalmError("tokens: frame rates and frames per token must be above 0.")
        tokens = tokens.astype(np.int16 if self.n_codes <= 2**15 else np.int32)
        tokens.flags.writeable = False
        object.__setattr__(self, "tokens", tokens)
        labels = checked_roi_labels(self.roi_labels, len(tokens), what="tokens")
        object.__setattr__(self, "roi_labels", labels)

    def __repr__(self) -> str:
        return (
            f"TokenMap({self.n_neurons} neurons x {self.tokens.shape[1]} tokens of "
            f"{self.token_duration_s:.3g} s, {self.used_codes} of {self.n_codes} codes used)"
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.tokens.shape[0])

    @property
    def known(self) -> np.ndarray:
        """Which neurons have tokens, (neurons,) of bool; the others were left out."""
        if self.tokens.shape[1] == 0:
            return np.ones(self.n_neurons, bool)
        # Either all of a neuron's tokens are missing or none.
        known: np.ndarray = self.tokens[:, 0] != NOT_COMPUTED
        return known

    def among(self, recording: "Recording", neurons: np.ndarray) -> "TokenMap":
        """Return the same for all neurons of a recording, of which these are `neurons`.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray
            Where in it each neuron of these tokens is; indices, or one truth value a neuron.
        """
        tokens = np.full((recording.n_neurons, self.tokens.shape[1]), NOT_COMPUTED)
        tokens[neurons] = self.tokens
        return replace(self, tokens=tokens, roi_labels=recording.roi_labels)

    @property
    def token_duration_s(self) -> float:
        """Seconds that one token stands for."""
        return self.frames_per_token / self.model_rate_hz

    @property
    def used_codes(self) -> int:
        """How many of the codes occur."""
        return int(np.unique(self.tokens[self.known]).size)

    def token_of_frame(self) -> np.ndarray:
        """Index of the token spoken at each frame of the recording, (frames,); -1 for none."""
        # The small offset keeps frame borders that coincide with token borders on their side.
        time_s = np.arange(self.n_frames) / self.frame_rate_hz - self.start_s
        index = np.floor(time_s / self.token_duration_s + 1e-6).astype(np.int64)
        index[(index < 0) | (index >= self.tokens.shape[1])] = -1
        return index
