"""The neurons that results are made of, and results of some of them as of all."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self, TypeVar

import numpy as np

from ..core.recording import Recording

_MOST_NAMED = 4


class OfNeurons(Protocol):
    """A result that knows how to be one of all neurons of a recording."""

    def among(self, recording: Recording, neurons: np.ndarray) -> Self:
        """Return the same for all neurons, of which it is of `neurons`."""


Result = TypeVar("Result", bound=OfNeurons)


@dataclass(frozen=True, eq=False)
class NeuronsInUse:
    """A recording and which of its neurons the next results are made of.

    Parameters
    ----------
    recording : Recording
        The whole, whose numbers of neurons views know.
    neurons : numpy.ndarray of int, optional
        Rows of the traces; None for all.
    """

    recording: Recording
    neurons: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of neurons in use."""
        return self.recording.n_neurons if self.neurons is None else len(self.neurons)

    @property
    def flags(self) -> np.ndarray:
        """Which neurons are in use, (neurons,) of bool."""
        return flags_of(self.recording, self.neurons)

    @property
    def roi_labels(self) -> np.ndarray:
        """Numbers of their ROIs, (neurons in use,)."""
        labels = self.recording.roi_labels
        return labels if self.neurons is None else labels[self.neurons]

    @cached_property
    def part(self) -> Recording:
        """The recording as if only these had been recorded.

        Copies their traces: ask for it in the worker.
        """
        return self.recording if self.neurons is None else self.recording.select(self.neurons)

    def among(self, result: Result) -> Result:
        """Return a result of `part` as one of all neurons, the others not computed."""
        if self.neurons is None:
            return result
        return result.among(self.recording, self.neurons)

    def options(self) -> dict:
        """Return what a request has to say of it; nothing for all neurons."""
        return {} if self.neurons is None else {"neurons": tuple(self.neurons.tolist())}

    def with_behaviour_of(self, recording: Recording) -> "NeuronsInUse":
        """Return the same neurons of the same traces with other behaviour or trials."""
        moved = NeuronsInUse(recording, self.neurons)
        if "part" in self.__dict__ and self.neurons is not None:
            # What was read of these very traces stays known.
            told = {"behaviour": recording.behaviour, "trials": recording.trials}
            moved.__dict__["part"] = replace(self.part, **told)
        return moved

    def differs(self, known: np.ndarray, what: str, button: str) -> str:
        """Say in which neurons a result is not of those in use; nothing where it is.

        Parameters
        ----------
        known : numpy.ndarray of bool, (neurons,)
            Which neurons the result is of.
        what : str
            The result with its verb, such as "The tokens are".
        button : str
            What makes it anew.
        """
        extra, lacking = known & ~self.flags, self.flags & ~known
        if not extra.any() and not lacking.any():
            return ""
        said = []
        if extra.any():
            said.append(f"made with {self._named(extra)}, left out now")
        if lacking.any():
            said.append(f"made without {self._named(lacking)}, in use now")
        return f"{what} not up to date: {'; '.join(said)}. Press {button} again."

    def _named(self, flags: np.ndarray) -> str:
        labels = self.recording.roi_labels[flags]
        if labels.size > _MOST_NAMED:
            return f"{labels.size} neurons"
        kind = "cell" if self.recording.footprints is None else "ROI"
        return f"{kind} {', '.join(map(str, labels))}"


def flags_of(recording: Recording, neurons) -> np.ndarray:
    """Tell which neurons are among `neurons`, (neurons,) of bool; all for None."""
    flags = np.full(recording.n_neurons, neurons is None)
    if neurons is not None:
        flags[list(neurons)] = True
    return flags
