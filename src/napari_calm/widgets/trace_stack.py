"""Many long lines over time as one item of a plot, quick to draw however long they are."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor, QImage, QPaintEngine, QPainter, QPen

# From so many times the screen's pixels on, lines are drawn for print: slowly, in their width.
_PRINT_SCALE = 2.5


@dataclass(frozen=True, eq=False)
class StackedLine:
    """One line.

    Parameters
    ----------
    time_s : numpy.ndarray, (frames,)
        Ascending.
    values : numpy.ndarray, (frames,)
    offset : float
        Added to the values where the line is drawn.
    colour : str (``#rrggbb``) or (int, int, int)
    width_px : float
    halo : str
        Colour of a wider line beneath; empty for none.
    """

    time_s: np.ndarray
    values: np.ndarray
    offset: float
    colour: str | tuple[int, int, int]
    width_px: float = 1.3
    halo: str = ""


def visible_extremes(
    time_s: np.ndarray, values: np.ndarray, view_s: tuple[float, float], columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a line looks like in a view of so many columns of pixels.

    Of more than two frames a column, the lowest and the highest value of each column are
    left, one after the other.

    Parameters
    ----------
    time_s, values : numpy.ndarray, (frames,)
    view_s : (float, float)
        Time that is seen.
    columns : int

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        Times and values, with one frame beyond either side of the view.
    """
    first, last = np.searchsorted(time_s, view_s)
    seen = slice(max(0, first - 1), last + 1)
    time_s, values = time_s[seen], values[seen]
    if len(values) <= 2 * columns:
        return time_s, values
    edges = np.linspace(0, len(values), columns + 1).astype(int)[:-1]
    extremes = np.empty((columns, 2), values.dtype)
    np.minimum.reduceat(values, edges, out=extremes[:, 0])
    np.maximum.reduceat(values, edges, out=extremes[:, 1])
    # Down and up in turn, so that the line does not cross a column twice.
    extremes[1::2] = extremes[1::2, ::-1]
    return np.repeat(time_s[edges], 2), extremes.ravel()


class TraceStack(pg.GraphicsObject):
    """Draws lines into a picture once, and only copies it until the view changes.

    Moving a cursor over a plot repaints what lies below; Qt would draw all lines anew for it,
    and wide lines are slow. Here lines are one pixel wide strokes, laid beside each other
    where they are to be wider. Files (SVG, large PNG) get true lines.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[StackedLine] = []
        self._image: QImage | None = None
        self._key: tuple = ()

    def set_lines(self, lines: list[StackedLine]) -> None:
        """Draw other lines."""
        self.lines, self._key = lines, ()
        self.update()

    def boundingRect(self) -> QRectF:
        """Return all that the view shows."""
        box = self.getViewBox()
        return box.viewRect() if isinstance(box, pg.ViewBox) else QRectF()

    def viewRangeChanged(self, *_ranges) -> None:
        """Cover what the view shows now."""
        self.prepareGeometryChange()
        self.update()

    def viewTransformChanged(self) -> None:
        """Cover what the view shows now."""
        self.viewRangeChanged()

    def paint(self, painter: QPainter, *_option_and_widget) -> None:
        """Draw the lines, or the picture of them."""
        view, transform = self.boundingRect(), painter.worldTransform()
        place = transform.mapRect(view)
        if not self.lines or place.width() < 1 or place.height() < 1:
            return
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        box = self.getViewBox()
        scale = ratio * place.width() / max(1.0, box.width())
        is_svg = painter.paintEngine().type() == QPaintEngine.Type.SVG
        painter.save()
        painter.resetTransform()
        if is_svg or scale >= _PRINT_SCALE:
            painter.setClipRect(place)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for line in self.lines:
                self._draw_printed(painter, line, view, place, scale / ratio)
        else:
            key = (view.getRect(), place.width(), place.height(), ratio)
            if key != self._key:
                self._key, self._image = key, self._drawn(view, place, ratio, scale)
            painter.drawImage(place.topLeft(), self._image)
        painter.restore()

    def _drawn(self, view: QRectF, place: QRectF, ratio: float, scale: float) -> QImage:
        width, height = (round(side * ratio) for side in (place.width(), place.height()))
        image = QImage(max(1, width), max(1, height), QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(0)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        target = QRectF(0, 0, width, height)
        for line in self.lines:
            x, y = _in_pixels(line, view, target)
            if line.halo:
                self._stroke(painter, x, y, line.halo, 3 * scale)
            self._stroke(painter, x, y, line.colour, line.width_px * scale)
        painter.end()
        image.setDevicePixelRatio(ratio)
        return image

    @staticmethod
    def _stroke(painter: QPainter, x, y, colour, width_px: float) -> None:
        """Draw a line by strokes of one pixel, which Qt does many times faster."""
        painter.setPen(_pen(colour, 1))
        count = max(1, round(width_px))
        for number in range(count):
            painter.drawPath(pg.arrayToQPath(x, y + number - (count - 1) / 2))

    @staticmethod
    def _draw_printed(
        painter: QPainter, line: StackedLine, view: QRectF, place: QRectF, scale: float
    ) -> None:
        x, y = _in_pixels(line, view, place)
        path = pg.arrayToQPath(x, y)
        if line.halo:
            painter.strokePath(path, _pen(line.halo, 3 * scale))
        painter.strokePath(path, _pen(line.colour, line.width_px * scale))


def _in_pixels(line: StackedLine, view: QRectF, place: QRectF) -> tuple[np.ndarray, np.ndarray]:
    """Return where in `place` a line runs; `view` has its lowest value at its top."""
    view_s = (view.left(), view.right())
    time_s, values = visible_extremes(line.time_s, line.values, view_s, int(place.width()))
    x = place.left() + (time_s - view.left()) * (place.width() / view.width())
    up = (values.astype(float) + line.offset - view.top()) * (place.height() / view.height())
    return x, place.bottom() - up


def _pen(colour, width_px: float) -> QPen:
    pen = QPen(QColor(colour) if isinstance(colour, str) else QColor(*colour), width_px)
    pen.setCosmetic(True)
    return pen
