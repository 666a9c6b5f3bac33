"""A choice of analyses: all neurons, or those alone that are accepted as cells."""

import numpy as np
from qtpy.QtWidgets import QCheckBox

from .session import Session


class AcceptedOnly(QCheckBox):
    """Says how many neurons it would leave out; off while that is none, or all.

    Parameters
    ----------
    name : str
        The analysis, for the object's name.
    """

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(objectName=f"calm_{name}_accepted_only")
        self._session = session
        session.recording_changed.connect(self._say)
        session.accepted_changed.connect(self._say)
        self._say()

    def release(self) -> None:
        """Stop following the session."""
        self._session.recording_changed.disconnect(self._say)
        self._session.accepted_changed.disconnect(self._say)

    def neurons(self) -> np.ndarray | None:
        """Return the neurons to look at; None for all."""
        accepted = self._session.accepted
        if not self.isChecked() or accepted.all() or not accepted.any():
            return None
        return np.flatnonzero(accepted)

    def _say(self) -> None:
        accepted = self._session.accepted
        rejected = int(np.count_nonzero(~accepted))
        self.setText("Accepted cells only" + (f" ({rejected} left out)" if rejected else ""))
        self.setEnabled(0 < rejected < accepted.size)
        if rejected == 0:
            why = "No neuron is rejected."
        elif rejected == accepted.size:
            why = "All neurons are rejected: nothing would be left."
        else:
            why = (
                f"Look at the {accepted.size - rejected} accepted neurons as if nothing else "
                "had been recorded. The others stay in the views and get no result."
            )
        self.setToolTip(f"{why} K accepts the selected neurons, R rejects them.")
