"""How long one round number of a plot's unit is, at the right side of a stack of traces."""

import numpy as np
import pyqtgraph as pg

from .drawing_pen import drawing_pen
from .row_window import RowWindow
from .theme import ThemeColours

_LEAST_PX = 20.0
_ABOVE_TRACES = 20
_AWAY = 0.012  # from the right, of the width


class ScaleBar:
    """A bar and its length in words, on the first row in view or as high as there is room.

    Parameters
    ----------
    unit : str
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar = pg.PlotDataItem()
        self._text = pg.TextItem(anchor=(1, 0.5))
        self.items = (self._bar, self._text)
        self._bar.setZValue(_ABOVE_TRACES + 1)
        self._text.setZValue(_ABOVE_TRACES)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme, so that no trace crosses the words."""
        self._bar.setPen(drawing_pen(colours.text, width=2))
        self._text.setColor(colours.text)
        self._text.fill = pg.mkBrush(colours.background)

    def place(self, window: RowWindow, slot: float, view_s: tuple[float, float]) -> None:
        """Stand where `window` says, of which a row is `slot` units high."""
        left, right = view_s
        _, top = window.range_y
        row_px = window.row_px
        at_most_px = max(row_px / 2, min(_LEAST_PX, window.view_px / 2))
        length = nice_length(at_most_px / row_px * slot)
        x = right - _AWAY * (right - left)
        low = min(-float(window.in_view.start), top - length / slot - 2 / row_px)
        high = low + length / slot
        self._bar.setData([x, x], [low, high])
        self._text.setText(f"{length:g} {self._unit} ")
        half_px = self._text.boundingRect().height() / 2
        self._text.setPos(x, min((low + high) / 2, top - half_px / row_px))

    def show(self, wanted: bool) -> None:
        """Show it, or not."""
        for item in self.items:
            item.setVisible(wanted)


def nice_length(at_most: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above `at_most`."""
    power = 10.0 ** np.floor(np.log10(at_most))
    return float(next(step * power for step in (5, 2, 1) if step * power <= at_most * 1.0001))
