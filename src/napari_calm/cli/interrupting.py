"""Ctrl-C and SIGTERM: an end in order, told in one line."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ..core.progress import Progress, Stop

# Exit status of what was interrupted.
INTERRUPTED = 130


class InterruptedAt(KeyboardInterrupt):
    """An interrupt between two steps of work, `at` the one that was made last."""

    def __init__(self, at: Progress) -> None:
        super().__init__()
        self.at = at


@contextmanager
def interrupted_at_once() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: raise KeyboardInterrupt where the work is."""

    def on_signal(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    with _on_signals(on_signal):
        yield


@contextmanager
def interrupted_between_steps() -> Iterator[Stop]:
    """Tell whether SIGINT or SIGTERM has come; only the second one raises KeyboardInterrupt.

    For work that loses something when it is interrupted within a step.
    """
    has_come = False

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal has_come
        if has_come:
            raise KeyboardInterrupt
        has_come = True

    with _on_signals(on_signal):
        yield lambda: has_come


@contextmanager
def _on_signals(handler: Callable[[int, object], None]) -> Iterator[None]:
    before = {
        number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
