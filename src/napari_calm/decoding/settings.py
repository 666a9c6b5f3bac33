"""What a decoder looks at, and how it is tested."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..core.errors import CalmError

Head: TypeAlias = Literal["blend", "linear", "bilinear", "attention", "pooled"]
Blocks: TypeAlias = Literal["auto", "trials", "time"]

HEADS: tuple[Head, ...] = ("blend", "linear", "bilinear", "attention", "pooled")
ANY_NEURONS: tuple[Head, ...] = ("attention", "pooled")
BLOCKS: tuple[Blocks, ...] = ("auto", "trials", "time")
FEWEST_FOLDS = 2


@dataclass(frozen=True)
class Settings:
    """Choices of a decoding that do not depend on the data.

    Parameters
    ----------
    head : {"blend", "linear", "bilinear", "attention", "pooled"}
        "blend": linear readouts of traces and hidden states, weighed by what each is worth;
        "linear": of the hidden states alone; "bilinear": the release's low-rank head;
        "attention" and "pooled": no weight belongs to a certain neuron, so they can be used on
        other animals; the first pools hidden states and activity by attention, the second is
        a linear readout of averages over neurons.
    look_ahead_s : float
        Seconds after a frame that its decoder may look at; 0 is causal.
    smooth_s : float
        Numbers and angles are decoded as their mean over so many seconds up to each frame.
    trial_window_s : (float, float or None)
        Seconds from a trial's start that are looked at to decode a value a trial; None for
        the trial's end.
    blocks : {"auto", "trials", "time"}
        What is held out: whole trials, or stretches of equal length. "auto" takes trials where
        there are enough of them.
    folds : int
        Parts that are held out in turn.
    gap_s : float
        Seconds between training frames and held-out stretches; whole trials need none.
    shifts : int
        Shifted or shuffled copies of the behaviour that tell what chance would reach.
    seed : int

    Raises
    ------
    CalmError
        If one of them makes no sense.
    """

    head: Head = "blend"
    look_ahead_s: float = 0.0
    smooth_s: float = 0.0
    trial_window_s: tuple[float, float | None] = (0.0, None)
    blocks: Blocks = "auto"
    folds: int = 5
    gap_s: float = 5.0
    shifts: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, possible in (
            ("head", self.head, HEADS),
            ("blocks", self.blocks, BLOCKS),
        ):
            if value not in possible:
                raise CalmError(
                    f"decode: found the {name} {value!r}; expected {', '.join(possible)}."
                )
        for name in ("look_ahead_s", "smooth_s", "gap_s"):
            found = getattr(self, name)
            if not 0 <= found < float("inf"):
                raise CalmError(f"decode: {name} is {found:g} s; expected 0 or more.")
        first, last = self.trial_window_s
        if first < 0 or (last is not None and last <= first):
            raise CalmError(
                f"decode: the trial window goes from {first:g} s to {last} s; expected a start "
                "of 0 or more and a later end (none for the end of the trial)."
            )
        if self.folds < FEWEST_FOLDS or self.shifts < 0 or self.seed < 0:
            raise CalmError(
                f"decode: found {self.folds} folds, {self.shifts} shifts and seed {self.seed}; "
                f"expected at least {FEWEST_FOLDS} folds, and no negative number."
            )
