"""Make what the next step needs while this one computes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """What a function makes of each step, begun in a thread one step early.

    The function may depend on nothing but the step, so that what comes out is the same as
    without the thread. Use it as a context manager: leaving it ends the thread.

    Examples
    --------
    >>> with Ahead(lambda step: step**2) as squares:
    ...     [squares(step) for step in (3, 4, 9)]
    [9, 16, 81]
    """

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._begun: dict[int, Future[Made]] = {}

    def __call__(self, step: int) -> Made:
        """Return what was made for `step` and begin the next one."""
        made = self._begun.pop(step, None)
        self._begun = {step + 1: self._pool.submit(self._make, step + 1)}
        return self._make(step) if made is None else made.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
