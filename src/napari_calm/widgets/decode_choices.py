"""How a variable is to be decoded: rarely needed choices, folded away."""

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QSizePolicy, QSpinBox

from ..decoding.settings import BLOCKS, HEADS, Settings
from ..decoding.target import KINDS
from .cluster_choices import explain

_HEADS = {
    "blend": "Linear readouts of lagged traces and of the model's hidden states, weighed by "
    "what each is worth on data that it was not fitted to.",
    "linear": "Linear readout of the hidden states alone.",
    "bilinear": "The low-rank head of the authors' release, causal. Slow.",
    "attention": "Pools neurons by attention to what they do and not by their number, so the "
    "saved decoder can be applied to other animals. Slow.",
    "pooled": "Linear readout of averages over neurons, described by what they do; the saved "
    "decoder can be applied to other animals.",
}
_BLOCKS = {
    "auto": "Whole trials where there are enough, stretches of time else.",
    "trials": "Whole trials are held out.",
    "time": "Stretches of equal length are held out, with a gap to what is fitted.",
}


class DecodeChoices:
    """Fields for head, kind of variable, lags, and how the decoder is tested."""

    def __init__(self) -> None:
        self.head = _combo("calm_head", HEADS)
        for row, name in enumerate(HEADS):
            explain(self.head, row, _HEADS[name], lambda: None)
        self.kind = _combo("calm_kind", ("auto", *KINDS))
        self.kind.setToolTip(
            "Whether the variable is numbers, angles (circular) or classes. 'auto' takes text "
            "and few whole numbers for classes, and headings within one turn for angles."
        )
        self.blocks = _combo("calm_blocks", BLOCKS)
        for row, name in enumerate(BLOCKS):
            explain(self.blocks, row, _BLOCKS[name], lambda: None)
        self.look_ahead = _seconds(
            "calm_look_ahead", "Seconds after each moment that may be looked at; 0 is causal."
        )
        self.smooth = _seconds(
            "calm_smooth",
            "Decode the mean of the variable over so many seconds up to a moment.",
        )
        self.gap = _seconds(
            "calm_gap", "Seconds between what is fitted and what is held out.", value=5.0
        )
        self.trial_from = _seconds("calm_trial_from", _TRIALS)
        self.trial_to = _seconds("calm_trial_to", _TRIALS)
        self.trial_to.setSpecialValueText("end")
        self.folds = _number("calm_folds", 2, 20, 5, "Parts that are held out in turn.")
        self.shifts = _number(
            "calm_shifts",
            0,
            1000,
            20,
            "Shifted or shuffled copies of the variable, decoded in the same way, that tell "
            "what chance would reach. More give a finer p and take longer.",
        )
        self.seed = _number(
            "calm_decode_seed", 0, 2**31 - 1, 0, "The same seed gives the same decoding."
        )

    def add_rows(self, form: QFormLayout) -> None:
        """Put the fields into a form."""
        for name, field in (
            ("Head", self.head),
            ("Kind", self.kind),
            ("Look ahead", self.look_ahead),
            ("Smooth", self.smooth),
            ("Trials from", self.trial_from),
            ("Trials to", self.trial_to),
            ("Hold out", self.blocks),
            ("Folds", self.folds),
            ("Gap", self.gap),
            ("Shifts", self.shifts),
            ("Seed", self.seed),
        ):
            form.addRow(name, field)

    def settings(self) -> Settings:
        """Return the choices.

        Raises
        ------
        CalmError
            If they contradict each other.
        """
        return Settings(
            head=HEADS[self.head.currentIndex()],
            look_ahead_s=self.look_ahead.value(),
            smooth_s=self.smooth.value(),
            trial_window_s=(self.trial_from.value(), self.trial_to.value() or None),
            blocks=BLOCKS[self.blocks.currentIndex()],
            folds=self.folds.value(),
            gap_s=self.gap.value(),
            shifts=self.shifts.value(),
            seed=self.seed.value(),
        )


_TRIALS = (
    "Which part of each trial is looked at, from its start, to decode a value a trial. "
    "Variables with one value a frame do not use it."
)


def _combo(name: str, items: tuple[str, ...]) -> QComboBox:
    combo = QComboBox(objectName=name)
    combo.addItems(items)
    combo.setMinimumContentsLength(8)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo


def _seconds(name: str, told: str, *, value: float = 0.0) -> QDoubleSpinBox:
    field = QDoubleSpinBox(objectName=name)
    field.setRange(0.0, 3600.0)
    field.setDecimals(1)
    field.setSuffix(" s")
    field.setValue(value)
    field.setToolTip(told)
    return field


def _number(name: str, least: int, most: int, value: int, told: str) -> QSpinBox:
    field = QSpinBox(objectName=name)
    field.setRange(least, most)
    field.setValue(value)
    field.setToolTip(told)
    return field
