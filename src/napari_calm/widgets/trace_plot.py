"""The drawing of stacked traces, forecast fans and token strips."""

from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QSizePolicy

from .bands import Band
from .drawing_pen import drawing_pen, follow_letters
from .palette import is_faint
from .row_axis import RowAxis
from .seeking_box import SeekingBox
from .theme import ThemeColours
from .time_axis import TimeAxis
from .trace_stack import StackedLine, TraceStack

_STRIP_HEIGHT = 0.10  # of a trace's slot
_ERROR_BASE = 0.15  # below a trace's zero, of its slot: above the strip
_BAND_HEIGHT = 0.3
_SLOT_FILL = 1.25  # slot height over the height of the middle trace
# Rows of fewer pixels have no bands and tokens, and traces reach over their neighbours.
_DETAIL_PX = 14.0
_STAYS = 0.75
_CROWDED_FILL = 0.4
_CROWDED_ALPHA = 110
_LEAST_BAND = 0.03  # of all rows
_RESCALE_AFTER_MS = 200
_RESCALE_RATIO = 1.3
# Frames that say how high a trace is.
_MOST_SCALED_FRAMES = 2000


@dataclass(frozen=True)
class Fan:
    """A forecast of one neuron, dF/F at `time_s`.

    `error` is how far its mean was off, of the first frames, as many as were recorded.
    """

    time_s: np.ndarray
    mean: np.ndarray
    wide: tuple[np.ndarray, np.ndarray] | None = None
    narrow: tuple[np.ndarray, np.ndarray] | None = None
    error: np.ndarray | None = None


@dataclass(frozen=True)
class Strip:
    """The tokens of one neuron as colours, (tokens, 4) uint8, from `start_s` on."""

    start_s: float
    duration_s: float
    colours: np.ndarray


@dataclass(frozen=True)
class Row:
    """One neuron of the stack: its name, colour and trace (dF/F at `time_s`)."""

    name: str
    colour: tuple[int, int, int]
    time_s: np.ndarray
    trace: np.ndarray
    fan: Fan | None = None
    strip: Strip | None = None


@dataclass(frozen=True)
class Picture:
    """All that the plot shows."""

    rows: list[Row] = field(default_factory=list)
    start_s: float | None = None
    end_s: float = 1.0
    band: Band | None = None


