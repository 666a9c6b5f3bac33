"""A list of all keys, beside the window rather than in its way."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QLabel, QToolButton, QVBoxLayout

from .letter_size import LetterSize
from .shortcuts import Shortcuts


class KeysButton(QToolButton):
    """Shows and hides the list of keys."""

    def __init__(self, shortcuts: Shortcuts) -> None:
        super().__init__(objectName="calm_keys")
        self.setText("Keys and mouse")
        LetterSize(self, self.setFont)
        self.setToolTip("List what keys and mouse do on the movie and in the traces.")
        self.list = QDialog(self, Qt.WindowType.Tool)
        self.list.setWindowTitle("CalM: keys and mouse")
        text = QLabel(shortcuts.as_html())
        layout = QVBoxLayout(self.list)
        layout.addWidget(text)
        self.clicked.connect(self._turn)

    def _turn(self) -> None:
        self.list.setVisible(not self.list.isVisible())
