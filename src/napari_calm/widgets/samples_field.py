"""How many futures a forecast draws."""

from qtpy.QtWidgets import QSpinBox, QWidget

AUTO_SAMPLES = -1


def samples_for(model, wanted: int) -> int:
    """Return how many trajectories to draw of `model`."""
    return model.samples_needed if wanted == AUTO_SAMPLES else wanted


class SamplesField(QSpinBox):
    """A number of samples, or "auto": as many as the model needs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="calm_samples")
        self.setRange(AUTO_SAMPLES, 512)
        self.setSpecialValueText("auto")
        self.setValue(AUTO_SAMPLES)
        self.setToolTip(
            "Futures drawn and saved with the forecast. 'auto' draws none where the model's "
            "forecast head gives mean and bands at once, else a few, whose mean and bands are "
            "shown. More are smoother and slower."
        )
