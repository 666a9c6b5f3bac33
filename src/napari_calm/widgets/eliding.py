"""Text that does not fit ends in dots, and is told whole under the mouse."""

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QStyle,
    QStyleOption,
    QStyleOptionComboBox,
    QStylePainter,
    QToolTip,
)


class ElidingCombo(QComboBox):
    """A combo box that shortens its text in the middle: names often differ at their ends."""

    @property
    def shown_text(self) -> str:
        """What there is room for."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        return self._shortened(option)

    def _shortened(self, option: QStyleOptionComboBox) -> str:
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        middle = Qt.TextElideMode.ElideMiddle
        return self.fontMetrics().elidedText(option.currentText, middle, room.width())

    def paintEvent(self, _event) -> None:
        """Draw the shortened text."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self._shortened(option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def showPopup(self) -> None:
        """Let the list be as wide as what is in it."""
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + 2 * bar)
        super().showPopup()

    def event(self, event: QEvent) -> bool:
        """Tell the whole text, then what it is for."""
        if event.type() == QEvent.Type.ToolTip and self.shown_text != self.currentText():
            parts = filter(None, (self.currentText(), self.toolTip()))
            QToolTip.showText(event.globalPos(), "\n".join(dict.fromkeys(parts)), self)
            return True
        return super().event(event)


class ElidingLabel(QLabel):
    """A line of plain text that gives way to its neighbours."""

    @property
    def shown_text(self) -> str:
        """What there is room for."""
        end = Qt.TextElideMode.ElideRight
        return self.fontMetrics().elidedText(self.text(), end, self.contentsRect().width())

    def sizeHint(self) -> QSize:
        """Ask for room for the text, but for no more than is allowed."""
        hint = super().sizeHint()
        # A tab widget gives its corner what it asks for, whatever its limits.
        return QSize(min(hint.width(), self.maximumWidth()), hint.height())

    def minimumSizeHint(self) -> QSize:
        """Be content with no room."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, _event) -> None:
        """Draw the shortened text."""
        painter, option = QStylePainter(self), QStyleOption()
        option.initFrom(self)
        self.style().drawItemText(
            painter,
            self.contentsRect(),
            self.alignment(),
            option.palette,
            self.isEnabled(),
            self.shown_text,
            self.foregroundRole(),
        )

    def event(self, event: QEvent) -> bool:
        """Tell the whole text, then what it is about."""
        if event.type() == QEvent.Type.ToolTip and self.shown_text != self.text():
            parts = filter(None, (self.text(), self.toolTip()))
            QToolTip.showText(event.globalPos(), "\n".join(dict.fromkeys(parts)), self)
            return True
        return super().event(event)
