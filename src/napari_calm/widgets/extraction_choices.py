"""How traces are made of the movie: neuropil, shared pixels, baseline."""

from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox

from ..extraction.options import ExtractionOptions
from .more import More

_USUAL = ExtractionOptions()


class ExtractionChoices(More):
    """Fields for what `ExtractionOptions` says, folded away."""

    def __init__(self) -> None:
        super().__init__(name="calm_more_extraction")
        self.neuropil = _number(
            "calm_neuropil",
            (0.0, 1.0, 0.1, 2),
            _USUAL.neuropil_coefficient,
            "Share of what surrounds each ROI (the 350 closest pixels that no ROI covers) to "
            "subtract from it: out-of-focus light. 0.7 is usual for two-photon movies.",
        )
        self.neuropil.setSpecialValueText("not subtracted")
        self.exclude_overlaps = QCheckBox(
            "Leave out shared pixels", objectName="calm_exclude_overlaps"
        )
        self.exclude_overlaps.setToolTip(
            "Pixels that several ROIs share count for none of them. Otherwise they count for "
            "each, which makes neighbours look alike."
        )
        self.window_s = _number(
            "calm_baseline_window",
            (1.0, 3600.0, 10.0, 0),
            _USUAL.window_s,
            "Seconds before each frame of which the baseline is a percentile. It looks back "
            "only, so that forecasts are scored on what they could not know.",
        )
        self.window_s.setSuffix(" s")
        self.percentile = _number(
            "calm_baseline_percentile",
            (0.0, 100.0, 5.0, 0),
            _USUAL.percentile,
            "Which percentile of these seconds is the baseline: low for cells that are mostly "
            "silent, 50 for cells that dip as well as rise.",
        )
        self.percentile.setSuffix(" %")
        self.form.addRow("Neuropil", self.neuropil)
        self.form.addRow(self.exclude_overlaps)
        self.form.addRow("Baseline of", self.window_s)
        self.form.addRow("Percentile", self.percentile)

    def options(self) -> ExtractionOptions:
        """Return what the fields say."""
        return ExtractionOptions(
            self.window_s.value(),
            self.percentile.value(),
            self.neuropil.value(),
            self.exclude_overlaps.isChecked(),
        )


def _number(
    name: str, span: tuple[float, float, float, int], value: float, hint: str
) -> QDoubleSpinBox:
    box = QDoubleSpinBox(objectName=name)
    low, high, step, decimals = span
    box.setDecimals(decimals)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    box.setToolTip(hint)
    return box
