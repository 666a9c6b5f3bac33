"""A small card on a plot: what is known of one neuron, and its trace around the moment."""

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPoint, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from .theme import ThemeColours

# Seconds on either side of the moment.
_AROUND_S = 15.0
_WIDTH_PX, _TRACE_PX, _INSET_PX = 190, 44, 5
_LEAST_RANGE = 1e-6


@dataclass(frozen=True, eq=False)
class Glimpse:
    """What the card shows.

    Parameters
    ----------
    lines : list of str
        What is known of the neuron.
    low, high : numpy.ndarray, (columns,)
        Lowest and highest value of the trace in each column of pixels.
    now : float
        Where the moment is, 0 at the left, 1 at the right.
    colour : (int, int, int)
    """

    lines: list[str]
    low: np.ndarray
    high: np.ndarray
    now: float
    colour: tuple[int, int, int]


def extremes_around(
    trace: np.ndarray, frame_rate_hz: float, time_s: float, columns: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return lowest and highest values around a moment, and where in it the moment is.

    As much is looked at as the trace has within 15 s on both sides, shifted where the
    recording ends.

    Parameters
    ----------
    trace : numpy.ndarray, (frames,)
    columns : int
        Values to return at most.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray, float)
        (columns,) twice, and a share of the stretch.
    """
    length = min(len(trace), max(2, round(2 * _AROUND_S * frame_rate_hz)))
    now = min(max(round(time_s * frame_rate_hz), 0), len(trace) - 1)
    start = min(max(now - length // 2, 0), len(trace) - length)
    part = trace[start : start + length]
    edges = np.linspace(0, length, min(columns, length) + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(part, edges), np.maximum.reduceat(part, edges)
    return low, high, (now - start) / max(1, length - 1)


class MiniTrace(QWidget):
    """A card beside a plot, over what is there; the mouse goes through it."""

    COLUMNS = _WIDTH_PX - 2 * _INSET_PX

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.glimpse: Glimpse | None = None
        self._colours: ThemeColours | None = None
        self.hide()

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.update()

    def show_glimpse(self, glimpse: Glimpse, plot: QWidget, mouse: QPointF) -> None:
        """Show the card beside the plot, or in that upper corner which is not at the mouse.

        Parameters
        ----------
        plot : QWidget
            The parent, or in it.
        mouse : QPointF
            In the plot's coordinates.
        """
        self.glimpse = glimpse
        line_px = self.fontMetrics().height()
        height = len(glimpse.lines) * line_px + _TRACE_PX + 3 * _INSET_PX
        host = self.parentWidget()
        corner = plot.mapTo(host, QPoint(0, 0))
        left = corner.x() + plot.width() + 4
        if left + _WIDTH_PX > host.width():
            on_right = mouse.x() < plot.width() / 2
            left = corner.x() + (max(0, plot.width() - _WIDTH_PX - 2) if on_right else 2)
        self.setGeometry(left, corner.y() + 2, min(_WIDTH_PX, host.width()), height)
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, _event) -> None:
        """Draw text and trace."""
        if self.glimpse is None or self._colours is None:
            return
        painter = QPainter(self)
        painter.setBrush(QColor(self._colours.foreground))
        painter.setPen(QPen(QColor(self._colours.muted), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setPen(QColor(self._colours.text))
        metrics, top = painter.fontMetrics(), _INSET_PX
        room = self.width() - 2 * _INSET_PX
        for line in self.glimpse.lines:
            shown = metrics.elidedText(line, Qt.TextElideMode.ElideRight, room)
            painter.drawText(_INSET_PX, top + metrics.ascent(), shown)
            top += metrics.height()
        self._draw_trace(
            painter, QRectF(_INSET_PX, top + _INSET_PX, room, self.height() - top - 10)
        )
        painter.end()

    def _draw_trace(self, painter: QPainter, place: QRectF) -> None:
        glimpse = self.glimpse
        bottom, top = float(glimpse.low.min()), float(glimpse.high.max())
        scale = place.height() / max(top - bottom, _LEAST_RANGE)
        x = place.left() + (np.arange(len(glimpse.low)) + 0.5) * place.width() / len(
            glimpse.low
        )
        line = QPolygonF()
        for at, low, high in zip(x, glimpse.low, glimpse.high, strict=True):
            # Up and down in a column: all that the trace does between two pixels.
            line.append(QPointF(at, place.bottom() - (low - bottom) * scale))
            if high > low:
                line.append(QPointF(at, place.bottom() - (high - bottom) * scale))
        now = place.left() + glimpse.now * place.width()
        painter.setPen(QPen(QColor(self._colours.warning), 1))
        painter.drawLine(QPointF(now, place.top()), QPointF(now, place.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(*glimpse.colour), 1.2))
        painter.drawPolyline(line)
