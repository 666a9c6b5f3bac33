"""Lines and points of a plot in a file: as wide there as they are in the window."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pyqtgraph as pg
from qtpy.QtGui import QPen
from qtpy.QtWidgets import QAbstractGraphicsShapeItem

_scale: float | None = None


def printed_scale() -> float | None:
    """Return how many pixels of a file one of the window is; None while no file is drawn."""
    return _scale


@contextmanager
def printing(plot: pg.PlotWidget, scale: float) -> Iterator[None]:
    """Let what is painted of `plot` meanwhile be for a file.

    Qt counts the widths of a plot's lines in pixels of whatever it draws to, whether they
    are those of a screen, of which several may be a point, or the much finer ones of a
    picture for print. So all pens of the plot are made wider, and set back at the end.

    Parameters
    ----------
    plot : pyqtgraph.PlotWidget
    scale : float
        Pixels of the file for each point of the window.
    """
    global _scale
    undo: list[Callable[[], object]] = []
    _scale = scale
    try:
        for item in plot.scene().items():
            undo += _widen(item, scale / plot.devicePixelRatioF(), scale)
        yield
    finally:
        _scale = None
        for each in reversed(undo):
            each()


def _widen(item, factor: float, scale: float) -> list[Callable[[], object]]:
    """Make the pens of an item wider; return what sets them back."""
    undo: list[Callable[[], object]] = []
    if isinstance(item, pg.PlotCurveItem):
        undo += _in_options(item, ("pen", "shadowPen"), factor)
    elif isinstance(item, pg.ScatterPlotItem):
        undo += _in_options(item, ("pen",), factor)
        pens = item.data["pen"].copy()
        item.data["pen"] = [wider(pen, factor) for pen in pens]
        undo.append(partial(item.data.__setitem__, "pen", pens))
        item.setExportMode(True, {"resolutionScale": scale, "antialias": True})
        undo.append(partial(item.setExportMode, False))
    elif isinstance(item, pg.InfiniteLine):
        undo.append(partial(setattr, item, "currentPen", item.currentPen))
        item.currentPen = wider(item.currentPen, factor)
    elif isinstance(item, pg.AxisItem):
        # Its `setPen` would give the label that colour, too.
        undo.append(partial(_set_axis_pen, item, item._pen))
        _set_axis_pen(item, wider(item.pen(), factor))
    elif isinstance(item, QAbstractGraphicsShapeItem):
        undo.append(partial(item.setPen, item.pen()))
        item.setPen(wider(item.pen(), factor))
    return undo


def _in_options(item, names: tuple[str, ...], factor: float) -> list[Callable[[], object]]:
    undo = []
    for name in names:
        undo.append(partial(item.opts.__setitem__, name, item.opts[name]))
        item.opts[name] = wider(item.opts[name], factor)
    return undo


def _set_axis_pen(axis: pg.AxisItem, pen: object) -> None:
    axis._pen, axis.picture = pen, None


def wider(pen: object, factor: float) -> object:
    """Return a pen whose width is counted in pixels made wider; anything else as it is."""
    if not isinstance(pen, QPen) or not pen.isCosmetic():
        return pen
    pen = QPen(pen)
    # Qt draws no width at all as one pixel.
    pen.setWidthF(np.maximum(pen.widthF(), 1.0) * factor)
    return pen
