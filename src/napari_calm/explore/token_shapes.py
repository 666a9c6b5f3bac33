"""What each token stands for in a recording: its mean waveform and how often it is spoken."""

from dataclasses import dataclass

import numpy as np

from ..core.errors import RecordingError
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording
from ..core.token_map import TokenMap

_NEURONS_AT_ONCE = 64


@dataclass(frozen=True, eq=False, repr=False)
class TokenShapes:
    """Mean waveforms of the codes of a token map.

    Parameters
    ----------
    waveforms : numpy.ndarray, (codes, frames)
        Mean z-scored dF/F while a neuron speaks the code; NaN for codes never spoken.
    counts : numpy.ndarray of int, (codes,)
        How often each is spoken.
    order : numpy.ndarray of int, (codes used,)
        Codes that are spoken, those of like shape side by side.
    frame_rate_hz : float
        Frame rate of the waveforms.
    """

    waveforms: np.ndarray
    counts: np.ndarray
    order: np.ndarray
    frame_rate_hz: float

    @property
    def usage(self) -> np.ndarray:
        """Share of all tokens that each code is, (codes,)."""
        return self.counts / max(1, int(self.counts.sum()))


def token_shapes_steps(recording: Recording, tokens: TokenMap) -> Steps[TokenShapes]:
    """`token_shapes` as a generator of progress."""
    if tokens.tokens.shape[0] != recording.n_neurons or tokens.n_frames != recording.n_frames:
        raise RecordingError(
            f"{recording.name}: tokens of {tokens.n_neurons} neurons x {tokens.n_frames} "
            f"frames are not of this recording ({recording.n_neurons} x {recording.n_frames})."
        )
    token_of_frame = tokens.token_of_frame()
    n_shown = max(1, round(tokens.token_duration_s * tokens.frame_rate_hz))
    spoken, firsts = np.unique(token_of_frame, return_index=True)
    whole = (spoken >= 0) & (firsts + n_shown <= recording.n_frames)
    spoken, firsts = spoken[whole], firsts[whole]
    total = np.zeros((tokens.n_codes, n_shown))
    heard = np.zeros(tokens.n_codes)
    for start in range(0, recording.n_neurons, _NEURONS_AT_ONCE):
        some = slice(start, start + _NEURONS_AT_ONCE)
        traces = recording.traces[some].astype(np.float64)
        traces -= traces.mean(axis=1, keepdims=True)
        traces /= traces.std(axis=1, keepdims=True)
        codes = tokens.tokens[some][:, spoken].ravel()
        heard += np.bincount(codes, minlength=tokens.n_codes)
        for offset in range(n_shown):
            values = traces[:, firsts + offset].ravel()
            total[:, offset] += np.bincount(codes, values, minlength=tokens.n_codes)
        done = min(recording.n_neurons, start + _NEURONS_AT_ONCE)
        yield Progress(done, recording.n_neurons, "averaging the waveforms of tokens")
    with np.errstate(invalid="ignore"):
        waveforms = total / heard[:, None]
    counts = np.bincount(tokens.tokens.ravel(), minlength=tokens.n_codes)
    return TokenShapes(waveforms, counts, _by_shape(waveforms), tokens.frame_rate_hz)


def token_shapes(recording: Recording, tokens: TokenMap) -> TokenShapes:
    """Average the traces over every token that is the same code.

    Raises
    ------
    RecordingError
        If the tokens are of another recording.
    """
    return run(token_shapes_steps(recording, tokens))


def _by_shape(waveforms: np.ndarray) -> np.ndarray:
    """Return the codes with a waveform, neighbours as alike as an ordering of a tree allows."""
    known = np.flatnonzero(np.isfinite(waveforms).all(axis=1))
    if known.size < 3:
        return known
    # Late, like all that takes long to import: a window that opens stands still for it.
    from scipy.cluster.hierarchy import leaves_list, linkage

    tree = linkage(waveforms[known], method="average", optimal_ordering=True)
    order = known[leaves_list(tree)]
    # From low to high, not the other way round.
    ends = waveforms[order[[0, -1]]].mean(axis=1)
    rising: np.ndarray = order if ends[0] <= ends[1] else order[::-1]
    return rising
