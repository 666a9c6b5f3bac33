"""What the fields of a section are called, for screen readers."""

from collections.abc import Iterator

from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLayout,
    QWidget,
)

from .section import Section


def name_fields(section: Section) -> None:
    """Name every field after its section and row, and buttons that say only "Open...".

    Within a row the label before a field is what it is called.
    """
    title = section.heading.text()
    for form in section.findChildren(QFormLayout):
        for row in range(form.rowCount()):
            name = ""
            for part in _widgets_in_row(form, row):
                if isinstance(part, QLabel):
                    name = part.text() or name
                elif isinstance(part, (QComboBox, QAbstractSpinBox)):
                    part.setAccessibleName(f"{title}: {name}" if name else title)
                elif isinstance(part, QAbstractButton) and part.text().endswith("..."):
                    part.setAccessibleName(f"{name or title}: {part.text().rstrip('.')}")


def _widgets_in_row(form: QFormLayout, row: int) -> Iterator[QWidget]:
    for role in QFormLayout.ItemRole:
        item = form.itemAt(row, role)
        if item is not None:
            yield from _widgets_of(item)


def _widgets_of(item) -> Iterator[QWidget]:
    """Yield the widgets of an item of a layout, from left to right."""
    layout: QLayout | None = item.layout()
    if item.widget() is not None:
        yield item.widget()
        layout = item.widget().layout()
        if isinstance(layout, QFormLayout):
            return
    for number in range(0 if layout is None else layout.count()):
        yield from _widgets_of(layout.itemAt(number))
