"""What the model in use reads of a recording: hidden states and tokens, made once."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..core.progress import Progress, Steps, retold
from ..core.recording import Recording
from ..core.representation import Representation
from ..core.token_map import TokenMap

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Reading:
    """Hidden states and tokens of a recording, or of some of its neurons, and their model."""

    model: object
    traces: np.ndarray
    representation: Representation
    tokens: TokenMap

    def is_of(self, model, recording: Recording) -> bool:
        """Tell whether this is what `model` makes of the traces of `recording`."""
        return self.model is model and self.traces is recording.traces


def reading_steps(model, recording: Recording, known: Reading | None = None) -> Steps[Reading]:
    """Read a recording, unless `known` is what comes of it."""
    if known is not None and known.is_of(model, recording):
        return known
    representation = yield from part_of(model.represent_steps(recording), 0, 2)
    tokens = yield from part_of(model.tokenize_steps(recording), 1, 2)
    return Reading(model, recording.traces, representation, tokens)


def part_of(steps: Generator[Progress, None, Result], part: int, parts: int) -> Steps[Result]:
    """Tell the progress of one of several pieces of work as that of the whole."""
    return retold(
        steps,
        lambda done: Progress(round(1000 * (part + done.fraction)), 1000 * parts, done.stage),
    )
