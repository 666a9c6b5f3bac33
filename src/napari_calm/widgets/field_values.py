"""What the fields of the panel say, by their names, so that they can say it again."""

from collections.abc import Mapping

from qtpy.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QWidget

_PREFIX = "calm_"
# These follow the recording, the model or the open plots, start work of their own, or have
# nothing to do with the recording.
_NOT_KEPT = {
    "calm_model",
    "calm_device",
    "calm_figure",
    "calm_frame_rate",
    "calm_follow_slider",
    "calm_pretrain_config",
    "calm_pretrain_simulated",
    "calm_pretrain_device",
    "calm_pretrain_restart",
}


def field_values(widget: QWidget) -> dict[str, str | bool | float]:
    """Return what all named fields in `widget` say."""
    values: dict[str, str | bool | float] = {}
    for name, field in _fields(widget).items():
        if isinstance(field, QComboBox):
            values[name] = field.currentText()
        elif isinstance(field, QCheckBox):
            values[name] = field.isChecked()
        else:
            values[name] = field.value()
    return values


def set_field_values(widget: QWidget, values: Mapping) -> None:
    """Fill the fields in; what a field does not offer, or that is no field, is left alone."""
    fields = _fields(widget)
    # Choices first: they set the range and the value of numbers.
    for kind in (QComboBox, QCheckBox, QAbstractSpinBox):
        for name, field in fields.items():
            if isinstance(field, kind) and name in values:
                _set(field, values[name])


def _set(field: QWidget, value: object) -> None:
    if isinstance(field, QComboBox):
        row = field.findText(value) if isinstance(value, str) else -1
        if row >= 0:
            field.setCurrentIndex(row)
    elif isinstance(field, QCheckBox):
        if isinstance(value, bool):
            field.setChecked(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:
        within = min(max(value, field.minimum()), field.maximum())
        field.setValue(type(field.value())(within))


def _fields(widget: QWidget) -> dict[str, QWidget]:
    return {
        field.objectName(): field
        for kind in (QComboBox, QCheckBox, QAbstractSpinBox)
        for field in widget.findChildren(kind)
        if field.objectName().startswith(_PREFIX) and field.objectName() not in _NOT_KEPT
    }
