"""How the results of a session were made: what it takes to make them again."""

from dataclasses import dataclass, field

import numpy as np

from .origin import Origin


@dataclass(frozen=True)
class ModelUsed:
    """The model of a result.

    Parameters
    ----------
    name : str
        A bundled model or a checkpoint folder.
    device : str
    adapted_until_frame : int, optional
        Frame before which it was adapted; None for zero-shot.
    adaptation_file : str, optional
        Where the adaptation was saved to or loaded from.
    adapted_neurons : tuple of int, optional
        Neurons that it was adapted to; None for all.
    """

    name: str
    device: str = "auto"
    adapted_until_frame: int | None = None
    adaptation_file: str | None = None
    adapted_neurons: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Request:
    """The model, if one was needed, and the options of a result."""

    model: ModelUsed | None = None
    options: dict = field(default_factory=dict)


def decoding_of(column: str) -> str:
    """Return by what name a request is kept of what a column was decoded with."""
    return f"decoding of {column}"


class MadeWith:
    """The session's part on where things came from.

    `origin` is that of the recording, None where it is known to this window only; `requests`
    says by the name of a result how it was made. `accepted_in_file` is whom the file at the
    origin accepts as cells, (neurons,) of bool; None where it does not say.
    """

    def __init__(self) -> None:
        self.origin: Origin | None = None
        self.accepted_in_file: np.ndarray | None = None
        self.requests: dict[str, Request] = {}
        self.adaptation_file: str | None = None

    def _forget_how(self) -> None:
        self.origin, self.requests, self.adaptation_file = None, {}, None
