"""Long work as generators of progress.

Every long function exists once, as a generator that yields `Progress` and
returns its result. The library drains it with `run`, the command line draws a
bar from it, and the window hands it to a worker thread; stopping between two
yields is how all three cancel.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is: `done` of `total` steps of `stage`."""

    done: int
    total: int
    stage: str

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


# Asked between steps: whether to end now and keep the best there is.
Stop: TypeAlias = Callable[[], bool]


def never() -> bool:
    """Do not stop."""
    return False


Steps: TypeAlias = Generator[Progress, None, Result]
Sign = TypeVar("Sign")


def retold(
    steps: Generator[Sign, None, Result], tell: Callable[[Sign], Progress]
) -> Steps[Result]:
    """Pass on what `steps` yields in other words: as part of a larger piece of work."""
    while True:
        try:
            sign = next(steps)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield tell(sign)


def run(steps: Steps[Result], on_progress: Callable[[Progress], None] | None = None) -> Result:
    """Run `steps` to their end and return the result, telling `on_progress` of each step.

    They are closed, as by cancelling, if `on_progress` raises.
    """
    try:
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if on_progress is not None:
                on_progress(progress)
    finally:
        steps.close()
