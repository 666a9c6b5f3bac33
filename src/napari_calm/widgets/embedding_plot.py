"""Neurons as points in a plane: click, lasso, hover."""

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QCursor, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip

from .drawing_pen import drawing_pen, follow_letters
from .palette import neuron_colour
from .plain_points import PlainPoints
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours

_NEAR_PX = 12.0
# Up to so many neurons points are so large, in pixels.
_SIZES = ((300, 10), (1500, 7), (np.inf, 4))
_RING_PX = 6
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
    describe : callable
        Returns what to say of a neuron under the mouse.

    Signals
    -------
    picked : int, bool
        A neuron was clicked; whether it is to be added.
    lassoed : tuple of int, bool
        Neurons in a lasso; whether they are to be added.
    """

    picked = Signal(int, bool)
    lassoed = Signal(object, bool)

    def __init__(self, describe: Callable[[int], str]) -> None:
        self._box = _LassoBox()
        super().__init__(viewBox=self._box)
        self._describe = describe
        self._points = np.empty((0, 2))
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
        self._lasso = pg.PlotCurveItem()
        for item in (self.neurons, self.rings):
            self.addItem(item)
        self.addItem(self._lasso, ignoreBounds=True)
        self._box.clicked.connect(self._on_click)
        self._box.drawn.connect(self._draw_lasso)
        self._box.closed.connect(self._on_lasso)
        self.scene().sigMouseMoved.connect(self._on_mouse)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
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
        brushes = {tuple(each): pg.mkBrush(*each) for each in np.unique(colours, axis=0)}
        size = next(size for most, size in _SIZES if len(points) <= most)
        self.neurons.setData(
            pos=self._points,
            size=size,
            brush=[brushes[tuple(each)] for each in colours],
            pen=self._rim,
        )
        for name, text in zip(("bottom", "left"), axes, strict=True):
            self.setLabel(name, text, color=self._colours.text if self._colours else None)
        if anew:
            self._box.autoRange(padding=0.08)

    def show_selection(self, selection: tuple[int, ...]) -> None:
        """Put rings in the colours of their traces around the selected neurons."""
        size = self.neurons.opts["size"] + _RING_PX
        chosen = [neuron for neuron in selection if neuron < len(self._points)]
        self.rings.setData(
            pos=self._points[chosen] if chosen else np.empty((0, 2)),
            size=size,
            brush=None,
            pen=[
                drawing_pen(neuron_colour(position), width=2.5)
                for position in range(len(chosen))
            ],
        )

    def nearest(self, at: QPointF) -> int | None:
        """Return the neuron at a place in the plot, if there is one near it."""
        if not len(self._points):
            return None
        away = (self._points - (at.x(), at.y())) / self._box.viewPixelSize()
        distance_px = np.hypot(*away.T)
        neuron = int(distance_px.argmin())
        return neuron if distance_px[neuron] <= _NEAR_PX else None

    def leaveEvent(self, event) -> None:
        """Say nothing more of the neuron that was under the mouse."""
        super().leaveEvent(event)
        self.hovered = None
        QToolTip.hideText()

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
        self.hovered = neuron
        if neuron is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(QCursor.pos(), self._describe(neuron), self)


def neurons_inside(points: np.ndarray, corners: list[QPointF]) -> tuple[int, ...]:
    """Return which of the points, (neurons, 2), lie in a polygon."""
    if len(corners) < 3:
        return ()
    polygon, rule = QPolygonF(corners), Qt.FillRule.OddEvenFill
    # Most points lie outside the polygon's bounds, which is quick to tell.
    bounds = polygon.boundingRect()
    x, y = points.T
    near = (x >= bounds.left()) & (x <= bounds.right())
    near &= (y >= bounds.top()) & (y <= bounds.bottom())
    return tuple(
        int(neuron)
        for neuron in np.flatnonzero(near)
        if polygon.containsPoint(QPointF(*points[neuron]), rule)
    )


def _is_adding(event) -> bool:
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
