"""Which ROIs the user takes for cells: the session's part on curation."""

from collections.abc import Iterable

import numpy as np
from psygnal import Signal


class AcceptedCells:
    """A yes or no for each neuron of the recording; all are accepted at first.

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

    def _accept_all(self, n_neurons: int) -> None:
        """Start anew without a word."""
        self._accepted = np.ones(n_neurons, bool)
