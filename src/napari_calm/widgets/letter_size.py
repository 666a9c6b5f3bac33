"""Letters that follow napari's font size where its style sheet does not reach."""

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QLabel, QWidget


class LetterSize(QObject):
    """Tells the font that napari's preferences give to labels, now and when it changes.

    The style sheet sets the letters of labels, buttons and fields, but neither those of tool
    buttons nor of plots. So a label that is never seen says how large letters are.

    Parameters
    ----------
    owner : QWidget
        What the letters are for.
    take : callable
        Gets the font.
    """

    def __init__(self, owner: QWidget, take: Callable[[QFont], object]) -> None:
        super().__init__(owner)
        self._take = take
        self._label = QLabel(owner)
        self._label.hide()
        for each in (owner, self._label):
            each.installEventFilter(self)
        self._tell()

    def eventFilter(self, watched, event) -> bool:
        """Follow the label's font."""
        is_shown = watched is not self._label and event.type() == QEvent.Type.Show
        if is_shown or (watched is self._label and event.type() == QEvent.Type.FontChange):
            self._tell()
        return super().eventFilter(watched, event)

    def _tell(self) -> None:
        self._label.ensurePolished()
        self._take(QFont(self._label.font()))
