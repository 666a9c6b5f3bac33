"""Widgets that live in a dock and let go of the viewer when it closes."""

from qtpy.QtCore import QEvent, QPoint, QRect, Signal
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def is_seen(widget: QWidget) -> bool:
    """Return whether any of `widget` is on view.

    Qt calls the docks behind another one visible: it has moved them out of the window.
    """
    window = widget.window()
    place = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
    return widget.isVisible() and place.intersects(window.rect())


class DockContent(QWidget):
    """A widget whose `release` is called once, when its dock is closed.

    napari takes a closed dock's widget out of its parent without a close event,
    which is why the change of parent is watched.

    Signals
    -------
    released
        Its dock was closed.
    """

    released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._was_docked = False
        self._released = False

    def release(self) -> None:
        """Disconnect from viewer and session; subclasses say how."""

    def came_up(self) -> None:
        """Show what changed while another dock was in front of this one."""

    def window_closed(self) -> None:
        """Stop what makes no sense without a window; it may be shown again."""

    def release_once(self) -> None:
        """Release, unless that has happened."""
        if not self._released:
            self._released = True
            self.release()
            self.released.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Notice being put into a dock and taken out of it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
                if isinstance(self.parent(), QDockWidget):
                    self.parent().visibilityChanged.connect(self._on_dock)
            elif self._was_docked:
                self.release_once()

    def _on_dock(self, in_front: bool) -> None:
        if in_front and not self._released:
            self.came_up()

    def hideEvent(self, event) -> None:
        """Notice the whole window being closed, which only hides what is in it."""
        super().hideEvent(event)
        window = self.window()
        if isinstance(window, QMainWindow) and not window.isVisible():
            self.window_closed()

    def closeEvent(self, event) -> None:
        """Release when closed as a window of its own."""
        self.release_once()
        super().closeEvent(event)
