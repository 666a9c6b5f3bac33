"""Neurons as points in a plane: click, lasso, hover."""

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, QTimer, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy

from .drawing_pen import drawing_pen, follow_letters
from .mini_trace import Glimpse, MiniTrace
from .palette import neuron_colour
from .plain_points import PlainPoints
from .point_density import PointDensity
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours

_NEAR_PX = 12.0
# Up to so many neurons points are so large, in pixels.
_SIZES = ((300, 10), (1500, 7), (np.inf, 4))
# More points than this are one picture of where they are dense.
MOST_POINTS = 3000
_RING_PX = 6
# More selected neurons than this have rings of one colour.
_MOST_COLOURED_RINGS = 200
# Keeps points apart from a background of their own colour.
_RIM_ALPHA = 130


class _LassoBox(pg.ViewBox):
    """Left click and drag draw a lasso; wheel zooms; middle and right drag move the view."""

    clicked = Signal(QPointF, bool)
    drawn = Signal(object)
    closed = Signal(object, bool)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._corners: list[QPointF] = []

    def mouseClickEvent(self, event) -> None:
        """Tell where the left button was clicked, and whether Shift was held."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.clicked.emit(self.mapSceneToView(event.scenePos()), _is_adding(event))

    def mouseDragEvent(self, event, axis=None) -> None:
        """Draw with the left button."""
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        if event.isStart():
            self._corners = [self.mapSceneToView(event.buttonDownScenePos())]
        self._corners.append(self.mapSceneToView(event.scenePos()))
        self.drawn.emit(self._corners)
        if event.isFinish():
            self.closed.emit(self._corners, _is_adding(event))


class EmbeddingPlot(pg.PlotWidget):
    """A scatter of neurons.

    Parameters
    ----------
    look_at : callable
        Returns the `Glimpse` to show of a neuron under the mouse.

    Signals
    -------
    picked : int, bool
        A neuron was clicked; whether it is to be added.
    lassoed : tuple of int, bool
        Neurons in a lasso; whether they are to be added.
    """

    picked = Signal(int, bool)
    lassoed = Signal(object, bool)

    def __init__(self, look_at: Callable[[int], Glimpse]) -> None:
        self._box = _LassoBox()
        super().__init__(viewBox=self._box)
        self._look_at = look_at
        self._points = np.empty((0, 2))
        self._shown = np.empty(0, int)
        self._colours: ThemeColours | None = None
        self._rim = None
        self.hovered: int | None = None
        self.setMinimumSize(150, LEAST_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        follow_letters(self)
        for name in ("bottom", "left"):
            # Units of an embedding mean nothing; what matters is who is beside whom.
            self.getAxis(name).setStyle(showValues=False, tickLength=0)
        self.neurons, self.rings = PlainPoints(), PlainPoints()
        self.density = PointDensity()
        self.card = MiniTrace(self)
        self._mouse = QPointF()
        self._lasso = pg.PlotCurveItem()
        self.addItem(self.density, ignoreBounds=True)
        for item in (self.neurons, self.rings):
            self.addItem(item)
        self.addItem(self._lasso, ignoreBounds=True)
        self._box.clicked.connect(self._on_click)
        self._box.drawn.connect(self._draw_lasso)
        self._box.closed.connect(self._on_lasso)
        self.scene().sigMouseMoved.connect(self._on_mouse)
        self._draw_later = QTimer(self)
        self._draw_later.setSingleShot(True)
        self._draw_later.setInterval(0)
        self._draw_later.timeout.connect(self._draw_density)
        self._box.sigRangeChanged.connect(self._draw_soon)
        self._box.sigResized.connect(self._draw_soon)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.card.set_colours(colours)
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
            self.setLabel(name, axis.labelText, color=colours.text)
        self._lasso.setPen(drawing_pen(colours.text, width=1.5, style=Qt.PenStyle.DashLine))
        rim = QColor(colours.text)
        rim.setAlpha(_RIM_ALPHA)
        self._rim = drawing_pen(rim, width=1)

    def show_points(
        self, points: np.ndarray, colours: np.ndarray, axes: tuple[str, str], *, anew: bool
    ) -> None:
        """Draw points, (neurons, 2), in their colours, (neurons, 3) uint8.

        Parameters
        ----------
        anew : bool
            Whether the points are others than before, so that all are brought into view.
        """
        self._points = np.asarray(points, float)
        self._shown = np.flatnonzero(np.isfinite(self._points).all(axis=1))
        seen, colours = self._points[self._shown], np.asarray(colours)[self._shown]
        size = next(size for most, size in _SIZES if len(points) <= most)
        if self.is_dense:
            self.neurons.setData(pos=np.empty((0, 2)), size=size)
            self.density.set_points(seen, colours)
        else:
            brushes = {tuple(each): pg.mkBrush(*each) for each in np.unique(colours, axis=0)}
            self.neurons.setData(
                pos=seen,
                size=size,
                brush=[brushes[tuple(each)] for each in colours],
                pen=self._rim,
            )
        self.density.setVisible(self.is_dense)
        for name, text in zip(("bottom", "left"), axes, strict=True):
            self.setLabel(name, text, color=self._colours.text if self._colours else None)
        if anew and len(seen):
            low, high = seen.min(axis=0), seen.max(axis=0)
            room = np.maximum(high - low, 1e-9)
            self._box.setRange(
                xRange=(low[0], low[0] + room[0]),
                yRange=(low[1], low[1] + room[1]),
                padding=0.08,
            )
        self._draw_soon()

    @property
    def is_dense(self) -> bool:
        """Whether there are so many points that their density is drawn."""
        return len(self._shown) > MOST_POINTS

    def show_selection(self, selection: tuple[int, ...]) -> None:
        """Put rings around the selected neurons, in the colours of their traces if few."""
        size = (_SIZES[-1][1] if self.is_dense else self.neurons.opts["size"]) + _RING_PX
        chosen = np.array(selection, int)
        chosen = chosen[chosen < len(self._points)]
        chosen = chosen[np.isfinite(self._points[chosen]).all(axis=1)]
        if len(chosen) > _MOST_COLOURED_RINGS:
            text = self._colours.text if self._colours else "w"
            pens = drawing_pen(text, width=1)
            size = size - _RING_PX // 2
        else:
            pens = [
                drawing_pen(neuron_colour(selection.index(neuron)), width=2.5)
                for neuron in chosen
            ]
        self.rings.setData(pos=self._points[chosen], size=size, brush=None, pen=pens)

    def look_again(self) -> None:
        """Show what the neuron under the mouse does at another moment."""
        if self.hovered is not None:
            self.card.show_glimpse(self._look_at(self.hovered), self, self._mouse)

    def nearest(self, at: QPointF) -> int | None:
        """Return the neuron at a place in the plot, if there is one near it."""
        if not len(self._shown):
            return None
        away = (self._points[self._shown] - (at.x(), at.y())) / self._box.viewPixelSize()
        distance_px = np.hypot(*away.T)
        place = int(distance_px.argmin())
        return int(self._shown[place]) if distance_px[place] <= _NEAR_PX else None

    def leaveEvent(self, event) -> None:
        """Say nothing more of the neuron that was under the mouse."""
        super().leaveEvent(event)
        self._forget_hovered()

    def showEvent(self, event) -> None:
        """Draw what was missed while hidden."""
        super().showEvent(event)
        self._draw_soon()

    def _forget_hovered(self) -> None:
        self.hovered = None
        self.card.hide()

    def draw_now(self) -> None:
        """Draw what waits for the event loop."""
        if self._draw_later.isActive():
            self._draw_later.stop()
            self._draw_density()

    def _draw_soon(self, *_view) -> None:
        if self.is_dense:
            self._draw_later.start()

    def _draw_density(self) -> None:
        if self.isVisible():
            self.density.draw(self._box)

    def _on_click(self, at: QPointF, adding: bool) -> None:
        neuron = self.nearest(at)
        if neuron is not None:
            self.picked.emit(neuron, adding)

    def _draw_lasso(self, corners: list[QPointF]) -> None:
        x = [corner.x() for corner in (*corners, corners[0])]
        y = [corner.y() for corner in (*corners, corners[0])]
        self._lasso.setData(x, y)

    def _on_lasso(self, corners: list[QPointF], adding: bool) -> None:
        self._lasso.setData([], [])
        inside = neurons_inside(self._points, corners)
        if inside:
            self.lassoed.emit(inside, adding)

    def _on_mouse(self, scene_position: QPointF) -> None:
        neuron = None
        if self._box.sceneBoundingRect().contains(scene_position):
            neuron = self.nearest(self._box.mapSceneToView(scene_position))
        if neuron == self.hovered:
            return
        if neuron is None:
            self._forget_hovered()
        else:
            self.hovered, self._mouse = neuron, QPointF(self.mapFromScene(scene_position))
            self.look_again()


def neurons_inside(points: np.ndarray, corners: list[QPointF]) -> tuple[int, ...]:
    """Return which of the points, (neurons, 2), lie in a polygon."""
    if len(corners) < 3:
        return ()
    from skimage.measure import points_in_poly

    polygon = np.array([(corner.x(), corner.y()) for corner in corners])
    inside = points_in_poly(np.nan_to_num(points, nan=np.inf), polygon)
    return tuple(np.flatnonzero(inside).tolist())


def _is_adding(event) -> bool:
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
