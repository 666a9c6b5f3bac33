"""Which neurons are looked at first."""

import numpy as np

from ..core.recording import Recording

DEFAULT_SELECTION_SIZE = 5
_NEURONS_AT_ONCE = 64


def most_active(recording: Recording, count: int = DEFAULT_SELECTION_SIZE) -> tuple[int, ...]:
    """Return the `count` neurons of most activity, most active first.

    Activity is what a frame shares with the next (the covariance of the two): noise, however
    strong, shares nothing. Neurons that the recording's source does not take for cells come
    last.
    """
    traces, some = recording.traces, _NEURONS_AT_ONCE
    # Some at a time: numpy would make a second copy of all.
    activity = np.concatenate(
        [
            _shared_with_next(traces[start : start + some])
            for start in range(0, len(traces), some)
        ]
    )
    if recording.accepted is not None and recording.accepted.any():
        activity[~recording.accepted] = -np.inf
    return tuple(int(n) for n in np.argsort(-activity, kind="stable")[:count])


def _shared_with_next(traces: np.ndarray) -> np.ndarray:
    """Return the covariance of each trace with itself a frame later, (neurons,)."""
    centred = traces - traces.mean(axis=1, keepdims=True)
    return np.einsum("nt,nt->n", centred[:, 1:], centred[:, :-1]) / traces.shape[1]
