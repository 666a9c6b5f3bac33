"""Options that are rarely needed, folded away."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QToolButton, QVBoxLayout, QWidget

from .letter_size import LetterSize


class More(QWidget):
    """A button "More" that unfolds a form."""

    def __init__(self, *, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading = QToolButton(objectName=name)
        self.heading.setText("More")
        self.heading.setCheckable(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setStyleSheet("QToolButton { border: none; }")
        self.heading.setToolTip("Options that are rarely needed.")
        LetterSize(self.heading, self.heading.setFont)
        self.body = QWidget()
        self.form = QFormLayout(self.body)
        self.form.setContentsMargins(10, 0, 0, 0)
        self.form.setVerticalSpacing(4)
        self.form.setHorizontalSpacing(8)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.heading)
        layout.addWidget(self.body)
        self.heading.toggled.connect(self._fold)
        self._fold(False)

    def _fold(self, is_open: bool) -> None:
        self.body.setVisible(is_open)
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.heading.setArrowType(arrow)
