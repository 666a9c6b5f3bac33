"""Going on when an accelerator has too little memory: less at once, then the CPU."""

import warnings
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from ..core.errors import is_out_of_memory
from ..core.progress import Progress, Steps, retold

Result = TypeVar("Result")
# Gets a sentence on what was done about too little memory, and whether the CPU took over.
Tell: TypeAlias = Callable[[str, bool], None]

# Tries on the accelerator, each with half as much at once as the one before.
TRIES = 4
ON_CPU = "The GPU has too little memory for this: done on the CPU, which is slower."


def warn(told: str, _on_cpu: bool) -> None:
    """Tell whoever uses the library, where nobody else listens."""
    warnings.warn(told, RuntimeWarning, stacklevel=3)


def less_at_once_steps(
    make: Callable[[], Steps[Result]], tell: Tell = warn, *, tries: int = TRIES
) -> Steps[Result]:
    """Run `make()`; out of memory, again with half as much at once.

    Parameters
    ----------
    make : callable
        Returns the steps of the work, anew at each call; of work whose pieces follow
        `model.budget`.
    tell : callable
        Called, in this thread, with a sentence once it went with less.
    tries : int
        How often to try in all.

    Raises
    ------
    torch.OutOfMemoryError, OutOfMemory
        What the last try raised.
    """
    from .budget import Share
    from .device import free_memory

    usual = Share.of_accelerator
    for attempt in range(tries):
        Share.of_accelerator = usual * 0.5**attempt
        try:
            result = yield from make()
        except Exception as error:
            if attempt == tries - 1 or not is_out_of_memory(error):
                raise
        else:
            if attempt:
                tell(
                    "The GPU was short of memory: this took "
                    f"1/{2**attempt} as much at once as usual, which is slower.",
                    False,
                )
            return result
        finally:
            Share.of_accelerator = usual
        # Not before the error, which holds all that was computed, is forgotten.
        free_memory()
        yield Progress(0, 1, "out of GPU memory: again with less at once")
    raise AssertionError("the last try returns or raises")


def stepping_down_steps(
    make: Callable[[str], Steps[Result]],
    device: str,
    tell: Tell = warn,
    *,
    tries: int = TRIES,
) -> Steps[Result]:
    """Run `make(device)`; out of memory, again with half as much at once, at last on the CPU.

    Parameters
    ----------
    make : callable
        Returns the steps of the work on a device, anew at each call.
    device : str
    tell : callable
        Called, in this thread, with a sentence on what was done about it, and whether the
        work goes to the CPU; as soon as it is known.
    tries : int
        How often to try on the accelerator; 1 where the work itself takes less at once.
    """
    from .device import free_memory

    try:
        return (yield from less_at_once_steps(lambda: make(device), tell, tries=tries))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    free_memory()
    tell(ON_CPU, True)
    yield Progress(0, 1, "out of GPU memory: going on on the CPU")
    return (yield from retold(make("cpu"), _on_the_cpu))


def _on_the_cpu(progress: Progress) -> Progress:
    # What stands in brackets, such as the loss, stays behind the name of the stage.
    name, bracket, more = progress.stage.partition(" (")
    return Progress(progress.done, progress.total, f"{name} on the CPU{bracket}{more}")
