"""Which rows of a stack are in view, and how tall they are to be."""

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from .trace_plot import TracePlot

_TALLER = 1.5
_AROUND_PX = 16


class RowButtons(QWidget):
    """Says how many rows there are and which are seen; lower, taller, all of them."""

    def __init__(self, plot: TracePlot) -> None:
        super().__init__()
        self._plot = plot
        self.shown = QLabel(objectName="calm_rows_shown")
        self.shown.setToolTip(
            "Rows in view, of the selected neurons. Scroll with the bar at the right, Page Up "
            "and Page Down, or Shift and the wheel."
        )
        self.lower = self._button("-", "calm_rows_lower", "Lower rows, more of them (-).")
        self.taller = self._button("+", "calm_rows_taller", "Taller rows, fewer of them (+).")
        self.all = self._button(
            "Fit all",
            "calm_rows_all",
            "Bring all selected neurons into view: rows become lines close together or, of "
            "very many, shades of z-scored dF/F. Again for rows that can be read (0).",
        )
        self.all.setCheckable(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for each in (self.shown, self.lower, self.taller, self.all):
            layout.addWidget(each)
        self.lower.clicked.connect(lambda: plot.make_taller(1 / _TALLER))
        self.taller.clicked.connect(lambda: plot.make_taller(_TALLER))
        self.all.clicked.connect(plot.fit_all)
        self.refresh()

    def _button(self, text: str, name: str, told: str) -> QPushButton:
        button = QPushButton(text, objectName=name)
        button.setToolTip(told)
        button.setAccessibleName(told.partition(" (")[0].rstrip("."))
        button.setFixedWidth(button.fontMetrics().horizontalAdvance(text) + _AROUND_PX)
        return button

    def refresh(self) -> None:
        """Say what is in view now."""
        n_rows, rows = self._plot.n_rows, self._plot.rows_in_view
        self.shown.setText(rows_told(rows, n_rows))
        # As wide as it can become while rows scroll by.
        widest = range(0) if self._plot.shows_all_rows else range(max(0, n_rows - 2), n_rows)
        widest_text = self.shown.text() if not len(widest) else rows_told(widest, n_rows)
        advance = self.shown.fontMetrics().horizontalAdvance(widest_text)
        self.shown.setMinimumWidth(advance + 4)
        self.all.setChecked(self._plot.is_fitted)
        for button in (self.lower, self.taller, self.all):
            button.setEnabled(n_rows > 1)


def rows_told(rows: range, n_rows: int) -> str:
    """Say how many neurons are selected and which of their rows are in view.

    Examples
    --------
    >>> rows_told(range(0, 5), 5)
    '5 selected'
    >>> rows_told(range(120, 138), 5000)
    '121-138 of 5,000 selected'
    """
    if len(rows) == n_rows:
        return f"{n_rows:,} selected"
    return f"{rows.start + 1:,}-{rows.stop:,} of {n_rows:,} selected"
