"""How many futures a forecast draws."""

from qtpy.QtWidgets import QSpinBox, QWidget

AUTO_SAMPLES = -1
# Enough for the bands of a model that has no other road to them.
DRAWN_WITHOUT_HEAD = 16


def samples_for(model, wanted: int = AUTO_SAMPLES) -> int:
    """Return how many trajectories to draw of `model`.

    A forecast head gives mean and bands without any; else they are those of the samples.
    """
    if wanted != AUTO_SAMPLES:
        return wanted
    return DRAWN_WITHOUT_HEAD if model.forecast_head is None else 0


class SamplesField(QSpinBox):
    """A number of samples, or "auto": as many as the model needs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="calm_samples")
        self.setRange(AUTO_SAMPLES, 512)
        self.setSpecialValueText("auto")
        self.setValue(AUTO_SAMPLES)
        self.setToolTip(
            "Futures drawn and saved with the forecast. 'auto' draws none where the model's "
            f"forecast head gives mean and bands at once, else {DRAWN_WITHOUT_HEAD}, whose "
            "mean and bands are shown. More are smoother and slower."
        )
