"""A titled, collapsible part of the panel."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .letter_size import LetterSize


class Section(QWidget):
    """A heading that folds its content, a form of fields, and a line for the result.

    Its page of the help is called like the section.

    Signals
    -------
    help_wanted : str
        The page that the user asked for.
    """

    help_wanted = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.help_page = title.lower()
        self.heading = QToolButton()
        self.heading.setText(title)
        self.heading.setCheckable(True)
        self.heading.setChecked(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setArrowType(Qt.ArrowType.DownArrow)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.heading.setStyleSheet("QToolButton { font-weight: bold; border: none; }")
        self.ask = QToolButton(objectName=f"calm_help_{self.help_page}")
        self.ask.setText("?")
        self.ask.setAccessibleName(f"Help on {title}")
        self.ask.setToolTip(f"Help on {title} (F1).")
        self.ask.clicked.connect(lambda: self.help_wanted.emit(self.help_page))
        for button in (self.heading, self.ask):
            LetterSize(button, button.setFont)
        self.body = QWidget()
        self.form = QFormLayout(self.body)
        self.form.setContentsMargins(6, 0, 2, 4)
        self.form.setVerticalSpacing(4)
        self.form.setHorizontalSpacing(8)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self.result = QLabel()
        self.result.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.heading.toggled.connect(self._fold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        top = QHBoxLayout()
        top.addWidget(self.heading, 1)
        top.addWidget(self.ask)
        layout.addLayout(top)
        layout.addWidget(self.body)

    def _fold(self, is_open: bool) -> None:
        self.body.setVisible(is_open)
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.heading.setArrowType(arrow)

    def add_result_line(self) -> None:
        """Put the line for the result below what has been added so far."""
        self.form.addRow(self.result)
        self.say("")

    def say(self, text: str) -> None:
        """Write the result line."""
        self.result.setText(text)
        self.result.setVisible(bool(text))
