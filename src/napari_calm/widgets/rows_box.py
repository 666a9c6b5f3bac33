"""The view of a plot whose rows are scrolled and made taller with the mouse."""

from qtpy.QtCore import QPointF, Qt, Signal

from .seeking_box import SeekingBox

_NOTCH = 120.0  # what Qt calls one notch of a wheel
_PX_PER_NOTCH = 60.0
_TALLER_PER_NOTCH = 1.25
_TALLER_PER_PX = 1.01


class RowsBox(SeekingBox):
    """Zooms and moves in time itself; what is done to rows it tells.

    Shift and the wheel, or the wheel over the names, scrolls; Ctrl and the wheel changes how
    tall rows are; the middle button moves both, the right one zooms both.

    Signals
    -------
    scrolled : float
        Down by so many pixels.
    dragged : float
        The same, with the mouse held.
    scaled : float, float
        Rows are to be taller by a factor, around a height in the plot's coordinates.
    """

    scrolled = Signal(float)
    dragged = Signal(float)
    scaled = Signal(float, float)

    def __init__(self) -> None:
        super().__init__(zooms_y=False)

    def wheelEvent(self, event, axis=None) -> None:
        """Zoom in time, scroll rows, or make them taller."""
        notches = event.delta() / _NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.accept()
            at = self.mapSceneToView(event.scenePos())
            self.scaled.emit(_TALLER_PER_NOTCH**notches, float(at.y()))
        elif axis == 1 or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            event.accept()
            self.scrolled.emit(-notches * _PX_PER_NOTCH)
        else:
            super().wheelEvent(event, 0)

    def mouseClickEvent(self, event) -> None:
        """Tell of a click; one on a name beside the plot is no moment to go to."""
        if self.sceneBoundingRect().contains(event.scenePos()):
            super().mouseClickEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            at = self.mapSceneToView(event.scenePos())
            adding = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.clicked.emit(QPointF(at), adding)

    def mouseDragEvent(self, event, axis=None) -> None:
        """Scrub, or move and zoom both axes; over the names, scroll rows."""
        up_px = event.lastScenePos().y() - event.scenePos().y()
        if axis == 1:
            event.accept()
            self.dragged.emit(up_px)
        elif event.button() == Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
        else:
            super().mouseDragEvent(event, 0)
            if axis is None and event.button() == Qt.MouseButton.MiddleButton:
                self.dragged.emit(up_px)
            elif axis is None:
                at = self.mapSceneToView(event.buttonDownScenePos())
                self.scaled.emit(_TALLER_PER_PX**up_px, float(at.y()))
