"""What was decoded: score beside its references, and the decoded trace or confusion matrix."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout

from .confusion_table import ConfusionTable
from .decoded_plot import DecodedPlot, Lines
from .eliding import ElidingCombo
from .score_plot import ScorePlot
from .session import Session
from .session_view import SessionView
from .theme import ThemeColours

_EMPTY_HINT = "Nothing decoded yet: press Decode in the CalM panel."
_TRACE, _MATRIX = "trace", "confusion matrix"


class DecodingView(SessionView):
    """One decoded variable at a time, in step with the session."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._shown = None
        self.hint = QLabel(_EMPTY_HINT)
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.variable = ElidingCombo(objectName="calm_decoded_variable")
        self.variable.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.variable.setMaximumWidth(180)
        self.variable.setToolTip("Which of the decoded variables is shown.")
        self.kind = QComboBox(objectName="calm_decoded_kind")
        self.kind.addItems((_MATRIX, _TRACE))
        self.kind.setToolTip("How decoded classes are shown.")
        self.scores = ScorePlot()
        self.plot = DecodedPlot()
        self.plot.setToolTip(
            "The variable and what was decoded when it was held out. Click or drag to move in "
            "time, turn the wheel to zoom, drag with the middle button to shift."
        )
        self.confusion = ConfusionTable()
        self.stack = QStackedWidget()
        for each in (self.plot, self.confusion):
            self.stack.addWidget(each)
        self._lay_out()
        self.variable.activated.connect(self._on_variable)
        self.kind.activated.connect(self.redraw_soon)
        self.plot.sought.connect(self.seek_soon)
        self.follow(session.decoding_changed)

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(2)
        row = QHBoxLayout()
        row.addWidget(self.variable)
        row.addWidget(self.kind)
        row.addStretch(1)
        left.addLayout(row)
        left.addWidget(self.scores, 1)
        columns = QHBoxLayout()
        columns.setSpacing(4)
        columns.addLayout(left, 2)
        columns.addWidget(self.stack, 3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.hint)
        layout.addLayout(columns, 1)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        for each in (self.scores, self.plot, self.confusion):
            each.set_colours(colours)
        self.redraw_soon()

    def refresh(self) -> None:
        """Show the decoded variable."""
        session = self._session
        decoded, decoding = session.decoded, session.decoding
        is_there = decoded is not None
        self.hint.setVisible(not is_there)
        self.stack.setVisible(is_there)
        self.variable.setVisible(is_there)
        self.scores.setVisible(decoding is not None)
        if not is_there:
            self._shown = None
            self.kind.hide()
            self.tell(_EMPTY_HINT)
            return
        names = list(session.decodings)
        self.variable.clear()
        self.variable.addItems(names if decoding is not None else [decoded.name, *names])
        shown = names.index(self._name()) if decoding is not None else 0
        self.variable.setCurrentIndex(shown)
        is_classes = decoded.kind == "classes"
        self.kind.setVisible(is_classes and decoding is not None)
        if decoding is not None:
            self.scores.show_decoding(decoding)
        by_matrix = is_classes and decoding is not None and self.kind.currentText() == _MATRIX
        if by_matrix:
            self.confusion.show_confusion(decoding.confusion(), decoding.target.name)
            self.stack.setCurrentWidget(self.confusion)
            self.tell(
                f"{decoded.name}: share of each true class (row) that was read as (column)"
            )
        else:
            anew = decoded is not self._shown
            self._shown = decoded
            self.plot.show_lines(_lines(decoded, session.decoded_truth), anew=anew)
            self.stack.setCurrentWidget(self.plot)
            how = "held out" if decoding is not None else "by the kept decoder"
            self.tell(f"{decoded.name}: measured (grey) and decoded, {how}")

    def draw_now(self) -> None:
        """Draw the trace, which is the plot that can be saved."""
        self.kind.setCurrentText(_TRACE)
        self.redraw_soon()
        super().draw_now()

    def move_to(self, time_s: float) -> None:
        """Draw the cursor."""
        self.plot.move_cursor(time_s)

    def _name(self) -> str:
        found = self._session.decodings
        return next(name for name, one in found.items() if one is self._session.decoding)

    def _on_variable(self, _index: int) -> None:
        self._session.show_decoding(self.variable.currentText())


def _lines(decoded, truth) -> Lines:
    """Measured and decoded values at every frame."""
    measured = np.full(decoded.n_frames, np.nan)
    if truth is not None:
        values = np.where(truth.known, truth.values, np.nan)
        if truth.unit == "deg":
            values = np.rad2deg(values)
        if truth.per == "frame":
            measured = values.astype(float)
        else:
            for number, start, stop in zip(
                decoded.number, decoded.start_frame, decoded.stop_frame, strict=True
            ):
                measured[start:stop] = values[number]
    return Lines(
        time_s=np.arange(decoded.n_frames) / decoded.frame_rate_hz,
        measured=measured,
        decoded=decoded.per_frame(),
        classes=decoded.classes,
        is_circular=decoded.kind == "circular",
        unit=decoded.unit,
    )
