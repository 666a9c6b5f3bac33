"""Many long lines over time as one item of a plot, quick to draw however long they are."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from .line_spans import column_spans, painted_spans
from .printed_scale import printed_scale
from .stacked_parts import (
    Colour,
    StackedFill,
    StackedLine,
    StackedStrip,
    visible_extremes,
)

# More lines than this are drawn column by column rather than stroked.
_MOST_STROKED = 30
_HALO_PX = 3.0
_ARGB = QImage.Format.Format_ARGB32_Premultiplied


class TraceStack(pg.GraphicsObject):
    """Draws the parts of rows into a picture once, and only copies it until the view changes.

    Moving a cursor over a plot repaints what lies below; Qt would draw all lines anew for it,
    and wide lines are slow. Here lines are one pixel wide strokes, laid beside each other
    where they are to be wider. Files (SVG, large PNG) get true lines.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[StackedLine] = []
        self.fills: list[StackedFill] = []
        self.strips: list[StackedStrip] = []
        self.band: StackedStrip | None = None
        # Pixels at the bottom of the view that are kept free.
        self._free_px = 0.0
        self._image: QImage | None = None
        self._key: tuple = ()

    def set_lines(self, lines: list[StackedLine]) -> None:
        """Draw these lines and nothing else."""
        self.set_parts(lines)

    def set_parts(
        self,
        lines: Sequence[StackedLine],
        fills: Sequence[StackedFill] = (),
        strips: Sequence[StackedStrip] = (),
        *,
        band: StackedStrip | None = None,
        free_px: float = 0.0,
    ) -> None:
        """Draw strips, over them what is filled, over all the lines.

        At the bottom `free_px` pixels are kept free of them, for a band.
        """
        self.lines, self.fills, self.strips = list(lines), list(fills), list(strips)
        self.band, self._free_px, self._key = band, free_px, ()
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
        """Draw the parts, or the picture of them."""
        view, transform = self.boundingRect(), painter.worldTransform()
        place = transform.mapRect(view)
        nothing = not (self.lines or self.fills or self.strips or self.band)
        if nothing or place.width() < 1 or place.height() < 1:
            return
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        printed = printed_scale()
        painter.save()
        painter.resetTransform()
        if printed is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw(painter, view, place, printed, is_printed=True)
        else:
            key = (view.getRect(), place.width(), place.height(), ratio)
            if key != self._key:
                self._key, self._image = key, self._drawn(view, place, ratio)
            painter.drawImage(place.topLeft(), self._image)
        painter.restore()

    def _drawn(self, view: QRectF, place: QRectF, ratio: float) -> QImage:
        width, height = (
            max(1, round(side * ratio)) for side in (place.width(), place.height())
        )
        image = QImage(width, height, _ARGB)
        image.fill(0)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw(painter, view, QRectF(0, 0, width, height), ratio)
        painter.end()
        image.setDevicePixelRatio(ratio)
        return image

    def _draw(
        self,
        painter: QPainter,
        view: QRectF,
        place: QRectF,
        scale: float,
        *,
        is_printed: bool = False,
    ) -> None:
        """Draw all parts into `place`, `scale` of whose pixels are one of the window."""
        seen = place.adjusted(0, 0, 0, -self._free_px * scale)
        if not is_printed:
            painter.setClipRect(place)
        draw_strip = _print_strip if is_printed else _draw_strip
        if self.band is not None:
            draw_strip(painter, self.band, view, place, place)
        if not is_printed:
            painter.setClipRect(seen)
        for strip in self.strips:
            draw_strip(painter, strip, view, place, seen)
        for fill in self.fills:
            _draw_fill(painter, fill, view, place, seen)
        for line in self.lines:
            x, y = _in_pixels(line, view, place)
            if is_printed:
                # SVG has no clipping.
                x, y = cut(x, y, seen)
            looks: list[tuple[Colour, float]] = [(line.colour, line.width_px * scale)]
            if line.halo:
                looks.insert(0, (line.halo, _HALO_PX * scale))
            for colour, width_px in looks:
                if is_printed:
                    path = pg.arrayToQPath(x, y, connect="finite")
                    painter.strokePath(path, _pen(colour, width_px))
                elif len(self.lines) > _MOST_STROKED:
                    _draw_spans(painter, x, y, colour, width_px, place)
                else:
                    _stroke(painter, x, y, colour, width_px)


