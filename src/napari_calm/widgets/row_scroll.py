"""A scroll bar at the right side of a plot of rows."""

from qtpy.QtCore import QRect, Qt
from qtpy.QtWidgets import QScrollBar, QWidget

from .row_window import RowWindow

WIDTH_PX = 11
_STEPS = 1000  # of a row


class RowScroll(QScrollBar):
    """Shows which part of the rows is in view, and moves it; hidden while all are."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setAccessibleName("Rows of traces")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()

    @property
    def rows_above(self) -> float:
        """How many rows are to be out of view at the top."""
        return self.value() / _STEPS

    def show_window(self, window: RowWindow, place: QRect) -> None:
        """Take the state of a window, and the place that there is."""
        blocked = self.blockSignals(True)
        self.setRange(0, round(window.most_above * _STEPS))
        self.setPageStep(max(1, round(window.shown_rows * _STEPS)))
        self.setSingleStep(_STEPS)
        self.setValue(round(window.above * _STEPS))
        self.blockSignals(blocked)
        self.setGeometry(place)
        self.setVisible(not window.shows_all)
