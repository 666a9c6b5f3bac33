"""All neurons over time as a picture, sorted, with coloured bands at the side."""

from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRectF, QTimer, Signal
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import QSizePolicy

from .drawing_pen import drawing_pen, follow_letters
from .palette import neuron_colour
from .seeking_box import SeekingBox
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours
from .time_axis import TimeAxis
from .trace_levels import HIGH_Z, LOW_Z, TraceLevels

_AXIS_PX, _BAND_PX, _MARK_PX = 62, 10, 6
_LEAST_MARK_PX = 3.0
_LEAST_LABEL_PX = 12.0
_SHADES = 256


@dataclass(frozen=True, eq=False)
class SortedNeurons:
    """Rows of the raster, from top to bottom.

    Parameters
    ----------
    order : numpy.ndarray of int, (rows,)
        Neuron of each row.
    colours : numpy.ndarray, (rows, 3)
        uint8, for the band at the side.
    groups : list of (str, int, int)
        Name, first row and the row after the last of neighbouring rows that belong together.
    """

    order: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    colours: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.uint8))
    groups: list[tuple[str, int, int]] = field(default_factory=list)


class _BandAxis(pg.AxisItem):
    """Names of the groups, their colours, and marks of the selected neurons."""

    def __init__(self) -> None:
        super().__init__("left")
        self.rows = SortedNeurons()
        self.marks: list[tuple[int, tuple[int, int, int]]] = []
        self._band = QImage()
        self.setWidth(_AXIS_PX)
        self.setStyle(tickLength=0, tickTextOffset=_BAND_PX + _MARK_PX + 3)

    def set_rows(self, rows: SortedNeurons) -> None:
        """Show other rows."""
        self.rows = rows
        colours = np.ascontiguousarray(rows.colours, np.uint8)
        if len(colours):
            # 3 bytes a line; the image does not own the memory, so it is copied.
            band = QImage(colours.data, 1, len(colours), 3, QImage.Format.Format_RGB888)
            self._band = band.copy()
        self._draw_anew()

    def set_marks(self, marks: list[tuple[int, tuple[int, int, int]]]) -> None:
        """Mark rows in colours."""
        self.marks = marks
        self._draw_anew()

    def _draw_anew(self) -> None:
        self.picture = None
        self.update()

    def tickValues(self, low: float, high: float, size: float) -> list:
        """Return the middles of those groups that are tall enough for their name."""
        pixels_a_row = size / max(high - low, 1e-9)
        middles = [
            (max(first, low) + min(stop, high)) / 2
            for _, first, stop in self.rows.groups
            if (min(stop, high) - max(first, low)) * pixels_a_row >= _LEAST_LABEL_PX
        ]
        return [(1.0, middles)]

    def tickStrings(self, values: list, *_scale_and_spacing) -> list[str]:
        """Return the names of the groups at these rows."""
        return [
            next(name for name, first, stop in self.rows.groups if first <= value <= stop)
            for value in values
        ]

    def drawPicture(self, painter: QPainter, axis, ticks, texts) -> None:
        """Draw names, the band beside the plot, and marks left of it."""
        super().drawPicture(painter, axis, ticks, texts)
        if not len(self.rows.order):
            return
        bounds = self.mapRectFromParent(self.geometry())
        bottom_row, top_row = self.range
        pixels_a_row = bounds.height() / max(bottom_row - top_row, 1e-9)
        visible = QRectF(0, top_row, 1, bottom_row - top_row)
        place = QRectF(bounds.right() - _BAND_PX, bounds.top(), _BAND_PX - 1, bounds.height())
        painter.drawImage(place, self._band, visible)
        marked = set()
        for row, colour in self.marks:
            pixel = int(row * pixels_a_row)
            # Of many marks in one pixel, one is enough.
            if pixel not in marked and top_row <= row + 0.5 <= bottom_row:
                marked.add(pixel)
                height = max(_LEAST_MARK_PX, pixels_a_row)
                middle = bounds.top() + (row + 0.5 - top_row) * pixels_a_row
                left = bounds.right() - _BAND_PX - _MARK_PX - 1
                mark = QRectF(left, middle - height / 2, _MARK_PX, height)
                painter.fillRect(mark, QColor(*colour))