class TracePlot(pg.PlotWidget):
    """Traces stacked on one time axis, all with the same scale.

    Parameters
    ----------
    unit : str
        Unit of the traces, for the scale bar.

    Signals
    -------
    sought : float
        Seconds; the user clicked or dragged there.
    detail_changed
        Rows are tall enough for bands, error and tokens now, or not any more.
    """

    sought = Signal(float)
    detail_changed = Signal()

    def __init__(self, *, unit: str = "dF/F") -> None:
        self._unit = unit
        self._box = SeekingBox(zooms_y=True)
        self._names = RowAxis()
        super().__init__(
            viewBox=self._box, axisItems={"left": self._names, "bottom": TimeAxis()}
        )
        self._box.sought.connect(self.sought)
        self._colours: ThemeColours | None = None
        self._picture = Picture()
        self._scale_bar_dff = 1.0
        self.setMinimumHeight(110)
        # The plot's own wish of 480 pixels would leave little of the canvas.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        self.stack = TraceStack()
        follow_letters(self)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._scale_bar = pg.PlotDataItem()
        self._scale_text = pg.TextItem(anchor=(1, 0.5))
        self._slot = 1.0
        self._heights: tuple[float, float] | None = None
        self._is_crowded, self._is_detailed = False, True
        self._box.sigXRangeChanged.connect(self._place_scale_bar)
        self._rescale = QTimer(self)
        self._rescale.setSingleShot(True)
        self._rescale.setInterval(_RESCALE_AFTER_MS)
        self._rescale.timeout.connect(self._fit_to_view)
        self._box.sigRangeChanged.connect(self._rescale_soon)
        self._box.sigResized.connect(self._rescale_soon)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        self._cursor.setPen(drawing_pen(colours.text, width=1.5))
        self._scale_bar.setPen(drawing_pen(colours.text, width=2))
        self._scale_text.setColor(colours.text)
        self.show_picture(self._picture)

    def show_picture(self, picture: Picture, view_s: tuple[float, float] | None = None) -> None:
        """Draw `picture` in place of what is there, showing the time `view_s` if given.

        Traces are scaled to what is in view. A zoom to some of the rows stays while there are
        as many.
        """
        keeps_zoom = len(picture.rows) == len(self._picture.rows)
        self._picture = picture
        self.clear()
        self._box.setLimits(xMin=0, xMax=max(picture.end_s, 1e-3), minXRange=0.5)
        if view_s is not None:
            self.view_time(*view_s)
        row_px = self._box.height() / max(1, len(picture.rows))
        self._is_crowded = row_px < _DETAIL_PX
        self._slot = slot = self._slot_in_view()
        was_detailed, self._is_detailed = (
            self.is_detailed,
            self._has_room_for_detail(keeps_zoom),
        )
        if was_detailed != self.is_detailed:
            self.detail_changed.emit()
        names, lines = {}, []
        for number, row in enumerate(picture.rows):
            offset = (len(picture.rows) - 1 - number) * slot
            names[offset] = row.name
            self._draw_row(row, offset, slot)
            lines += self._lines(row, offset)
        self.stack.set_lines(lines)
        self.addItem(self.stack, ignoreBounds=True)
        low = -0.35 * slot
        if picture.band is not None:
            height = max(_BAND_HEIGHT * slot, _LEAST_BAND * len(picture.rows) * slot)
            low -= height
            self.addItem(_band_image(picture.band, low, 0.8 * height))
            names[low + 0.4 * height] = picture.band.name
        self._names.set_names(names)
        if picture.start_s is not None:
            pen = drawing_pen(self._text_colour, width=1, style=Qt.PenStyle.DashLine)
            self.addItem(pg.InfiniteLine(picture.start_s, angle=90, pen=pen))
        for item in (self._cursor, self._scale_bar, self._scale_text):
            self.addItem(item, ignoreBounds=True)
        top = (len(picture.rows) - 0.2) * slot
        if picture.rows:
            first = _visible(picture.rows[0], self._box.viewRange()[0])
            peak = (len(picture.rows) - 1) * slot + float(first.max())
            top = max(top, min(peak, (len(picture.rows) + 0.5) * slot))
        self._show_heights(low, top + 0.05 * slot, keeps_zoom)
        self._scale_bar_dff = nice_length(slot * 0.5)
        self._place_scale_bar()

    def move_cursor(self, time_s: float) -> None:
        """Draw the time cursor at `time_s`, moving the view along if it left it."""
        self._cursor.setValue(time_s)
        left, right = self._box.viewRange()[0]
        if not left <= time_s <= right:
            width = right - left
            self.view_time(time_s - 0.1 * width, time_s + 0.9 * width)

    def view_time(self, start_s: float, stop_s: float) -> None:
        """Show the time from `start_s` to `stop_s`."""
        self._box.setXRange(start_s, stop_s, padding=0)

    def _show_heights(self, low: float, high: float, keeps_zoom: bool) -> None:
        """Show all from `low` to `high`, or as much of it as before."""
        shown = np.array([0.0, 1.0])
        if keeps_zoom and self._heights is not None:
            before_low, before_high = self._heights
            shown = np.array(self._box.viewRange()[1]) - before_low
            shown = np.clip(shown / (before_high - before_low), 0, 1)
        self._heights = low, high
        self._box.setLimits(yMin=low, yMax=high, minYRange=self._slot)
        self._box.setYRange(*(low + shown * (high - low)), padding=0)

    def _slot_in_view(self) -> float:
        fill = _CROWDED_FILL if self._is_crowded else _SLOT_FILL
        return _slot_dff(self._picture.rows, self._box.viewRange()[0]) * fill

    @property
    def is_detailed(self) -> bool:
        """Whether bands, error and tokens are drawn."""
        return self._is_detailed

    def _has_room_for_detail(self, keeps_zoom: bool) -> bool:
        """Tell whether rows are tall enough for bands and tokens, as far as they are zoomed."""
        share = 1.0
        if keeps_zoom and self._heights is not None:
            low, high = self._heights
            bottom, top = self._box.viewRange()[1]
            share = (top - bottom) / (high - low)
        rows = max(1, len(self._picture.rows))
        # A legend of another length changes the height: that must not go back and forth.
        least_px = _DETAIL_PX * (_STAYS if self._is_detailed else 1)
        return self._box.height() / max(share * rows, 1e-9) >= least_px

    def _rescale_soon(self, *_view) -> None:
        self._rescale.start()

    def _fit_to_view(self) -> None:
        """Scale the traces anew if what came into view is much larger or smaller."""
        ratio = self._slot_in_view() / self._slot
        fits = 1 / _RESCALE_RATIO < ratio < _RESCALE_RATIO
        fits &= self._has_room_for_detail(True) == self._is_detailed
        if not fits and self.isVisible():
            self.show_picture(self._picture)

    @property
    def _text_colour(self) -> str:
        return self._colours.text if self._colours is not None else "#808080"

    def _draw_row(self, row: Row, offset: float, slot: float) -> None:
        if not self._is_detailed:
            return
        if row.strip is not None:
            self.addItem(_strip_item(row.strip, offset - 0.26 * slot, _STRIP_HEIGHT * slot))
        if row.fan is not None:
            if row.fan.error is not None:
                self.addItem(self._error_item(row.fan, offset - _ERROR_BASE * slot))
            for band, alpha in ((row.fan.wide, 70), (row.fan.narrow, 110)):
                if band is not None:
                    self.addItem(_band_item(row.fan.time_s, band, offset, (*row.colour, alpha)))

    def _lines(self, row: Row, offset: float) -> list[StackedLine]:
        faint = self._colours is not None and is_faint(row.colour, self._colours.background)
        halo = self._colours.muted if faint else ""
        lines = [StackedLine(row.time_s, row.trace, offset, row.colour, halo=halo)]
        if row.fan is not None:
            fan = row.fan
            colour, width_px = self._text_colour, 2.0
            if not self._is_detailed:
                colour, width_px = colour.replace("#", f"#{_CROWDED_ALPHA:02x}"), 1.0
            lines.append(StackedLine(fan.time_s, fan.mean, offset, colour, width_px))
        return lines

    def _error_item(self, fan: Fan, base: float) -> pg.PlotDataItem:
        """Return the error as a filled line that stands on `base`, in the traces' scale."""
        fill = pg.mkColor(self._text_colour)
        fill.setAlpha(90)
        return pg.PlotDataItem(
            fan.time_s[: len(fan.error)],
            fan.error + base,
            pen=drawing_pen(fill, width=1),
            fillLevel=base,
            brush=fill,
        )

    def _place_scale_bar(self) -> None:
        left, right = self._box.viewRange()[0]
        shown = bool(self._picture.rows)
        self._scale_bar.setVisible(shown)
        self._scale_text.setVisible(shown)
        slot = self._slot
        x = right - 0.012 * (right - left)
        top_row = (len(self._picture.rows) - 1) * slot
        low, high = top_row, top_row + self._scale_bar_dff
        self._scale_bar.setData([x, x], [low, high])
        self._scale_text.setText(f"{self._scale_bar_dff:g} {self._unit} ")
        self._scale_text.setPos(x, (low + high) / 2)


