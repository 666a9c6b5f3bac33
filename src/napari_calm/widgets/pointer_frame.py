"""A frame around a widget that shows where to look, and lets every click through."""

from qtpy.QtCore import QEvent, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QRegion
from qtpy.QtWidgets import QWidget

_WIDTH_PX = 3
_GAP_PX = 2


class PointerFrame(QWidget):
    """Lies around `target`, moves with it, and is hidden while it is.

    It is a sibling of its target: it scrolls with it, is cut where the target is, and goes
    with the window.
    """

    def __init__(self, target: QWidget, colour: str) -> None:
        super().__init__(target.parentWidget(), objectName="calm_pointer")
        self.target, self._colour = target, colour
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        target.installEventFilter(self)
        self._follow()

    def set_colour(self, colour: str) -> None:
        """Draw in another colour."""
        self._colour = colour
        self.update()

    def remove(self) -> None:
        """Point at nothing any more."""
        self.target.removeEventFilter(self)
        self.hide()
        self.deleteLater()

    def eventFilter(self, watched, event) -> bool:
        """Follow the target."""
        kinds = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        if event.type() in kinds:
            self._follow()
        return super().eventFilter(watched, event)

    def _follow(self) -> None:
        away = _WIDTH_PX + _GAP_PX
        around = self.target.geometry().adjusted(-away, -away, away, away)
        room = self.parentWidget().rect()
        self.setGeometry(around.intersected(room))
        # Only the rim exists, so that what lies inside is drawn and clicked as ever.
        inside = self.rect().adjusted(_WIDTH_PX, _WIDTH_PX, -_WIDTH_PX, -_WIDTH_PX)
        self.setMask(QRegion(self.rect()).subtracted(QRegion(inside)))
        self.setVisible(not self.target.isHidden())
        self.raise_()

    def paintEvent(self, _event) -> None:
        """Draw the rim."""
        painter = QPainter(self)
        painter.setPen(QPen(QColor(self._colour), 2 * _WIDTH_PX))
        painter.drawRect(QRectF(self.rect()))
