"""Pens and fonts of plots that keep their size on fine screens and with large letters."""

import pyqtgraph as pg
from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QGuiApplication, QPen
from qtpy.QtWidgets import QLabel


def drawing_pen(*args, **look) -> QPen:
    """Return what `pyqtgraph.mkPen` does, with its width in points of the window.

    Lines of plots keep their width whatever the zoom; Qt counts such widths in the pixels of
    the screen, of which a scaled window has several a point.
    """
    pen = pg.mkPen(*args, **look)
    pen.setWidthF(pen.widthF() * QGuiApplication.instance().devicePixelRatio())
    return pen


class FontOfPlot(QObject):
    """Gives the axes and texts of a plot letters that follow napari's font size.

    napari's style sheet sets the letters of labels, not those of plots, for which pyqtgraph
    takes the application's. So a label that is never seen says how large letters are.
    """

    def __init__(self, plot: pg.PlotWidget) -> None:
        super().__init__(plot)
        self._plot = plot
        self._label = QLabel(plot)
        self._label.hide()
        for each in (plot, self._label):
            each.installEventFilter(self)
        self._spread()

    def eventFilter(self, watched, event) -> bool:
        """Follow the label's font."""
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.Show):
            self._spread()
        return super().eventFilter(watched, event)

    def _spread(self) -> None:
        self._label.ensurePolished()
        font = self._label.font()
        if font.pointSize() > 1:
            # What stands at axes is a point smaller than what is read as text.
            font.setPointSize(font.pointSize() - 1)
        for name in ("bottom", "left"):
            axis = self._plot.getAxis(name)
            axis.setTickFont(font)
            axis.label.setFont(font)
        for item in self._plot.scene().items():
            if isinstance(item, pg.TextItem):
                item.setFont(font)