class RasterPlot(pg.PlotWidget):
    """z-scored traces of all neurons; a click seeks and tells which row was clicked.

    Only what is in view is drawn, with as many rows and columns as there are pixels.

    Signals
    -------
    sought : float
        Seconds; the user clicked or dragged there.
    picked : int, bool
        A neuron was clicked; whether it is to be added.
    """

    sought = Signal(float)
    picked = Signal(int, bool)

    def __init__(self) -> None:
        self._box, self._axis = SeekingBox(zooms_y=True), _BandAxis()
        super().__init__(
            viewBox=self._box, axisItems={"left": self._axis, "bottom": TimeAxis()}
        )
        self._levels: TraceLevels | None = None
        self._rows = SortedNeurons()
        self._frame_rate_hz = 1.0
        self.setMinimumHeight(LEAST_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        follow_letters(self)
        self.invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setLevels((LOW_Z, HIGH_Z))
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self.addItem(self._image)
        self.addItem(self._cursor, ignoreBounds=True)
        self._draw_later = QTimer(self)
        self._draw_later.setSingleShot(True)
        self._draw_later.setInterval(0)
        self._draw_later.timeout.connect(self._draw)
        self._box.sigRangeChanged.connect(self._draw_soon)
        self._box.sigResized.connect(self._draw_soon)
        self._box.sought.connect(self.sought)
        self._box.clicked.connect(self._on_click)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme: activity goes from its back- to its text."""
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        ends = [QColor(name).getRgb()[:3] for name in (colours.background, colours.text)]
        shades = np.linspace(*ends, _SHADES).round().astype(np.uint8)
        self._image.setLookupTable(shades)
        self._cursor.setPen(drawing_pen(colours.warning, width=1.5))

    def show_rows(
        self, levels: TraceLevels, rows: SortedNeurons, frame_rate_hz: float, *, anew: bool
    ) -> None:
        """Draw neurons in this order.

        Parameters
        ----------
        anew : bool
            Whether the traces are others than before, so that all is brought into view.
        """
        self._levels, self._rows, self._frame_rate_hz = levels, rows, frame_rate_hz
        n_neurons, n_frames = levels.traces.shape
        end_s = n_frames / frame_rate_hz
        self._box.setLimits(xMin=0, xMax=end_s, yMin=0, yMax=n_neurons, minXRange=0.5)
        self._axis.set_rows(rows)
        if anew:
            self._box.setRange(QRectF(0, 0, end_s, n_neurons), padding=0)
        self._draw_soon()

    def clear_rows(self) -> None:
        """Show nothing."""
        self._levels, self._rows = None, SortedNeurons()
        self._image.clear()
        self._axis.set_rows(self._rows)
        self._axis.set_marks([])

    def show_selection(self, selection: tuple[int, ...]) -> None:
        """Mark the rows of the selected neurons in the colours of their traces."""
        row_of = {int(neuron): row for row, neuron in enumerate(self._rows.order)}
        self._axis.set_marks(
            [
                (row_of[neuron], neuron_colour(position))
                for position, neuron in enumerate(selection)
                if neuron in row_of
            ]
        )

    def move_cursor(self, time_s: float) -> None:
        """Draw the time cursor at `time_s`, moving the view along if it left it."""
        self._cursor.setValue(time_s)
        left, right = self._box.viewRange()[0]
        if not left <= time_s <= right:
            width = right - left
            self._box.setXRange(time_s - 0.1 * width, time_s + 0.9 * width, padding=0)

    def _on_click(self, at: QPointF, adding: bool) -> None:
        row = int(np.floor(at.y()))
        if 0 <= row < len(self._rows.order):
            self.picked.emit(int(self._rows.order[row]), adding)

    def draw_now(self) -> None:
        """Draw what waits for the event loop."""
        if self._draw_later.isActive():
            self._draw_later.stop()
            self._draw()

    def _draw_soon(self, *_view) -> None:
        self._draw_later.start()

    def _draw(self) -> None:
        if self._levels is None or not self.isVisible():
            return
        (left_s, right_s), (top, bottom) = self._box.viewRange()
        first_row, stop_row = max(0, int(np.floor(top))), int(np.ceil(bottom))
        neurons = self._rows.order[first_row:stop_row]
        if not len(neurons):
            return
        rate = self._frame_rate_hz
        picture, first, last = self._levels.view(
            neurons,
            int(np.floor(left_s * rate)),
            int(np.ceil(right_s * rate)),
            max(1, int(self._box.width())),
            max(1, int(self._box.height())),
        )
        self._image.setImage(picture, autoLevels=False)
        place = QRectF(first / rate, first_row, (last - first) / rate, len(neurons))
        self._image.setRect(place)

    def showEvent(self, event) -> None:
        """Draw what was missed while hidden."""
        super().showEvent(event)
        self._draw_soon()


def sorted_by(
    values: np.ndarray,
    colours: np.ndarray,
    categories: tuple[str, ...],
    order: np.ndarray | None = None,
) -> SortedNeurons:
    """Sort neurons by category, or by a number with the largest on top.

    Parameters
    ----------
    values : numpy.ndarray, (neurons,)
        Numbers or positions of categories; NaN for none, which comes last.
    colours : numpy.ndarray, (neurons, 3)
    categories : tuple of str
        Empty for numbers.
    order : numpy.ndarray of int, optional
        An order within which the categories follow each other already.
    """
    if order is None:
        values = np.asarray(values, float)
        rank = values if categories else -values
        order = np.argsort(np.where(np.isfinite(rank), rank, np.inf), kind="stable")
    groups = []
    if categories:
        number = np.where(np.isfinite(values), values, -1).astype(int)[order]
        edges = np.flatnonzero(np.diff(number)) + 1
        for first, stop in zip([0, *edges], [*edges, len(order)], strict=True):
            name = "none" if number[first] < 0 else categories[number[first]]
            groups.append((name, int(first), int(stop)))
    return SortedNeurons(order, colours[order], groups)
