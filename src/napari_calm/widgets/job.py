"""One piece of long work at a time, in a thread, with progress, cancel and errors."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils import progress
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, QTimer, Signal, Slot
from qtpy.QtWidgets import QAbstractButton

from ..core.errors import CalmError, is_device_lost, why_and_what_to_do
from ..core.progress import Progress, Steps
from .turns import Turns

# More than this many yields a second starves the window of Python's global lock.
YIELDS_PER_SECOND = 10
# After this long the panel is given back, even if a step of the worker still runs.
RELEASE_AFTER_S = 0.8
_ACTIVITY_STEPS = 1000


class Ending(Enum):
    """How a job can end."""

    DONE = "done"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True)
class JobReport:
    """What is left to say when a job has ended."""

    title: str
    ending: Ending
    seconds: float
    message: str = ""
    details: str = ""
    traceback: str = ""
    paused: bool = False


@dataclass(frozen=True)
class JobProgress:
    """How far the running job is, and how long its stage still takes."""

    title: str
    progress: Progress
    seconds_left: float | None


@dataclass(frozen=True)
class _Outcome:
    """What a worker hands over; exceptions travel in it, not through Qt."""

    ending: Ending
    result: Any = None
    error: BaseException | None = None
    # Of steps that were closed and could not keep what they should: told even after Cancel.
    failed_closing: bool = False


def throttled(steps: Steps, is_cancelled: Callable[[], bool]) -> Steps[_Outcome]:
    """Run `steps`, passing on at most `YIELDS_PER_SECOND` of their yields.

    Cancelling is looked for at every inner step, yielded or not. Errors are
    returned, so that the receiver decides how they are shown.
    """
    last_yield = 0.0
    try:
        while not is_cancelled():
            try:
                progress = next(steps)
            except StopIteration as stop:
                return _Outcome(Ending.DONE, result=stop.value)
            now = time.monotonic()
            if now - last_yield >= 1 / YIELDS_PER_SECOND:
                last_yield = now
                # Gives the lock away, so that the window draws what was yielded.
                time.sleep(0.001)
                yield progress
        return _closed(steps)
    except Exception as error:
        return _Outcome(Ending.CANCELLED if is_cancelled() else Ending.ERROR, error=error)
    finally:
        steps.close()


def _closed(steps: Steps) -> _Outcome:
    try:
        steps.close()
    except Exception as error:
        return _Outcome(Ending.ERROR, error=error, failed_closing=True)
    return _Outcome(Ending.CANCELLED)


class _ClosingWorker(GeneratorWorker):
    """Closes its steps also where napari, on closing its window, stops it between two."""

    steps: Steps

    def work(self):
        """Run the generator, in the thread."""
        try:
            return super().work()
        finally:
            self.steps.close()


class Job(QObject):
    """Owns the worker of a panel and everything that depends on whether it runs.

    Parameters
    ----------
    parent : QObject, optional
    turns : Turns, optional
        Shows the pieces of a result one after the other; a job runs until the last is shown.

    Signals
    -------
    changed
        Started, asked to stop, showing its result, or ended.
    progressed : JobProgress
        At most `YIELDS_PER_SECOND` times a second while running.
    ended : JobReport
        Once a job, whatever its ending.
    """

    changed = Signal()
    progressed = Signal(object)
    ended = Signal(object)

    def __init__(self, parent: QObject | None = None, turns: Turns | None = None) -> None:
        super().__init__(parent)
        self._turns = Turns(self) if turns is None else turns
        self._worker = None
        self._cancelled: threading.Event | None = None
        self._on_done: Callable[[Any], None] | None = None
        self._keep: threading.Event | None = None
        self._title = self._if_cancelled = ""
        self._can_pause = False
        self._started_at = 0.0
        self._stage, self._stage_started_at = "", 0.0
        self._guards: list[tuple[QAbstractButton, Callable[[], str], str]] = []
        self._activity: progress | None = None
        self._release = QTimer(self)
        self._release.setSingleShot(True)
        self._release.setInterval(int(RELEASE_AFTER_S * 1000))
        self._release.timeout.connect(self._give_up_waiting)

    @property
    def title(self) -> str:
        """What the running or last job is called."""
        return self._title

    @property
    def running(self) -> bool:
        """Whether work is under way, or its result not all shown."""
        return self.working or self.showing

    @property
    def working(self) -> bool:
        """Whether the worker is at work, and can be cancelled."""
        return self._worker is not None

    @property
    def showing(self) -> bool:
        """Whether the work is done and pieces of its result are still to be shown."""
        return self._turns.waiting

    @property
    def cancelling(self) -> bool:
        """Whether Cancel was asked for and the worker has not stopped yet."""
        return self._cancelled is not None and self._cancelled.is_set()

    @property
    def can_keep(self) -> bool:
        """Whether the running job can end early and keep the best it has."""
        return self.working and self._keep is not None

    @property
    def can_pause(self) -> bool:
        """Whether what is cancelled goes on later from where it was."""
        return self.working and self._can_pause

    @property
    def keeping(self) -> bool:
        """Whether the running job was asked to end early and keep the best it has."""
        return self.can_keep and self._keep.is_set()

    def guard(self, button: QAbstractButton, missing: Callable[[], str]) -> None:
        """Enable `button` while no job runs and `missing()` has nothing to say.

        What is missing becomes the tooltip of the disabled button.
        """
        self._guards.append((button, missing, button.toolTip()))
        self.refresh_buttons()

    @Slot()
    def refresh_buttons(self) -> None:
        """Ask again what every guarded button is missing."""
        for button, missing, tooltip in self._guards:
            reason = missing()
            button.setEnabled(not self.running and not reason)
            button.setToolTip(reason or tooltip)

    def start(
        self,
        steps: Steps,
        *,
        title: str,
        on_done: Callable[[Any], None],
        keep: threading.Event | None = None,
        if_cancelled: str = "Nothing was changed.",
        can_pause: bool = False,
    ) -> bool:
        """Run `steps` in a thread and call `on_done(result)` in this one.

        Parameters
        ----------
        keep : threading.Event, optional
            What `steps` look at to end early with the best they have; see `stop_and_keep`.
        if_cancelled : str
            What to say of what is there after Cancel.
        can_pause : bool
            Whether closing `steps` keeps what is needed to go on; Cancel is called so then.

        Returns
        -------
        bool
            False, and nothing happens, if another job still runs.
        """
        if self.running:
            steps.close()
            return False
        cancelled = threading.Event()

        def is_cancelled() -> bool:
            # The latter is set by napari itself when its window closes.
            return cancelled.is_set() or worker.abort_requested

        worker = create_worker(throttled, steps, is_cancelled, _worker_class=_ClosingWorker)
        worker.steps = steps
        self._worker, self._cancelled = worker, cancelled
        self._on_done, self._title, self._keep = on_done, title, keep
        self._if_cancelled, self._can_pause = if_cancelled, can_pause
        self._started_at = self._stage_started_at = time.monotonic()
        self._stage = ""
        worker.yielded.connect(self._on_yielded)
        worker.returned.connect(self._on_returned)
        worker.finished.connect(self._on_finished)
        self._activity = progress(total=_ACTIVITY_STEPS, desc=title)
        self.refresh_buttons()
        self.changed.emit()
        worker.start()
        return True

    @Slot()
    def stop_and_keep(self) -> None:
        """Ask the job to end early and keep the best it has, where it can."""
        if self.can_keep and not self.cancelling and not self.keeping:
            self._keep.set()
            self.changed.emit()

    @Slot()
    def cancel(self) -> None:
        """Stop the job at its next step; the panel is free within a second in any case."""
        if self.working and not self.cancelling:
            self._cancelled.set()
            self._release.start()
            self.changed.emit()

    def abandon(self) -> None:
        """Stop the job and forget it without a word: its panel is gone."""
        self._turns.stop()
        if self.working:
            self._cancelled.set()
            self._forget_worker()
        self._guards.clear()

    def stop_showing(self) -> None:
        """Leave the rest of a result unshown, and say so: the window is closed."""
        if self.showing:
            self._turns.stop()
            self._if_cancelled = "Its window was closed before all of the result was shown."
            self._tell(_Outcome(Ending.CANCELLED), time.monotonic() - self._started_at)

    @Slot(object)
    def _on_yielded(self, now_at: Progress) -> None:
        if not self._is_current(self.sender()) or self.cancelling:
            return
        now = time.monotonic()
        # What stands in brackets, such as the loss, changes within a stage.
        stage = now_at.stage.partition(" (")[0]
        if stage != self._stage:
            self._stage, self._stage_started_at = stage, now
        elapsed = now - self._stage_started_at
        left = None
        # The first moments say little about the rest; of long work they are some seconds.
        is_telling = now_at.fraction > 0.03 or (elapsed > 10 and now_at.fraction > 0)
        if elapsed > 0.5 and is_telling:
            left = elapsed * (1 - now_at.fraction) / now_at.fraction
        self.progressed.emit(JobProgress(self._title, now_at, left))
        # Last: napari's bar handles events, among them perhaps the end of this job.
        self._show_activity(now_at)

    def _show_activity(self, now_at: Progress) -> None:
        """Tell napari's activity dock the same."""
        if self._activity is not None:
            gone = round(now_at.fraction * _ACTIVITY_STEPS) - self._activity.n
            # A new stage begins anew; napari's bar goes forward only.
            if gone > 0:
                self._activity.update(gone)

    @Slot(object)
    def _on_returned(self, outcome: _Outcome) -> None:
        if self._is_current(self.sender()):
            self._end(outcome)

    @Slot()
    def _on_finished(self) -> None:
        # Reached first only by a worker that napari itself stopped, as it does on quitting.
        if self._is_current(self.sender()):
            self._end(_Outcome(Ending.CANCELLED))

    @Slot()
    def _give_up_waiting(self) -> None:
        if self.working:
            self._end(_Outcome(Ending.CANCELLED))

    def _is_current(self, signals: QObject | None) -> bool:
        return self.working and signals is self._worker.signals

    def _forget_worker(self) -> None:
        self._release.stop()
        self._worker = self._cancelled = self._on_done = self._keep = None
        activity, self._activity = self._activity, None
        if activity is not None:
            activity.close()

    def _end(self, outcome: _Outcome) -> None:
        on_done, seconds = self._on_done, time.monotonic() - self._started_at
        if self.cancelling and not outcome.failed_closing:
            outcome = _Outcome(Ending.CANCELLED)
        self._forget_worker()
        if outcome.ending is not Ending.DONE:
            self._tell(outcome, seconds)
            return

        def then(error: Exception | None) -> None:
            self._tell(
                outcome if error is None else _Outcome(Ending.ERROR, error=error), seconds
            )

        self._turns.deliver(lambda: on_done(outcome.result), then)
        if self.showing:
            self.refresh_buttons()
            self.changed.emit()

    def _tell(self, outcome: _Outcome, seconds: float) -> None:
        """Give the panel back, and say how the job ended."""
        self.refresh_buttons()
        self.changed.emit()
        told = _told(outcome.error) if outcome.error is not None else ("", "", "")
        is_cancelled = outcome.ending is Ending.CANCELLED
        if is_cancelled:
            told = (self._if_cancelled, "", "")
        message, paused = told[0], is_cancelled and self._can_pause
        self.ended.emit(JobReport(self._title, outcome.ending, seconds, *told, paused=paused))
        if outcome.ending is Ending.ERROR:
            show_error(f"{self._title}: {message}")


def _told(error: BaseException) -> tuple[str, str, str]:
    """Return what to say about `error`, its traceback if it was not foreseen, and always."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, CalmError):
        return str(error), "", trace
    text = str(error)
    if is_device_lost(error):
        said = (
            f"The GPU does not answer any more ({text.splitlines()[0]}). Nothing is lost. "
            "Choose cpu under Device and press the button again; a new napari finds the GPU "
            "again."
        )
        return said, trace, trace
    if isinstance(error, OSError):
        what = f"{error.filename}: " if error.filename else ""
        return f"{what}not read or written: {why_and_what_to_do(error)}.", "", trace
    return f"Unexpected {type(error).__name__}: {error}", trace, trace