def _stroke(painter: QPainter, x, y, colour: Colour, width_px: float) -> None:
    """Draw a line by strokes of one pixel, which Qt does many times faster."""
    painter.setPen(_pen(colour, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    count = max(1, round(width_px))
    for number in range(count):
        painter.drawPath(pg.arrayToQPath(x, y + number - (count - 1) / 2))


def _draw_spans(painter: QPainter, x, y, colour: Colour, width_px: float, place) -> None:
    """Draw a line that is one of very many."""
    width, height = int(place.width()), int(place.height())
    low, high = column_spans(x, y, width)
    rgba = _colour(colour).getRgb()
    pixels, top = painted_spans(low, high, rgba, max(1.0, width_px), height)
    if len(pixels):
        pixels = np.ascontiguousarray(pixels)
        image = QImage(pixels.data, width, len(pixels), 4 * width, _ARGB)
        painter.drawImage(QPointF(0, top), image)


def cut(x: np.ndarray, y: np.ndarray, place: QRectF) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a line that lies in a place; NaN stands where it is interrupted."""
    ends = np.array([place.left(), place.right()])
    heights = np.interp(ends, x, y, left=np.nan, right=np.nan)
    inside = (x > ends[0]) & (x < ends[1])
    x = np.concatenate([ends[:1], x[inside], ends[1:]])
    y = np.concatenate([heights[:1], y[inside], heights[1:]])
    within = np.clip(y, place.top(), place.bottom())
    away = within != y
    # What leaves the place is drawn to its edge.
    alone = away & np.append(away[1:], True) & np.append(True, away[:-1])
    return x, np.where(alone, np.nan, within)


def _draw_fill(
    painter: QPainter, fill: StackedFill, view: QRectF, place: QRectF, seen: QRectF
) -> None:
    if not len(fill.time_s) or fill.time_s[-1] < view.left() or fill.time_s[0] > view.right():
        return
    x = np.clip(_across(fill.time_s, view, place), seen.left(), seen.right())
    low, high = (
        np.clip(_down(edge * fill.scale + fill.offset, view, place), seen.top(), seen.bottom())
        for edge in (fill.low, fill.high)
    )
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_colour(fill.colour))
    corners = zip(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]), strict=True)
    painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))


def _draw_strip(
    painter: QPainter, strip: StackedStrip, view: QRectF, place: QRectF, _seen: QRectF
) -> None:
    first = max(0, int((view.left() - strip.start_s) // strip.part_s))
    last = int((view.right() - strip.start_s) // strip.part_s) + 1
    # Of more parts than pixels some are left out.
    step = max(1, (min(last, len(strip.colours)) - first) // max(1, int(place.width())))
    colours = np.ascontiguousarray(strip.colours[first:last:step], np.uint8)
    if not len(colours):
        return
    from_s = strip.start_s + first * strip.part_s
    # The last part may be cut by the end of the strip.
    to_s = from_s + len(colours) * step * strip.part_s
    left, right = _across(np.array([from_s, to_s]), view, place)
    top, bottom = _down(np.array([strip.bottom + strip.height, strip.bottom]), view, place)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    image = QImage(colours.data, len(colours), 1, colours.nbytes, QImage.Format.Format_RGBA8888)
    painter.drawImage(QRectF(left, top, right - left, bottom - top), image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _print_strip(
    painter: QPainter, strip: StackedStrip, view: QRectF, place: QRectF, seen: QRectF
) -> None:
    """Draw a strip as rectangles, one for neighbours of one colour."""
    changes = np.any(np.diff(strip.colours, axis=0), axis=1)
    starts = np.append(0, np.flatnonzero(changes) + 1)
    edges_s = strip.start_s + strip.part_s * np.append(starts, len(strip.colours))
    x = np.clip(_across(edges_s, view, place), seen.left(), seen.right())
    sides = _down(np.array([strip.bottom + strip.height, strip.bottom]), view, place)
    top, bottom = np.clip(sides, seen.top(), seen.bottom())
    for start, left, right in zip(starts, x[:-1], x[1:], strict=True):
        if right > left and bottom > top:
            part = QRectF(left, top, right - left, bottom - top)
            painter.fillRect(part, QColor(*strip.colours[start].tolist()))


def _in_pixels(line: StackedLine, view: QRectF, place: QRectF) -> tuple[np.ndarray, np.ndarray]:
    """Return where in `place` a line runs."""
    view_s = (view.left(), view.right())
    time_s, values = visible_extremes(line.time_s, line.values, view_s, int(place.width()))
    up = values.astype(float) * line.scale + line.offset
    return _across(time_s, view, place), _down(up, view, place)


def _across(time_s: np.ndarray, view: QRectF, place: QRectF) -> np.ndarray:
    return place.left() + (time_s - view.left()) * (place.width() / view.width())


def _down(y: np.ndarray, view: QRectF, place: QRectF) -> np.ndarray:
    # The view has its lowest value at its top.
    return place.bottom() - (y - view.top()) * (place.height() / view.height())


def _colour(colour: Colour) -> QColor:
    return QColor(colour) if isinstance(colour, str) else QColor(*colour)


def _pen(colour: Colour, width_px: float) -> QPen:
    pen = QPen(_colour(colour), width_px)
    pen.setCosmetic(True)
    return pen