def _slot_dff(rows: list[Row], view_s: tuple[float, float]) -> float:
    """Return the height of the middle one of the traces in view, dF/F."""
    heights = []
    for row in rows:
        seen = _visible(row, view_s)
        low, high = np.percentile(seen[:: 1 + len(seen) // _MOST_SCALED_FRAMES], (1, 99.5))
        heights.append(float(high - min(low, 0.0)))
    return max(float(np.median(heights)) if heights else 0.0, 1e-3)


def _visible(row: Row, view_s: tuple[float, float]) -> np.ndarray:
    """Return the part of a trace that is in view, or all of it if none is."""
    first, last = np.searchsorted(row.time_s, view_s)
    part = row.trace[first : last + 1]
    return part if part.size else row.trace


def nice_length(at_most: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above `at_most`."""
    power = 10.0 ** np.floor(np.log10(at_most))
    return float(next(step * power for step in (5, 2, 1) if step * power <= at_most * 1.0001))


def _band_item(time_s, band, offset: float, colour) -> pg.FillBetweenItem:
    low, high = (pg.PlotDataItem(time_s, edge + offset) for edge in band)
    return pg.FillBetweenItem(low, high, brush=pg.mkBrush(*colour))


def _band_image(band: Band, bottom: float, height: float) -> pg.ImageItem:
    image = pg.ImageItem(band.colours[None], axisOrder="row-major", levels=None)
    image.setRect(0.0, bottom, band.duration_s, height)
    return image


def _strip_item(strip: Strip, bottom: float, height: float) -> pg.ImageItem:
    image = pg.ImageItem(strip.colours[None], axisOrder="row-major", levels=None)
    image.setRect(strip.start_s, bottom, strip.duration_s * len(strip.colours), height)
    return image
