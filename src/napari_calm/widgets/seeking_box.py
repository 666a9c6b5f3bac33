"""The view of a plot over time: clicks and drags move in time, the wheel zooms."""

import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal


class SeekingBox(pg.ViewBox):
    """Left click and drag seek; wheel zooms in time; middle and right drag move the view.

    Parameters
    ----------
    zooms_y : bool
        Whether the wheel zooms the other axis while Ctrl is held.

    Signals
    -------
    sought : float
        Seconds; the user clicked or dragged there.
    clicked : QPointF, bool
        Where the user clicked, in the plot's coordinates, and whether Shift was held.
    """

    sought = Signal(float)
    clicked = Signal(QPointF, bool)

    def __init__(self, *, zooms_y: bool = False) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=zooms_y)

    def wheelEvent(self, event, axis=None) -> None:
        """Zoom in time or, where that is possible, with Ctrl the other axis."""
        if axis is None:
            axis = int(bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))
        super().wheelEvent(event, axis)

    def mouseClickEvent(self, event) -> None:
        """Seek to where the left button was clicked."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            at = self.mapSceneToView(event.scenePos())
            self.sought.emit(float(at.x()))
            self.clicked.emit(at, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def mouseDragEvent(self, event, axis=None) -> None:
        """Scrub with the left button."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.sought.emit(float(self.mapSceneToView(event.scenePos()).x()))
        else:
            super().mouseDragEvent(event, axis)
