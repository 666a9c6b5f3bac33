"""The choice what results are made of: all ROIs, or those alone that are accepted as cells."""

import numpy as np
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QRadioButton, QVBoxLayout, QWidget

from .session import Session


class UseRow(QWidget):
    """Two buttons for every section of the panel, and who is left out at present."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.all = QRadioButton("all ROIs", objectName="calm_use_all")
        self.all.setToolTip("Make results of every ROI, also of those that are rejected.")
        self.accepted = QRadioButton("accepted cells", objectName="calm_use_accepted")
        self.accepted.setToolTip(
            "Make results of the accepted neurons as if nothing else had been recorded: "
            "tokens, forecasts, adaptation, clusters, selectivity, trajectories, decoding. "
            "Rejected ones stay in the views, keep their numbers and get no result. K accepts "
            "the selected neurons, R rejects them."
        )
        group = QButtonGroup(self)
        self.told = QLabel(objectName="calm_in_use")
        self.told.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.setSpacing(14)
        for button in (self.all, self.accepted):
            group.addButton(button)
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(buttons)
        layout.addWidget(self.told)
        self.accepted.toggled.connect(session.use_accepted_only)
        for signal in self._signals():
            signal.connect(self._show)
        self._show()

    def release(self) -> None:
        """Stop following the session."""
        for signal in self._signals():
            signal.disconnect(self._show)

    def _signals(self) -> tuple:
        session = self._session
        return (session.recording_changed, session.accepted_changed, session.in_use_changed)

    def _show(self) -> None:
        session, accepted = self._session, self._session.accepted
        (self.accepted if session.accepted_only else self.all).setChecked(True)
        self.told.setText(_said(accepted, session.accepted_only))
        self.told.setVisible(bool(self.told.text()))


def _said(accepted: np.ndarray, accepted_only: bool) -> str:
    rejected = int(np.count_nonzero(~accepted))
    if rejected == 0:
        return ""
    if not accepted_only:
        return f"All {accepted.size} are used, {rejected} rejected ones too."
    if rejected == accepted.size:
        return f"All {accepted.size} are rejected: nothing would be left, so all are used."
    return f"{accepted.size - rejected} of {accepted.size} are used; {rejected} left out."
