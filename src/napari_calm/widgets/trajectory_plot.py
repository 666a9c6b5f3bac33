"""The state of the population as a point that moves through a plane."""

from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy

from .drawing_pen import drawing_pen, follow_letters
from .plain_points import PlainPoints
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours

_MOST_POINTS = 4000
_TAIL_S = 3.0
_NEAR_PX = 25.0


@dataclass(frozen=True, eq=False)
class Average:
    """Mean path of one kind of trial: its colour and places, (2, frames)."""

    colour: tuple[int, int, int]
    path: np.ndarray


@dataclass(frozen=True, eq=False)
class Path:
    """A path through a plane.

    Parameters
    ----------
    time_s : numpy.ndarray, (frames,)
    places : numpy.ndarray, (2, frames)
        NaN where there is none.
    colours : numpy.ndarray, (frames, 3)
        uint8.
    axes : (str, str)
        What the axes are.
    averages : list of Average
    """

    time_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    places: np.ndarray = field(default_factory=lambda: np.empty((2, 0)))
    colours: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.uint8))
    axes: tuple[str, str] = ("", "")
    averages: list[Average] = field(default_factory=list)


class _ClickBox(pg.ViewBox):
    """Left click tells where; wheel zooms, drags move the view."""

    clicked = Signal(QPointF)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)

    def mouseClickEvent(self, event) -> None:
        """Tell where the left button was clicked."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.clicked.emit(self.mapSceneToView(event.scenePos()))


class TrajectoryPlot(pg.PlotWidget):
    """A coloured path with the present moment on it; a click on the path seeks.

    Signals
    -------
    sought : float
        Seconds; the user clicked the path there.
    """

    sought = Signal(float)

    def __init__(self) -> None:
        self._box = _ClickBox()
        super().__init__(viewBox=self._box)
        self._path = Path()
        self._shown = np.empty(0, int)
        self._colours: ThemeColours | None = None
        self.setMinimumSize(150, LEAST_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        follow_letters(self)
        for name in ("bottom", "left"):
            self.getAxis(name).setStyle(showValues=False, tickLength=0)
        self._line = pg.PlotCurveItem(connect="finite")
        self.points = PlainPoints(pen=None, size=4)
        self._tail = pg.PlotCurveItem(connect="finite")
        self.now = PlainPoints(size=13)
        self._averages: list = []
        for item in (self._line, self.points, self._tail, self.now):
            item.setZValue(0)
            self.addItem(item)
        self._tail.setZValue(2)
        self.now.setZValue(3)
        self._box.clicked.connect(self._on_click)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        line = QColor(colours.muted)
        line.setAlpha(120)
        self._line.setPen(drawing_pen(line, width=1))
        self._tail.setPen(drawing_pen(colours.text, width=2.5))
        self.now.setPen(drawing_pen(colours.text, width=2.5))
        self.now.setBrush(pg.mkBrush(colours.background))
        self._label_axes()

    def show_path(self, path: Path, *, anew: bool) -> None:
        """Draw `path`.

        Parameters
        ----------
        anew : bool
            Whether the places are others than before, so that all are brought into view.
        """
        self._path = path
        self._label_axes()
        # A state holds for the frames of a token: each is drawn once.
        moved = np.any(np.diff(path.places, axis=1, prepend=np.nan) != 0, axis=0)
        shown = np.flatnonzero(moved & np.isfinite(path.places).all(axis=0))
        shown = shown[:: max(1, -(-len(shown) // _MOST_POINTS))]
        self._shown = shown
        x, y = path.places[:, shown]
        self._line.setData(x, y)
        brushes = {
            tuple(each): pg.mkBrush(*each, 90 if path.averages else 200)
            for each in np.unique(path.colours[shown], axis=0)
        }
        self.points.setData(
            x=x, y=y, brush=[brushes[tuple(each)] for each in path.colours[shown]]
        )
        for item in self._averages:
            self.removeItem(item)
        self._averages = [item for average in path.averages for item in _drawn(average)]
        for item in self._averages:
            # Discs above the lines of the others.
            item.setZValue(1.5 if isinstance(item, PlainPoints) else 1)
            self.addItem(item)
        if anew:
            self._box.autoRange(padding=0.05)

    def move_to(self, time_s: float) -> None:
        """Mark where the population is at `time_s` and where it came from."""
        times, places = self._path.time_s, self._path.places
        if not len(times):
            self.now.setData([], [])
            self._tail.setData([], [])
            return
        # A moment between two frames belongs to the earlier one.
        frame = int(np.clip(np.searchsorted(times, time_s + 1e-6) - 1, 0, len(times) - 1))
        here = places[:, frame]
        known = np.isfinite(here).all()
        self.now.setData(here[:1] if known else [], here[1:] if known else [])
        first = int(np.searchsorted(times, time_s - _TAIL_S))
        tail = places[:, first : frame + 1]
        self._tail.setData(*tail[:, np.isfinite(tail).all(axis=0)])

    def _label_axes(self) -> None:
        colour = self._colours.text if self._colours else None
        for name, text in zip(("bottom", "left"), self._path.axes, strict=True):
            self.setLabel(name, text, color=colour)

    def _on_click(self, at: QPointF) -> None:
        if not len(self._shown):
            return
        places = self._path.places[:, self._shown].T
        away = (places - (at.x(), at.y())) / self._box.viewPixelSize()
        distance_px = np.hypot(*away.T)
        nearest = int(distance_px.argmin())
        if distance_px[nearest] <= _NEAR_PX:
            self.sought.emit(float(self._path.time_s[self._shown[nearest]]))


def _drawn(average: Average) -> tuple:
    """Return a thick line that begins with a disc."""
    path = average.path[:, np.isfinite(average.path).all(axis=0)]
    line = pg.PlotCurveItem(*path, pen=drawing_pen(average.colour, width=4))
    disc = PlainPoints(
        *path[:, :1], size=12, brush=pg.mkBrush(average.colour), pen=drawing_pen("w", width=1.5)
    )
    return line, disc
