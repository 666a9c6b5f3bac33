"""Keeping what was found: code that makes it again, the session, the recording, figures."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QFileDialog, QHBoxLayout, QPushButton, QWidget

from ..core.errors import CalmError
from .eliding import ElidingCombo
from .figure_file import write_figure
from .job import Job
from .origin import Origin
from .section import Section
from .session import Session
from .session_code import as_command, as_python
from .session_keeping import SessionKeeping

NO_FIGURE = "no plot open"


class ExportSection(Section):
    """Copy as Python or command, save the session, the recording, a plot.

    Parameters
    ----------
    figures : callable
        Returns the views with open plots by name.
    bring_up : callable
        Brings one of them in front and up to date.
    keeping : SessionKeeping
        The buttons that save and open sessions.
    """

    def __init__(
        self,
        session: Session,
        job: Job,
        figures: Callable[[], dict],
        bring_up: Callable[[QWidget], None],
        keeping: SessionKeeping,
    ) -> None:
        super().__init__("Export")
        self._session, self._job = session, job
        self._figures, self._bring_up = figures, bring_up
        self.keeping = keeping
        self.copy_python = QPushButton("Copy as Python", objectName="calm_copy_python")
        self.copy_python.setToolTip(
            "Copy a script that makes the recording and every present result again."
        )
        self.copy_command = QPushButton("Copy as command", objectName="calm_copy_command")
        self.copy_command.setToolTip(
            "Copy command lines that make every present result again and write it to files."
        )
        self.save_recording = QPushButton("Save recording...", objectName="calm_save_recording")
        self.save_recording.setToolTip(
            "Save traces, ROIs, behaviour and trials as one npz archive, which CalM opens "
            "again and NumPy reads."
        )
        self.figure = ElidingCombo(objectName="calm_figure")
        self.figure.setMinimumContentsLength(8)
        self.figure.setToolTip("Which plot to save, as it is seen; it comes in front.")
        self.save_figure = QPushButton("Save figure...", objectName="calm_save_figure")
        self.save_figure.setToolTip("Save the plot as PNG (pixels) or SVG (lines and text).")
        code = QHBoxLayout()
        code.addWidget(self.copy_python)
        code.addWidget(self.copy_command)
        self.form.addRow(code)
        self.form.addRow(keeping)
        self.form.addRow(self.save_recording)
        plot = QHBoxLayout()
        plot.addWidget(self.figure, 1)
        plot.addWidget(self.save_figure)
        self.form.addRow(plot)
        self.add_result_line()
        keeping.said.connect(self.say)
        self.copy_python.clicked.connect(lambda: self._copy(as_python, "Python"))
        self.copy_command.clicked.connect(lambda: self._copy(as_command, "Commands"))
        self.save_recording.clicked.connect(self._ask_where_to_save)
        self.figure.activated.connect(self._on_figure)
        self.save_figure.clicked.connect(self._ask_for_figure)
        for button in (self.copy_python, self.copy_command, self.save_recording):
            job.guard(button, self._missing)
        job.guard(self.save_figure, lambda: "" if self._figures() else "No plot is open.")
        job.changed.connect(self.offer_figures)
        session.recording_changed.connect(self._on_recording)
        # A dock that is being closed is still there.
        self._offer = QTimer(self, singleShot=True, interval=0)
        self._offer.timeout.connect(self.offer_figures)
        self.offer_figures()

    def release(self) -> None:
        """Stop following the session."""
        self._session.recording_changed.disconnect(self._on_recording)
        self._offer.stop()

    def offer_soon(self) -> None:
        """Fill in which plots are open when what happens now has happened."""
        self._offer.start()

    def offer_figures(self) -> None:
        """Fill in which plots are open."""
        chosen, names = self.figure.currentText(), list(self._figures())
        self.figure.clear()
        self.figure.addItems(names or [NO_FIGURE])
        self.figure.setCurrentIndex(max(0, self.figure.findText(chosen)))
        self._job.refresh_buttons()

    def save_recording_to(self, path: str | Path) -> None:
        """Write the recording to `path`; copies start from that file from now on."""
        from ..io.traces import write_recording

        try:
            write_recording(self._session.judged_recording, path)
        except (CalmError, OSError) as error:
            self.say(f"Not saved: {error}")
        else:
            self._session.origin = Origin(str(Path(path).resolve()))
            self._session.accepted_in_file = self._session.judgement
            self.say(f"Saved to {path}.")

    def save_figure_to(self, path: str | Path) -> None:
        """Write the chosen plot to `path`; its ending says how."""
        try:
            write_figure(self._chosen_view().plot, path)
        except (CalmError, OSError) as error:
            self.say(f"Not saved: {error}")
        else:
            self.say(f"Saved to {path}.")

    def _chosen_view(self) -> QWidget:
        """Return the view whose plot is chosen, in front and drawn."""
        name = self.figure.currentText()
        view = self._figures().get(name)
        if view is None:
            raise CalmError(f"the plot '{name}' is not open any more.")
        self._bring_up(view)
        if view.is_preparing:
            raise CalmError(
                f"the plot '{name}' is still being prepared. Save it again when it is drawn."
            )
        return view

    def _on_figure(self, _index: int) -> None:
        view = self._figures().get(self.figure.currentText())
        if view is not None:
            self._bring_up(view)

    def _copy(self, written: Callable[[Session], str], what: str) -> None:
        try:
            text = written(self._session)
        except CalmError as error:
            self.say(str(error))
        else:
            QApplication.clipboard().setText(text)
            self.say(f"{what} copied: {text.count(chr(10))} lines.")

    def _ask_where_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save recording", f"{self._session.recording.name}.npz", "Archives (*.npz)"
        )
        if path:
            self.save_recording_to(Path(path).with_suffix(".npz"))

    def _ask_for_figure(self) -> None:
        path, kind = QFileDialog.getSaveFileName(
            self, "Save figure", "figure.png", "Pixels (*.png);;Lines and text (*.svg)"
        )
        if path:
            if Path(path).suffix.lower() not in (".png", ".svg"):
                path += ".svg" if "svg" in kind else ".png"
            self.save_figure_to(path)

    def _missing(self) -> str:
        return "" if self._session.recording is not None else "Extract traces first."

    def _on_recording(self) -> None:
        self.say("")
        self._job.refresh_buttons()
