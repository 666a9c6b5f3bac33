"""Which ROIs are taken for cells, at first by the file, then by the user."""

from collections.abc import Iterable

import numpy as np
from psygnal import Signal

from ..core.recording import Recording


class AcceptedCells:
    """A yes or no for each neuron of the recording, and whether results heed it.

    At first as its source says (suite2p, CaImAn, NWB), else all are accepted. Rejected neurons
    are left out of results unless all are to be used.

    Signals
    -------
    accepted_changed
        Without arguments; read `accepted`.
    in_use_changed
        The next results are of other neurons: some were accepted or rejected, or the switch
        between all and accepted ones was turned; read `left_out`.
    """

    accepted_changed = Signal()
    in_use_changed = Signal()

    def __init__(self) -> None:
        self._accepted = np.ones(0, bool)
        self._accepted_only = True

    @property
    def accepted(self) -> np.ndarray:
        """Which neurons are accepted, (neurons,) of bool; a copy."""
        return self._accepted.copy()

    def set_accepted(self, neurons: Iterable[int], accepted: bool) -> None:
        """Accept neurons, or reject them."""
        chosen = [neuron for neuron in neurons if 0 <= neuron < len(self._accepted)]
        if (self._accepted[chosen] != accepted).any():
            before = self.left_out
            self._accepted[chosen] = accepted
            self.accepted_changed.emit()
            self._tell_if_other(before)

    @property
    def accepted_only(self) -> bool:
        """Whether results are made of the accepted neurons alone."""
        return self._accepted_only

    def use_accepted_only(self, wanted: bool) -> None:
        """Make results of the accepted neurons alone, or of all."""
        if wanted != self._accepted_only:
            before = self.left_out
            self._accepted_only = wanted
            self._tell_if_other(before)

    @property
    def left_out(self) -> np.ndarray:
        """Which neurons results are made without, (neurons,) of bool.

        None where all are rejected: nothing would be left.
        """
        if not self._accepted_only or not self._accepted.any():
            return np.zeros(len(self._accepted), bool)
        return ~self._accepted

    def _tell_if_other(self, before: np.ndarray) -> None:
        if not np.array_equal(before, self.left_out):
            self.in_use_changed.emit()

    def _accept_as_found(self, recording: Recording | None) -> None:
        """Start anew without a word."""
        found = None if recording is None else recording.accepted
        count = 0 if recording is None else recording.n_neurons
        self._accepted = np.ones(count, bool) if found is None else found.copy()
