"""Which embedding rows belong to a recording."""

from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import CalmError
from ..core.recording import Recording

if TYPE_CHECKING:
    from .calm import CalmModel


def rows_for(
    model: "CalmModel",
    recording: Recording,
    neuron_ids: np.ndarray | None,
    session_id: int | None,
) -> tuple[np.ndarray | None, int | None]:
    """Return the rows asked for, else those fitted to the recording, else None (unknown).

    Raises
    ------
    RecordingError
        If the model is adapted to other neurons.
    CalmError
        If the model has no such rows.
    """
    if model.adaptation is not None and neuron_ids is None:
        model.adaptation.check(recording)
        if model.adaptation.helped:
            neuron_ids, session_id = np.arange(recording.n_neurons), 0
    for what, ids, n_rows, shape in (
        ("neuron_ids", neuron_ids, model.config.dynamics.n_neurons, (recording.n_neurons,)),
        ("session_id", session_id, model.config.dynamics.n_sessions, ()),
    ):
        if ids is None:
            continue
        found = np.asarray(ids)
        if found.shape != shape or found.min() < -1 or found.max() >= n_rows:
            raise CalmError(
                f"{what} must have shape {shape} and lie from -1 (unknown) to "
                f"{n_rows - 1}; the model {model.name} has {n_rows} rows."
            )
    return None if neuron_ids is None else np.asarray(neuron_ids), session_id
