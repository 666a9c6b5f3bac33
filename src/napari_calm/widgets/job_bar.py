"""What the user sees of a job: bar, time left, Cancel, and how it ended."""

from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .job import Ending, Job, JobProgress, JobReport
from .problem_log import note_problem, report_text
from .theme import ThemeColours

_BAR_STEPS = 1000
_CANCEL = ("Cancel", "Stop at the next step. Results that exist already stay.")
_PAUSE = (
    "Pause",
    "Stop at the next step and save the state: 'Continue pretraining' goes on from that step, "
    "now or another day. Closing the window does the same.",
)
_KEEP = "End the training now and keep the weights that did best on the validation part so far."


class JobBar(QWidget):
    """Progress and Cancel while a job runs, one plain sentence when it has ended."""

    def __init__(self, job: Job, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = job
        self._error_colour = "#ff8a7a"
        self.bar = QProgressBar(objectName="calm_progress")
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.setTextVisible(True)
        self.cancel = QPushButton("Cancel", objectName="calm_cancel")
        self.cancel.clicked.connect(job.cancel)
        self.keep = QPushButton("Stop and keep", objectName="calm_stop_and_keep")
        self.keep.clicked.connect(job.stop_and_keep)
        self.message = QLabel(objectName="calm_message")
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.show_details = QPushButton("Details", objectName="calm_details")
        self.show_details.setCheckable(True)
        self.show_details.setToolTip("Show the traceback, for a bug report.")
        self.copy_report = QPushButton("Copy report", objectName="calm_copy_report")
        self.copy_report.setToolTip(
            "Copy versions, the error with its traceback, and the end of the log file."
        )
        self.copy_report.clicked.connect(self._copy_report)
        self._report: JobReport | None = None
        self.details = QPlainTextEdit(readOnly=True)
        self.details.setMaximumHeight(140)
        self.show_details.toggled.connect(self.details.setVisible)
        self._lay_out()
        job.changed.connect(self._on_changed)
        job.progressed.connect(self._on_progressed)
        job.ended.connect(self._on_ended)
        self._show_details_of("")
        self._on_changed()

    def _lay_out(self) -> None:
        running = QHBoxLayout()
        running.addWidget(self.bar, 1)
        running.addWidget(self.keep)
        running.addWidget(self.cancel)
        said = QHBoxLayout()
        said.addWidget(self.message, 1)
        said.addWidget(self.show_details, 0, Qt.AlignmentFlag.AlignTop)
        said.addWidget(self.copy_report, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(running)
        layout.addLayout(said)
        layout.addWidget(self.details)

    def set_colours(self, colours: ThemeColours) -> None:
        """Take the colours of napari's theme."""
        self._error_colour = colours.error

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Show one sentence below the bar."""
        self.message.setText(text)
        style = f"color: {self._error_colour};" if is_error else ""
        if style != self.message.styleSheet():
            # Even the same one would be worked out anew for the whole label.
            self.message.setStyleSheet(style)
        self.message.setVisible(bool(text))

    def _show_details_of(self, details: str) -> None:
        self.details.setPlainText(details)
        self.show_details.setVisible(bool(details))
        self.copy_report.setVisible(self._report is not None)
        self.copy_report.setText("Copy report")
        self.show_details.setChecked(False)
        self.details.setVisible(False)

    @Slot()
    def _on_changed(self) -> None:
        running = self._job.running
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
        self.cancel.setEnabled(self._job.working and not self._job.cancelling)
        word, told = _PAUSE if self._job.can_pause else _CANCEL
        self.cancel.setText(word)
        self.cancel.setToolTip(told)
        goes_on = "Pause leaves it to go on" if self._job.can_pause else "Cancel keeps none"
        self.keep.setToolTip(f"{_KEEP} {goes_on}.")
        self.keep.setVisible(self._job.can_keep)
        self.keep.setEnabled(not self._job.keeping and not self._job.cancelling)
        if not running:
            return
        if self._job.cancelling:
            self.say("Stopping ...")
        elif self._job.showing:
            self.say(f"{self._job.title}: showing the result ...")
        elif self._job.keeping:
            self.say(f"{self._job.title}: stopping, to keep the best so far ...")
        else:
            self._report = None
            self._show_details_of("")
            self.say(f"{self._job.title} ...")
            # Without extent the bar just moves: how many steps there are is not known yet.
            self.bar.setRange(0, 0)

    @Slot(object)
    def _on_progressed(self, now: JobProgress) -> None:
        # A progress bar draws the window anew at once with every call, unless it is held still.
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.setValue(round(now.progress.fraction * _BAR_STEPS))
        left = "" if now.seconds_left is None else f"  {clock(now.seconds_left)} left"
        self.bar.setFormat(f"%p %{left}")
        self.bar.setUpdatesEnabled(True)
        self.say(f"{now.title}: {now.progress.stage}")

    @Slot(object)
    def _on_ended(self, report: JobReport) -> None:
        failed = report.ending is Ending.ERROR
        self._report = report if failed else None
        self._show_details_of(report.details)
        if failed:
            note_problem(report)
            self.say(report.message, is_error=True)
        elif report.ending is Ending.CANCELLED:
            how = "paused" if report.paused else "stopped"
            self.say(f"{report.title}: {how}. {report.message}")
        else:
            self.say(f"{report.title}: done in {report.seconds:.1f} s.")

    @Slot()
    def _copy_report(self) -> None:
        if self._report is not None:
            QApplication.clipboard().setText(report_text(self._report))
            self.copy_report.setText("Copied")


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss``, or ``h:mm:ss`` where there are hours."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
