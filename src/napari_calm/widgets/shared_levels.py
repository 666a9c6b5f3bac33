"""All traces at several resolutions, prepared once for every view of a session."""

from weakref import WeakKeyDictionary

import numpy as np
from qtpy.QtCore import QObject, Signal

from .job import Ending, Job, JobReport
from .session import Session
from .trace_levels import TraceLevels, trace_levels_steps


class SharedLevels(QObject):
    """Prepares levels in a worker when the first view wants them; the last one frees them.

    Signals
    -------
    ready
        The levels that were wanted are there.
    failed : str
        They could not be prepared, and why. Wanting them again tries again.
    """

    ready = Signal()
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._users: set[int] = set()
        self._traces: np.ndarray | None = None
        self._levels: TraceLevels | None = None
        # A job of its own: it is short, needs no model, and must not hold up the panel.
        self._job: Job | None = None

    def want(self, user: object, traces: np.ndarray) -> TraceLevels | None:
        """Return the levels of `traces`, or None and tell when they are ready."""
        self._users.add(id(user))
        if self._traces is not traces:
            self._drop()
            self._traces = traces
            self._job = Job(self)
            self._job.ended.connect(self._on_ended)
            steps = trace_levels_steps(traces)
            self._job.start(steps, title="Prepare traces", on_done=self._on_done)
        return self._levels

    def leave(self, user: object) -> None:
        """Want nothing any more."""
        self._users.discard(id(user))
        if not self._users:
            self._drop()

    def _drop(self) -> None:
        if self._job is not None:
            self._job.abandon()
        self._job = self._traces = self._levels = None

    def _on_ended(self, report: JobReport) -> None:
        if report.ending is not Ending.DONE:
            self._traces = None
            self.failed.emit(report.message)

    def _on_done(self, levels: TraceLevels) -> None:
        if levels.traces is self._traces:
            self._levels = levels
            self.ready.emit()


_shared: WeakKeyDictionary = WeakKeyDictionary()


def levels_of(session: Session) -> SharedLevels:
    """Return what prepares the levels of a session's traces."""
    return _shared.setdefault(session, SharedLevels())
