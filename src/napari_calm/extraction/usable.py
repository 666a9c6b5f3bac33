"""Leaving out neurons whose traces a model cannot use."""

import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.recording import usable_traces


def leave_out_unusable(
    traces: np.ndarray, footprints: Footprints | None, *, source: str
) -> tuple[np.ndarray, Footprints | None]:
    """Drop neurons whose trace is constant or not finite, with their footprints.

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
    footprints : Footprints or None
        One footprint a neuron, or None.
    source : str
        What to call the recording in messages.

    Returns
    -------
    numpy.ndarray, Footprints or None
        The usable neurons, in the same order.

    Raises
    ------
    RecordingError
        If no neuron is left, or traces and footprints are of different number.
    """
    traces = np.asarray(traces)
    if footprints is not None and footprints.n_neurons != traces.shape[0]:
        raise RecordingError(
            f"{source}: {footprints.n_neurons} footprints for {traces.shape[0]} traces; "
            "expected one for each."
        )
    usable = usable_traces(traces)
    if not usable.any():
        raise RecordingError(
            f"{source}: none of the {len(usable)} traces is usable; all are constant or "
            "hold NaN or infinite values."
        )
    if usable.all():
        return traces, footprints
    return traces[usable], None if footprints is None else footprints.select(usable)
