"""What to do first, said where nothing is open yet."""

from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

_STEPS = (
    "<b>Four clicks to a forecast</b><ol style='margin-left:-24px'>"
    "<li>Open a movie and its ROIs, a suite2p folder, or the sample.</li>"
    "<li><b>Extract traces</b> (a suite2p folder has them).</li>"
    "<li>Move the time slider to a moment that interests you.</li>"
    "<li><b>Forecast</b>: green on the movie, and in the traces below.</li></ol>"
)


class StartHint(QFrame):
    """Says what to do while there are no traces; goes away with the first.

    Parameters
    ----------
    open_sample : QPushButton
        Pressed by the hint's own button.
    """

    def __init__(self, session, open_sample: QPushButton) -> None:
        super().__init__(objectName="calm_start_hint")
        self._session = session
        self.text = QLabel(_STEPS)
        self.text.setWordWrap(True)
        self.sample = QPushButton("Try the sample", objectName="calm_try_sample")
        self.sample.setToolTip("The same as File > Open Sample > CalM.")
        self.sample.clicked.connect(open_sample.click)
        self.hide_it = QPushButton("Hide", objectName="calm_hide_hint")
        self.hide_it.clicked.connect(self.hide)
        self.tour = QPushButton("Guided tour", objectName="calm_hint_tour")
        self.tour.setToolTip("Be led through the window in six steps; nothing is blocked.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.sample, 1)
        buttons.addWidget(self.tour)
        buttons.addWidget(self.hide_it)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        session.recording_changed.connect(self._on_recording)
        self._on_recording()

    def release(self) -> None:
        """Stop following the session."""
        self._session.recording_changed.disconnect(self._on_recording)

    def _on_recording(self) -> None:
        self.setVisible(self._session.recording is None)
