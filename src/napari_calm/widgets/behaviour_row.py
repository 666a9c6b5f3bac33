"""Behaviour and trials of the recording: what is known, and opening a table."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress
from .eliding import ElidingLabel
from .job import Job
from .recording_columns import columns_of
from .session import Session

_NONE = "none known"


class BehaviourRow(QWidget):
    """Says which columns there are, and opens tables of them."""

    def __init__(self, session: Session, job: Job) -> None:
        super().__init__()
        self._session, self._job = session, job
        self.known = ElidingLabel(_NONE, objectName="calm_behaviour")
        self.known.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.open = QPushButton("Open...", objectName="calm_open_behaviour")
        self.open.setToolTip(
            "Open what the animal did as csv, tsv, parquet, npz or NWB: behaviour with one row "
            "a frame or a column of seconds (time_s), or trials with start_frame and "
            "stop_frame, or start_s and stop_s, and one row a trial. Put units into column "
            "names, as in velocity_mm_per_s."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.known, 1)
        layout.addWidget(self.open)
        self.open.clicked.connect(self._ask_for_table)
        job.guard(
            self.open, lambda: "" if session.recording is not None else "Extract traces first."
        )
        session.recording_changed.connect(self._show_known)
        session.behaviour_changed.connect(self._show_known)
        self._show_known()

    def release(self) -> None:
        """Stop following the session."""
        self._session.recording_changed.disconnect(self._show_known)
        self._session.behaviour_changed.disconnect(self._show_known)

    def start_opening(self, path: str | Path) -> None:
        """Read a table in the worker and add it to the recording."""
        recording = self._session.recording

        def steps():
            yield Progress(0, 1, "opening the behaviour")
            from ..explore.columns import trial_limits
            from ..io.behaviour import with_behaviour

            found = with_behaviour(recording, path)
            try:
                if found.trials is not recording.trials:
                    trial_limits(found)
                columns_of(found)
            except CalmError as error:
                raise RecordingError(f"{path}: {error}") from error
            return found

        def on_done(found) -> None:
            self._session.set_behaviour(found)
            origin = self._session.origin
            self._session.origin = origin and origin.with_table(Path(path).resolve())

        self._job.start(steps(), title="Open behaviour", on_done=on_done)

    def _ask_for_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self,
            "Open behaviour or trials",
            "",
            "Behaviour (*.csv *.tsv *.parquet *.npz *.nwb)",
        )
        if path:
            self.start_opening(path)

    def _show_known(self) -> None:
        columns = columns_of(self._session.recording)
        of_trials = sum(column.per_trial for column in columns.values())
        counts = ((len(columns) - of_trials, "per frame"), (of_trials, "per trial"))
        said = [f"{count} {what}" for count, what in counts if count]
        self.known.setText(", ".join(said) if said else _NONE)
        self.known.setToolTip(f"Columns: {', '.join(columns)}" if columns else "")
