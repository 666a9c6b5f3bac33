"""Saving the session and opening it again: the buttons, and asking for moved files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from ..core.recording import Recording
from .field_values import field_values, set_field_values
from .job import Ending, Job
from .kept_docks import Docks
from .kept_session import KeptSession
from .model_section import ModelSection
from .recording_section import RecordingSection
from .reopening import Reopened, file_of, reopen_steps, show_results
from .session import Session
from .session_file import ENDING, write_session_steps
from .turns import Turns

_KIND = f"Sessions (*{ENDING})"
_SAVE, _OPEN = "Save session", "Open session"


class SessionKeeping(QWidget):
    """Save session and Open session.

    Parameters
    ----------
    fields : callable
        Returns the widgets whose fields are settings.
    docks : Docks
        Tells which docks are open where, and opens them so again.
    turns : Turns
        In which an opened session is shown.

    Signals
    -------
    said : str
        How it went.
    """

    said = Signal(str)

    def __init__(
        self,
        session: Session,
        job: Job,
        recording: RecordingSection,
        model: ModelSection,
        fields: Callable[[], list[QWidget]],
        docks: Docks,
        turns: Turns,
    ) -> None:
        super().__init__()
        self._session, self._job, self._fields = session, job, fields
        self._docks, self._turns = docks, turns
        self._recording, self._model = recording, model
        self.save = QPushButton("Save session...", objectName="calm_save_session")
        self.save.setToolTip(
            "Save where the recording is, the settings, the selection, accepted cells, the "
            "adaptation, all results and which views are open, as one file to go on from."
        )
        self.open = QPushButton("Open session...", objectName="calm_open_session")
        self.open.setToolTip(
            "Go on with a saved session: its recording is read again from where it is, and "
            "asked for if it has moved."
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.save, 1)
        row.addWidget(self.open, 1)
        self.save.clicked.connect(self._ask_where_to_save)
        self.open.clicked.connect(self._ask_what_to_open)
        job.guard(
            self.save, lambda: "" if session.recording is not None else "Extract traces first."
        )
        job.guard(self.open, lambda: "Still looking for models ..." if model.looking else "")
        job.ended.connect(self._on_job_ended)

    def start_saving(self, path: str | Path) -> None:
        """Write the session to `path` in the worker."""
        path, values = Path(path), {}
        for widget in self._fields():
            values |= field_values(widget)
        kept = KeptSession.of(
            self._session,
            model=self._model.chosen,
            device=self._model.device.currentText(),
            settings=values,
            docks=self._docks.now(),
        )
        self._job.start(
            write_session_steps(kept, path),
            title=_SAVE,
            on_done=lambda _nothing: self.said.emit(f"Saved to {path}."),
        )

    def start_opening(self, path: str | Path, moved: dict[str, str] | None = None) -> None:
        """Read a session in the worker and show it, or ask for what has moved."""
        moved = moved or {}

        def on_done(reopened: Reopened) -> None:
            if reopened.missing:
                # Not now: the job that found out has not quite ended.
                QTimer.singleShot(0, lambda: self._ask_where_it_is(path, reopened, moved))
            else:
                self._show(reopened, Path(path))

        self._job.start(reopen_steps(path, moved), title=_OPEN, on_done=on_done)

    def _show(self, reopened: Reopened, path: Path) -> None:
        self._recording.opener.show_opened(reopened.opened)
        # The layers bring the recording along.
        self._turns.take(lambda: self._show_results(reopened, path))

    def _show_results(self, reopened: Reopened, path: Path) -> None:
        self._session.expect(reopened.opened.recording)
        kept = reopened.kept
        told = self._choose_model(kept)
        show_results(self._session, reopened)
        # After the layers, which may reach beyond the movie, and the docks that come with them.
        for piece in (
            lambda: self._session.seek(kept.time_s),
            lambda: self._docks.restore(kept.docks),
            lambda: self._fill_in(kept),
        ):
            self._turns.take(partial(self._if_still, reopened.opened.recording, piece))
        self.said.emit(f"{path.name} is open.{told}")

    def _if_still(self, recording: Recording, piece: Callable[[], object]) -> None:
        """Show a piece unless the recording that it is about was replaced."""
        if self._session.recording is recording:
            piece()

    def _fill_in(self, kept: KeptSession) -> None:
        for widget in self._fields():
            set_field_values(widget, kept.settings)

    def _choose_model(self, kept: KeptSession) -> str:
        device = self._model.device
        row = device.findText(kept.device)
        if row >= 0 and device.model().item(row).isEnabled():
            device.setCurrentIndex(row)
        is_there = self._model.model.findData(kept.model) >= 0 or Path(kept.model).is_dir()
        if kept.model and is_there:
            self._model.choose(kept.model)
        elif kept.model:
            return f" Its model, {kept.model}, is not there any more: choose one to go on."
        return ""

    def _ask_where_it_is(self, path, reopened: Reopened, moved: dict[str, str]) -> None:
        place = reopened.missing[0]
        file = file_of(place)
        title = f"{file.name} is not at {file.parent} any more: where is it?"
        # A folder has most often no ending; .zarr is one that is a folder.
        if file.suffix in ("", ".zarr"):
            found = QFileDialog.getExistingDirectory(self, title)
        else:
            found, _ = QFileDialog.getOpenFileName(
                self,
                title,
                str(Path(path).parent),
                f"{file.suffix} files (*{file.suffix});;All (*)",
            )
        if found:
            self.start_opening(path, {**moved, place: found + place[len(str(file)) :]})
        else:
            self.said.emit(
                f"Not opened: {place} is not there any more. Press 'Open session...' again and "
                "choose where it is now."
            )

    def _on_job_ended(self, report) -> None:
        if report.title in (_SAVE, _OPEN) and report.ending is Ending.ERROR:
            done = "saved" if report.title == _SAVE else "opened"
            self.said.emit(f"Not {done}: {report.message}")

    def _ask_where_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, _SAVE, f"{self._session.recording.name}{ENDING}", _KIND
        )
        if path:
            self.start_saving(path if path.endswith(ENDING) else f"{path}{ENDING}")

    def _ask_what_to_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, _OPEN, "", _KIND)
        if path:
            self.start_opening(path)
