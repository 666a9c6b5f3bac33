"""A training step in smaller parts, where the accelerator's memory does not suffice."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, TypeVar

import numpy as np
from torch import Tensor

from ..core.errors import OutOfMemory, is_out_of_memory
from ..model.device import free_memory
from ..model.stepping_down import Tell, warn

Taken = TypeVar("Taken")
# A loss and what to log of it.
Found: TypeAlias = tuple[Tensor, dict[str, float]]


@dataclass(frozen=True)
class Drawn:
    """What a step is made of, drawn once, so that its loss can be taken in parts.

    Parameters
    ----------
    n_windows : int
        Of how many windows the step is the mean.
    loss_of : callable
        Given which of them (a slice), what these contribute to the loss of the step and to
        what is logged: the contributions of all parts add up to the step. It draws nothing,
        but for dropout.
    """

    n_windows: int
    loss_of: Callable[[slice], Found]


def in_one_piece(
    loss_of: Callable[[np.random.Generator, int], Found],
) -> Callable[[np.random.Generator, int], Drawn]:
    """Give a loss that cannot be taken in parts the form of one that can."""
    return lambda rng, step: Drawn(1, lambda _all: loss_of(rng, step))


class InParts:
    """Takes windows in parts: all at once at first, in twice as many when memory runs out.

    The number of parts stays, so that what was found out once is not tried again.

    Parameters
    ----------
    tell : callable
        Gets a sentence when there are more parts than before.
    """

    def __init__(self, tell: Tell = warn) -> None:
        self.n_parts = 1
        self._tell, self._n_told = tell, 1

    @property
    def said(self) -> str:
        """What to add to the name of a stage; nothing where all is taken at once."""
        return f", batches in up to {self.n_parts} parts" if self.n_parts > 1 else ""

    def taken(
        self,
        n_windows: int,
        take: Callable[[slice], Taken],
        *,
        undo: Callable[[], None] = lambda: None,
    ) -> list[Taken]:
        """Return what `take` makes of each part of `n_windows` windows.

        Parameters
        ----------
        undo : callable
            Called when a try has failed: makes undone what it has left behind.

        Raises
        ------
        OutOfMemory
            If there is too little memory for a single window.
        """
        while True:
            n_parts = min(self.n_parts, n_windows)
            edges = [n_windows * part // n_parts for part in range(n_parts + 1)]
            try:
                found = [take(slice(first, stop)) for first, stop in pairwise(edges)]
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            else:
                self._say()
                return found
            # Not before the error, which holds all that was computed, is forgotten.
            undo()
            free_memory()
            if n_parts == n_windows:
                raise OutOfMemory(
                    "The memory of the device does not suffice for one window at a time. Use "
                    "the CPU (device 'cpu'), or fewer neurons a window (population)."
                )
            self.n_parts = min(2 * n_parts, n_windows)

    def _say(self) -> None:
        if self.n_parts > self._n_told:
            self._n_told = self.n_parts
            self._tell(
                f"The GPU is short of memory: batches in up to {self.n_parts} parts, "
                "which is slower and gives the same up to rounding and the draws of dropout.",
                False,
            )
