"""Pens and fonts of plots that keep their size on fine screens and with large letters."""

import pyqtgraph as pg
from qtpy.QtGui import QFont, QGuiApplication, QPen

from .letter_size import LetterSize


def drawing_pen(*args, **look) -> QPen:
    """Return what `pyqtgraph.mkPen` does, with its width in points of the window.

    Lines of plots keep their width whatever the zoom; Qt counts such widths in the pixels of
    the screen, of which a scaled window has several a point.
    """
    pen = pg.mkPen(*args, **look)
    pen.setWidthF(pen.widthF() * QGuiApplication.instance().devicePixelRatio())
    return pen


def follow_letters(plot: pg.PlotWidget) -> None:
    """Give the axes and texts of a plot letters of napari's font size."""

    def take(font: QFont) -> None:
        if font.pointSize() > 1:
            # What stands at axes is a point smaller than what is read as text.
            font.setPointSize(font.pointSize() - 1)
        for name in ("bottom", "left"):
            axis = plot.getAxis(name)
            axis.setTickFont(font)
            axis.label.setFont(font)
        for item in plot.scene().items():
            if isinstance(item, pg.TextItem):
                item.setFont(font)

    LetterSize(plot, take)
