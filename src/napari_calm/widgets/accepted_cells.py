"""Which ROIs are taken for cells, at first by the file, then by the user."""

from collections.abc import Iterable

import numpy as np
from psygnal import Signal

from ..core.recording import Recording


class AcceptedCells:
    """A yes or no for each neuron of the recording.

    At first as its source says (suite2p, CaImAn, NWB), else all are accepted.

    Signals
    -------
    accepted_changed
        Without arguments; read `accepted`.
    """

    accepted_changed = Signal()

    def __init__(self) -> None:
        self._accepted = np.ones(0, bool)

    @property
    def accepted(self) -> np.ndarray:
        """Which neurons are accepted, (neurons,) of bool; a copy."""
        return self._accepted.copy()

    def set_accepted(self, neurons: Iterable[int], accepted: bool) -> None:
        """Accept neurons, or reject them."""
        chosen = [neuron for neuron in neurons if 0 <= neuron < len(self._accepted)]
        if (self._accepted[chosen] != accepted).any():
            self._accepted[chosen] = accepted
            self.accepted_changed.emit()

    def _accept_as_found(self, recording: Recording | None) -> None:
        """Start anew without a word."""
        found = None if recording is None else recording.accepted
        count = 0 if recording is None else recording.n_neurons
        self._accepted = np.ones(count, bool) if found is None else found.copy()
