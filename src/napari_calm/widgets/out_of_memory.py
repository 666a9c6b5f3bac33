"""Going on when an accelerator has too little memory: less at once, then the CPU."""

import gc
from collections.abc import Callable

from ..core.errors import OutOfMemory
from ..core.progress import Progress, Steps

# Tries on the accelerator, each with half as much at once as the one before.
TRIES = 4
_SAID_BY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that an accelerator's memory did not suffice."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | OutOfMemory):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _SAID_BY)


def stepping_down_steps(
    make: Callable[[str], Steps],
    device: str,
    tell: Callable[[str, bool], None],
    *,
    tries: int = TRIES,
) -> Steps:
    """Run `make(device)`; out of memory, again with half as much at once, at last on the CPU.

    Parameters
    ----------
    make : callable
        Returns the steps of the work on a device, anew at each call.
    device : str
    tell : callable
        Called, in this thread, with a sentence on what was done about it, and whether the
        work went to the CPU.
    tries : int
        How often to try on the accelerator; 1 where less at once gives another result.
    """
    from ..model.budget import Share

    for attempt in range(tries):
        Share.of_accelerator = 0.5**attempt
        try:
            result = yield from make(device)
        except Exception as error:
            if not is_out_of_memory(error):
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
            Share.of_accelerator = 1.0
        _free()
        if attempt < tries - 1:
            yield Progress(0, 1, "out of GPU memory: again with less at once")
    yield Progress(0, 1, "out of GPU memory: going on on the CPU")
    result = yield from make("cpu")
    tell(
        "The GPU has too little memory for this: it ran on the CPU, which is chosen now. Close "
        "what else uses the GPU and choose it again, or take a smaller model.",
        True,
    )
    return result


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
