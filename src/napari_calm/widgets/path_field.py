"""A path that can be typed, dropped or chosen."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QToolButton, QWidget


class FolderField(QWidget):
    """A line for the path of a folder and a button that asks for it.

    Signals
    -------
    changed
        Another path stands there.
    """

    changed = Signal()

    def __init__(self, name: str, title: str, told: str, *, empty: str = "") -> None:
        super().__init__()
        self._title = title
        self.line = QLineEdit(objectName=name)
        self.line.setPlaceholderText(empty)
        self.line.setClearButtonEnabled(True)
        self.choose = QToolButton(objectName=f"{name}_choose")
        self.choose.setText("...")
        for each in (self.line, self.choose):
            each.setToolTip(told)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        row.addWidget(self.choose)
        self.line.textChanged.connect(self.changed)
        self.choose.clicked.connect(self._ask)

    @property
    def path(self) -> str:
        """What stands there, without blanks around it."""
        return self.line.text().strip()

    def set_path(self, path: str) -> None:
        """Put a path there."""
        self.line.setText(path)

    def _ask(self) -> None:
        found = QFileDialog.getExistingDirectory(self, self._title, self.path)
        if found:
            self.set_path(found)
