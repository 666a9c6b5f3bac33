"""Names at the side of a plot, as many as there is room for."""

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtGui import QFontMetricsF, QPainter

from .row_window import ABOVE, BELOW

_LEAST_APART_PX = 11.0
_LEAST_APART_LINES = 0.75  # of a line of the axis' font, where that is larger
_CUT_LINES = 0.4
_STRIDES = np.array([1, 2, 5])
_MARK_ALPHA = 60


class RowAxis(pg.AxisItem):
    """A left axis with the name of row i at -i; of close rows every nth has its name."""

    def __init__(self) -> None:
        super().__init__("left")
        self._n_rows = 0
        self._name_of: Callable[[int], str] = str
        self._band: tuple[float, str] | None = None
        self._marked: int | None = None
        # Names of other lengths that scroll into view should not shift the plot to and fro.
        self.setStyle(tickLength=0, autoReduceTextSpace=False)

    def set_names(self, n_rows: int, name_of: Callable[[int], str]) -> None:
        """Take how many rows there are, and what tells the name of one."""
        self._n_rows, self._name_of = n_rows, name_of
        self._draw_anew()

    def set_band(self, band: tuple[float, str] | None) -> None:
        """Name a band at a place, before which names of rows end."""
        self._band = band
        self._draw_anew()

    def set_marked(self, row: int | None) -> None:
        """Mark one row; its name is always told."""
        self._marked = row
        self._draw_anew()

    def drawPicture(self, painter: QPainter, axis, ticks, texts) -> None:
        """Draw the names, a marked one on a ground of its own."""
        bounds = self.mapRectFromParent(self.geometry())
        low, high = self.range
        least = low if self._band is None else self._band[0]
        if self._marked is not None and least < -self._marked <= high:
            row_px = bounds.height() / max(high - low, 1e-9)
            height = max(row_px, _LEAST_APART_PX)
            middle = bounds.top() + (high + self._marked - (ABOVE - BELOW) / 2) * row_px
            ground = self.textPen().color()
            ground.setAlpha(_MARK_ALPHA)
            place = QRectF(bounds.left(), middle - height / 2, bounds.width(), height)
            painter.fillRect(place.intersected(bounds), ground)
        super().drawPicture(painter, axis, ticks, texts)

    def _draw_anew(self) -> None:
        self.picture = None
        self.update()

    def tickValues(self, low: float, high: float, size: float) -> list:
        """Return places that are in view and far enough from one another."""
        row_px = size / max(high - low, 1e-9)
        least_px = _LEAST_APART_PX
        if self.style["tickFont"] is not None:
            line = QFontMetricsF(self.style["tickFont"]).height()
            least_px = max(least_px, _LEAST_APART_LINES * line)
        # A name at the upper edge would be cut.
        high -= _CUT_LINES * least_px / row_px
        ends = [] if self._band is None else [self._band[0]]
        if ends:
            low = max(low, ends[0] + least_px / row_px)
        stride = stride_of(least_px / row_px)
        first = max(0, int(np.ceil(-high / stride)) * stride)
        rows = range(first, min(self._n_rows, int(np.floor(-low)) + 1), stride)
        shown = [-float(row) for row in rows]
        marked = self._marked
        if marked is not None and low <= -marked <= high:
            away = least_px / row_px
            shown = [place for place in shown if abs(place + marked) >= away]
            shown.append(-float(marked))
        return [(1.0, [*shown, *ends])]

    def tickStrings(self, values: list, *_scale_and_spacing) -> list[str]:
        """Return the names at these places."""
        return [self._name_at(value) for value in values]

    def _name_at(self, place: float) -> str:
        if self._band is not None and place == self._band[0]:
            return self._band[1]
        return self._name_of(round(-place))


def stride_of(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20 ... that is not below `least`.

    Examples
    --------
    >>> [stride_of(least) for least in (0.3, 1.2, 4.0, 7.0, 130.0)]
    [1, 2, 5, 10, 200]
    """
    power = 10 ** max(0, int(np.floor(np.log10(max(least, 1.0)))))
    return int(next(step for step in (*(_STRIDES * power), 10 * power) if step >= least - 1e-9))
