"""A forecast that is made anew wherever the time slider comes to rest."""

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QCheckBox

from .job import Ending, Job, JobReport
from .session import Session

REST_MS = 300


class FollowingForecast(QObject):
    """Starts the forecast when the slider rests, and cancels it when the slider moves on.

    It waits for other jobs rather than disturb them, and then asks for where the slider
    stands, never for places it has left.

    Parameters
    ----------
    switch : QCheckBox
        Whether to follow.
    start : callable
        Starts the forecast; returns whether it did.
    is_due : callable
        Tells whether a forecast can be made and is not there yet.
    """

    def __init__(
        self,
        session: Session,
        job: Job,
        switch: QCheckBox,
        *,
        start: Callable[[], bool],
        is_due: Callable[[], bool],
    ) -> None:
        super().__init__(switch)
        self._session, self._job, self._switch = session, job, switch
        self._start, self._is_due = start, is_due
        self._is_ours = self._is_waiting = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._on_rest)
        switch.toggled.connect(self._on_switch)
        session.time_changed.connect(self._on_time)
        session.in_use_changed.connect(self._on_time)
        job.ended.connect(self._on_ended)

    def release(self) -> None:
        """Stop following the session."""
        self._rest.stop()
        self._session.time_changed.disconnect(self._on_time)
        self._session.in_use_changed.disconnect(self._on_time)

    def _on_switch(self, wanted: bool) -> None:
        self._is_waiting = False
        if wanted:
            self._rest.start()
        else:
            self._rest.stop()

    def _on_time(self) -> None:
        if self._switch.isChecked():
            if self._is_ours:
                self._job.cancel()
            self._rest.start()

    def _on_rest(self) -> None:
        self._is_waiting = self._job.running
        if not self._is_waiting and self._switch.isChecked() and self._is_due():
            self._is_ours = self._start()

    def _on_ended(self, report: JobReport) -> None:
        was_ours, self._is_ours = self._is_ours, False
        if was_ours and report.ending is Ending.ERROR:
            # It would fail again at every step.
            self._switch.setChecked(False)
        elif self._is_waiting:
            self._rest.start()
