"""The drawing of stacked traces, forecast fans and token strips; any number of rows."""

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRect, Qt, QTimer, Signal
from qtpy.QtWidgets import QSizePolicy

from .bands import Band
from .drawing_pen import drawing_pen, follow_letters
from .row_axis import RowAxis
from .row_items import DETAIL_PX, RowItems, fill_of, is_heat
from .row_keys import window_after
from .row_scroll import WIDTH_PX, RowScroll
from .row_window import RowWindow
from .rows_box import RowsBox
from .scale_bar import ScaleBar
from .stacked_parts import StackedStrip
from .theme import ThemeColours
from .time_axis import TimeAxis
from .trace_levels import TraceLevels
from .trace_rows import Picture, typical_height, visible_part

_BAND_PX, _BAND_GAP_PX = 9.0, 4.0
# Room above the first row: for its peaks, in rows, and for half its name.
_MOST_HEAD, _MOST_CROWDED_HEAD = 1.5, 3.0
_NAME_PX = 7.0
_GREY = "#808080"
_RESCALE_AFTER_MS = 200
_RESCALE_RATIO = 1.3


class TracePlot(pg.PlotWidget):
    """Traces stacked on one time axis, all with the same scale; rows in view are drawn.

    Parameters
    ----------
    unit : str
        Unit of the traces, for the scale bar.

    Signals
    -------
    sought : float
        Seconds; the user clicked or dragged there.
    row_clicked : int, bool
        The user clicked a row; whether Shift was held.
    rows_changed
        Other rows are in view, or they are drawn in another way: with bands, error and tokens,
        as lines alone, or as shades.
    time_range_changed : float, float
        Another stretch of time is in view, seconds.
    """

    sought = Signal(float)
    row_clicked = Signal(int, bool)
    rows_changed = Signal()
    time_range_changed = Signal(float, float)

    def __init__(self, *, unit: str = "dF/F") -> None:
        self._box = RowsBox()
        self._names = RowAxis()
        super().__init__(
            viewBox=self._box, axisItems={"left": self._names, "bottom": TimeAxis()}
        )
        self._colours: ThemeColours | None = None
        self._picture = Picture()
        self._levels: TraceLevels | None = None
        self._window = RowWindow()
        self._marked: int | None = None
        # Height of the middle trace, in the traces' unit.
        self._typical = 1.0
        self._told: tuple = ()
        self.setMinimumHeight(110)
        # The plot's own wish of 480 pixels would leave little of the canvas.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        # Room for the scroll bar.
        self.plotItem.layout.setContentsMargins(1, 1, WIDTH_PX + 1, 1)
        self._items = RowItems()
        self.stack, self.heat = self._items.stack, self._items.heat
        follow_letters(self)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self._start = pg.InfiniteLine(angle=90, movable=False)
        self._band: StackedStrip | None = None
        self._scale_bar = ScaleBar(unit)
        for item in (
            self.heat,
            self.stack,
            self._start,
            self._cursor,
            *self._scale_bar.items,
        ):
            self.addItem(item, ignoreBounds=True)
        self.scroll = RowScroll(self)
        self._rescale = QTimer(self, singleShot=True, interval=_RESCALE_AFTER_MS)
        self._rescale.timeout.connect(self._fit_to_view)
        # Of many turns of the wheel between two paintings, the last is drawn.
        self._shade = QTimer(self, singleShot=True, interval=0)
        self._shade.timeout.connect(self._draw_heat)
        self._connect()

    def _connect(self) -> None:
        box = self._box
        box.sought.connect(self.sought)
        box.clicked.connect(self._on_click)
        box.scrolled.connect(self._on_wheel)
        box.dragged.connect(lambda px: self._show(self._window.scrolled(px / self.row_px)))
        box.scaled.connect(lambda factor, y: self._show(self._window.scaled(factor, y)))
        box.sigXRangeChanged.connect(self._on_time_range)
        box.sigResized.connect(self._on_resized)
        self.scroll.valueChanged.connect(self._on_scroll)

    @property
    def row_px(self) -> float:
        """Height of a row, pixels."""
        return self._window.row_px

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self._picture.rows)

    @property
    def rows_in_view(self) -> range:
        """Rows that are seen, at least half of each."""
        return self._window.in_view

    @property
    def shows_all_rows(self) -> bool:
        """Whether no row is out of view."""
        return self._window.shows_all

    @property
    def is_fitted(self) -> bool:
        """Whether all rows are squeezed into the view, however many they are."""
        return self._window.fits_all

    @property
    def is_detailed(self) -> bool:
        """Whether bands, error and tokens are drawn."""
        return self._items.is_detailed

    @property
    def is_heat(self) -> bool:
        """Whether rows are so low that they are shades instead of lines."""
        return is_heat(self._picture, self._window)

    @property
    def has_levels(self) -> bool:
        """Whether shades are drawn from what was prepared, rather than from single values."""
        heat = self._picture.heat
        return bool(heat and self._levels and self._levels.traces is heat.traces)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        self._scale_bar.set_colours(colours)
        self.heat.set_colours(colours)
        self.show_picture(self._picture)

    def show_picture(self, picture: Picture, view_s: tuple[float, float] | None = None) -> None:
        """Draw `picture` in place of what is there, showing the time `view_s` if given.

        Traces are scaled to what is in view. Rows stay as tall as they are and, while there
        are as many, scrolled to where they are.
        """
        self._picture = picture
        if self._marked is not None and self._marked >= len(picture.rows):
            self._marked = None
        self._box.setLimits(xMin=0, xMax=max(picture.end_s, 1e-3), minXRange=0.5)
        if view_s is not None:
            self.view_time(*view_s)
        self._start.setVisible(picture.start_s is not None)
        if picture.start_s is not None:
            self._start.setValue(picture.start_s)
        self._names.set_names(len(picture.rows), lambda row: picture.rows[row].name)
        self._scale_anew()

    def set_levels(self, levels: TraceLevels | None) -> None:
        """Take what rows of few pixels are drawn from quickly and exactly."""
        if levels is not self._levels:
            self._levels = levels
            self._shade.start()

    def mark(self, row: int | None) -> None:
        """Mark the row that is looked at; None for none."""
        if row != self._marked:
            self._marked = row
            self._names.set_marked(row)
            self._draw_rows()

    def reveal(self, row: int) -> None:
        """Scroll as little as brings a row into view."""
        self._show(self._window.revealing(row))

    def fit_all(self, wanted: bool = True) -> None:
        """Squeeze all rows into the view, or return to rows that can be read."""
        self._show(self._window.fitted(wanted))

    def make_taller(self, factor: float) -> None:
        """Make rows taller, or, with a factor below 1, lower."""
        self._show(self._window.scaled(factor))

    def page(self, way: int) -> None:
        """Scroll by a view, down (1) or up (-1)."""
        self._show(self._window.paged(way))

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

    def keyPressEvent(self, event) -> None:
        """Scroll rows and change their height; what is no key for that goes to napari."""
        window = window_after(self._window, event)
        if window is None:
            event.ignore()
        else:
            event.accept()
            self._show(window)

    def _on_click(self, at: QPointF, adding: bool) -> None:
        bottom, _ = self._window.range_y
        row = self._window.row_at(at.y())
        # Below the rows lies the band.
        if row is not None and at.y() >= bottom:
            self.row_clicked.emit(row, adding)

    def _on_wheel(self, px: float) -> None:
        # At least one row; low ones by as many as pass in so many pixels.
        rows = px / self.row_px
        self._show(self._window.scrolled(np.sign(rows) * max(1.0, abs(rows))))

    def _on_scroll(self, _value: int) -> None:
        self._show(self._window.scrolled(self.scroll.rows_above - self._window.above))

    def _on_resized(self, *_box) -> None:
        self._show(self._window)
        self._rescale.start()

    def _on_time_range(self, *_range) -> None:
        self._place_scale_bar()
        self._rescale.start()
        if self.is_heat:
            self._shade.start()
        self.time_range_changed.emit(*self._box.viewRange()[0])

    @property
    def _free_px(self) -> float:
        """Height of what is below the rows."""
        return 0.0 if self._picture.band is None else _BAND_PX + _BAND_GAP_PX

    def _show(self, window: RowWindow) -> None:
        """Bring other rows into view, or make them taller."""
        window = window.with_height(self._box.height() - self._free_px)
        self._window = window = window.with_head(self._head(window.row_px))
        bottom, top = window.range_y
        free = self._free_px / window.row_px
        self._box.setYRange(bottom - free, top, padding=0)
        self._place_band(self._picture.band, bottom - free, free)
        place = self._box.sceneBoundingRect().toRect()
        self.scroll.show_window(
            window, QRect(self.width() - WIDTH_PX, place.top(), WIDTH_PX, place.height())
        )
        self._draw_rows()

    @property
    def _slot(self) -> float:
        """Height of a row in the traces' unit; the traces of low rows overlap."""
        return self._typical * fill_of(self.row_px)

    def _head(self, row_px: float) -> float:
        """Return how much room there should be above the first row's zero, in rows."""
        if not self.n_rows:
            return 0.0
        first = visible_part(self._picture.rows[0], self._box.viewRange()[0])
        peak = float(first.max()) / (self._typical * fill_of(row_px)) + 0.05
        most = _MOST_HEAD if row_px >= DETAIL_PX else _MOST_CROWDED_HEAD
        return max(_NAME_PX / row_px, min(peak, most))

    def _place_band(self, band: Band | None, low: float, free: float) -> None:
        """Lay the band below the rows, where `free` rows from `low` on are left for it."""
        self._band = name = None
        if band is not None:
            height = free * _BAND_PX / self._free_px
            part_s = band.duration_s / len(band.colours)
            opaque = np.full((len(band.colours), 1), 255, np.uint8)
            colours = np.hstack([band.colours[:, :3], opaque])
            self._band = StackedStrip(0.0, part_s, colours, low, height)
            name = (low + height / 2, band.name)
        self._names.set_band(name)

    def _scale_anew(self) -> None:
        """Scale traces to what is in view."""
        self._typical = typical_height(self._picture.rows, self._box.viewRange()[0])
        self._show(self._window.with_rows(self.n_rows))

    def _fit_to_view(self) -> None:
        """Scale the traces anew if what came into view is much larger or smaller."""
        if not self.isVisible() or not self.n_rows:
            return
        typical = typical_height(self._picture.rows, self._box.viewRange()[0])
        ratio = typical / self._typical
        if not 1 / _RESCALE_RATIO < ratio < _RESCALE_RATIO:
            self._scale_anew()

    def _draw_rows(self) -> None:
        """Draw the rows in view in the way that their height allows."""
        self._items.draw_lines(
            self._picture,
            self._window,
            self._slot,
            self._colours,
            marked=self._marked,
            band=self._band,
            free_px=self._free_px,
        )
        heat = self.is_heat
        line = _GREY if self._colours is None else self._colours.text
        if heat:
            self._shade.start()
            # Lines of the text's colour are lost where shades are bright.
            line = line if self._colours is None else self._colours.warning
        self._cursor.setPen(drawing_pen(line, width=1.5))
        self._start.setPen(drawing_pen(line, width=1, style=Qt.PenStyle.DashLine))
        self._place_scale_bar()
        told = (self.rows_in_view, self.is_detailed, heat, self.n_rows)
        if told != self._told:
            self._told = told
            self.rows_changed.emit()

    def draw_now(self) -> None:
        """Draw what waits for the event loop, at the size and scale that it will have."""
        self.plotItem.layout.activate()
        if self._rescale.isActive():
            self._rescale.stop()
            self._fit_to_view()
        if self._shade.isActive():
            self._shade.stop()
            self._draw_heat()

    def _draw_heat(self) -> None:
        if self.is_heat and self.isVisible():
            view_s, width = self._box.viewRange()[0], self._box.width()
            self._items.draw_heat(self._picture, self._window, self._levels, view_s, width)

    def _place_scale_bar(self) -> None:
        shown = self.n_rows > 0 and not self.is_heat
        self._scale_bar.show(shown)
        if shown:
            self._scale_bar.place(self._window, self._slot, self._box.viewRange()[0])
