"""A variable over time: as measured, and as decoded."""

from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy

from .drawing_pen import drawing_pen, follow_letters
from .seeking_box import SeekingBox
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours
from .time_axis import TimeAxis

DECODED_RGB = (230, 159, 0)
_FIRST_VIEW_S = 120.0
_POINT_PX = 3


@dataclass(frozen=True, eq=False)
class Lines:
    """What the plot shows, one number a frame; NaN for none.

    Parameters
    ----------
    time_s, measured, decoded : numpy.ndarray, (frames,)
    classes : tuple of str
        Names of the classes that the numbers stand for; empty for numbers.
    is_circular : bool
        Whether lines would cross the plot where the angle wraps.
    unit : str
    """

    time_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    measured: np.ndarray = field(default_factory=lambda: np.empty(0))
    decoded: np.ndarray = field(default_factory=lambda: np.empty(0))
    classes: tuple[str, ...] = ()
    is_circular: bool = False
    unit: str = ""


class DecodedPlot(pg.PlotWidget):
    """Two lines on one time axis; a click seeks.

    Signals
    -------
    sought : float
        Seconds; the user clicked or dragged there.
    """

    sought = Signal(float)

    def __init__(self) -> None:
        self._box = SeekingBox()
        super().__init__(viewBox=self._box, axisItems={"bottom": TimeAxis()})
        self._box.sought.connect(self.sought)
        self._colours: ThemeColours | None = None
        self._lines = Lines()
        self.setMinimumHeight(LEAST_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        follow_letters(self)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        self.measured = pg.PlotDataItem(connect="finite")
        self.decoded = pg.PlotDataItem(connect="finite")
        for item in (self.measured, self.decoded):
            item.setDownsampling(auto=True, method="peak")
            item.setClipToView(True)
            self.addItem(item)
        self.addItem(self._cursor, ignoreBounds=True)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        self._cursor.setPen(drawing_pen(colours.text, width=1.5))
        self.show_lines(self._lines, anew=False)

    def show_lines(self, lines: Lines, *, anew: bool) -> None:
        """Draw `lines`; from the beginning if `anew`."""
        self._lines = lines
        grey = self._colours.muted if self._colours is not None else "#808080"
        for item, values, colour, width in (
            (self.measured, lines.measured, grey, 2.5),
            (self.decoded, lines.decoded, DECODED_RGB, 1.3),
        ):
            as_points = lines.is_circular
            item.setData(lines.time_s, values)
            item.setPen(None if as_points else drawing_pen(colour, width=width))
            item.setSymbol("o" if as_points else None)
            item.setSymbolSize(_POINT_PX)
            item.setSymbolPen(None)
            item.setSymbolBrush(pg.mkBrush(colour))
        axis = self.getAxis("left")
        axis.enableAutoSIPrefix(False)
        axis.setTicks([list(enumerate(lines.classes))] if lines.classes else None)
        axis.setLabel(lines.unit or None)
        both = np.concatenate([lines.measured, lines.decoded])
        both = both[np.isfinite(both)]
        if both.size:
            low, high = both.min(), both.max()
            room = 0.06 * max(high - low, 1e-9)
            self._box.setYRange(low - room, high + room, padding=0)
        end_s = float(lines.time_s[-1]) if lines.time_s.size else 1.0
        self._box.setLimits(xMin=0, xMax=max(end_s, 1e-3), minXRange=0.5)
        if anew:
            first = lines.time_s[np.isfinite(lines.decoded)]
            start_s = float(first[0]) if first.size else 0.0
            stop_s = min(end_s, start_s + _FIRST_VIEW_S)
            self._box.setXRange(start_s, stop_s, padding=0)

    def move_cursor(self, time_s: float) -> None:
        """Draw the time cursor, moving the view along if it left it."""
        self._cursor.setValue(time_s)
        left, right = self._box.viewRange()[0]
        if not left <= time_s <= right:
            width = right - left
            self._box.setXRange(time_s - 0.1 * width, time_s + 0.9 * width, padding=0)
