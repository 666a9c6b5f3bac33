"""Fitting the model to this recording, and switching between the fit and zero-shot."""

import threading
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
)

from ..core.errors import CalmError, StoppedEarly
from ..core.recording import Recording
from .eliding import ElidingCombo
from .fit_frames import FitFrames
from .job import Job
from .loss_plot import LossPlot
from .model_section import ModelSection
from .neurons_in_use import flags_of
from .section import Section
from .session import ADAPTED, ZERO_SHOT, Session

FILE_KIND = "Adaptations (*.safetensors)"
_REDRAW_INTERVAL_MS = 250


class AdaptSection(Section):
    """Adapt button and learning curve, the switch zero-shot | adapted, save and load."""

    def __init__(self, session: Session, job: Job, model: ModelSection) -> None:
        super().__init__("Adapt")
        self._session, self._job, self._model = session, job, model
        # In a process of its own, so that the window stays smooth and memory is given back.
        self.apart = True
        self._curve: list[dict[str, float]] = []
        # A fit, and what was done in it about too little memory.
        self._short: tuple[object, str] = (None, "")
        self._shown = None
        self._shown_for: Recording | None = None
        self.adapt = QPushButton("Adapt to this recording", objectName="calm_adapt")
        self.adapt.setToolTip(
            "Fit a vector for each neuron, one for the session, and the forecast head to "
            "this recording; the rest of the model stays as it is. The last fifth of the "
            "frames used says when to stop and whether it helped at all; where it did, the "
            "fit is made again with that fifth."
        )
        self.frames = ElidingCombo(objectName="calm_adapt_frames")
        for frames in FitFrames:
            self.frames.addItem(frames.value, frames)
        self.frames.setToolTip(
            "Frames that the fit may look at. With the first 70 % the rest stays unseen, so "
            "'How good is it here?' can tell honestly what was gained. 'Before slider' takes "
            "all that precedes a forecast from there; 'all frames' is for forecasts past the "
            "end."
        )
        self.zero_shot = QRadioButton(ZERO_SHOT, objectName="calm_use_zero_shot")
        self.zero_shot.setToolTip("Use the model as it was trained; nothing of it is fitted.")
        self.adapted = QRadioButton(ADAPTED, objectName="calm_use_adapted")
        self.adapted.setToolTip("Use the model as it was fitted to this recording.")
        self._switch = QButtonGroup(self)
        for button in (self.zero_shot, self.adapted):
            self._switch.addButton(button)
        self.plot = LossPlot()
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.save = QPushButton("Save adaptation...", objectName="calm_save_adaptation")
        self.save.setToolTip(
            "Save what was fitted as a small file beside the recording; the model is not in it."
        )
        self.load = QPushButton("Load...", objectName="calm_load_adaptation")
        self.load.setToolTip("Load what was fitted to these neurons before, and use it.")
        self._redraw = QTimer(self)
        self._redraw.setInterval(_REDRAW_INTERVAL_MS)
        self._redraw.timeout.connect(self._draw)
        self._lay_out()
        self._connect()
        self._show_state()

    def _lay_out(self) -> None:
        fit = QHBoxLayout()
        fit.addWidget(self.adapt, 1)
        fit.addWidget(self.frames)
        self.form.addRow(fit)
        self.form.addRow(self.plot)
        self.form.addRow(self.caption)
        use = QHBoxLayout()
        for button in (self.zero_shot, self.adapted):
            use.addWidget(button)
        use.setSpacing(14)
        use.addStretch(1)
        self.form.addRow("Use", use)
        files = QHBoxLayout()
        files.addWidget(self.save, 3)
        files.addWidget(self.load, 2)
        self.form.addRow(files)
        self.add_result_line()
        self._show_plot(False)

    def _connect(self) -> None:
        self.adapt.clicked.connect(self.start)
        self.adapted.toggled.connect(self._session.use_adaptation)
        self.save.clicked.connect(self._ask_where_to_save)
        self.load.clicked.connect(self._ask_what_to_load)
        job, session = self._job, self._session
        job.guard(self.adapt, self._missing)
        job.guard(self.zero_shot, lambda: "")
        job.guard(self.adapted, self._nothing_to_use)
        job.guard(self.save, self._nothing_fitted)
        job.guard(self.load, self._model.missing_to_fit)
        job.changed.connect(self._on_job)
        session.adaptation_changed.connect(self._on_adaptation)
        session.in_use_changed.connect(self._on_in_use)
        session.recording_changed.connect(job.refresh_buttons)
        session.model_changed.connect(job.refresh_buttons)

    def release(self) -> None:
        """Stop following the session."""
        self._redraw.stop()
        session = self._session
        session.adaptation_changed.disconnect(self._on_adaptation)
        session.in_use_changed.disconnect(self._on_in_use)
        session.recording_changed.disconnect(self._job.refresh_buttons)
        session.model_changed.disconnect(self._job.refresh_buttons)

    def start(self) -> None:
        """Adapt the chosen model to the session's recording in the worker."""
        used = self._session.in_use
        recording = used.recording
        until_frame = self.frames.currentData().until_frame(recording, self._session.time_s)
        curve: list[dict[str, float]] = []
        apart, keep = self.apart, threading.Event()
        load_on_cpu = self._model.loader("cpu")
        shortages: list[tuple[str, bool]] = []

        def tell(told: str, on_cpu: bool) -> None:
            shortages.append((told, on_cpu))
            self._model.note_shortage(told, on_cpu)

        def steps(load):
            del curve[:]
            model = yield from load(None)
            if apart:
                from ..train.adapt_apart import adapt_apart_steps as fit_steps
            else:
                from ..train.adapt import adapt_steps as fit_steps

            try:
                adaptation = yield from fit_steps(
                    model,
                    used.part,
                    until_frame=until_frame,
                    curve=curve,
                    stop=keep.is_set,
                    tell=tell,
                )
            except StoppedEarly as stopped:
                return str(stopped)
            if adaptation.helped:
                went_to_cpu = any(on_cpu for _, on_cpu in shortages)
                # Made here and kept, so that the switch costs nothing.
                yield from (load_on_cpu if went_to_cpu else load)(adaptation)
            return adaptation

        def on_done(adaptation) -> None:
            self._session.expect(recording)
            shortage = shortages[-1][0] if shortages else ""
            if isinstance(adaptation, str):
                self.say(f"{adaptation} {shortage}".strip())
                return
            self._short = (adaptation, shortage)
            self._session.adaptation_file = None
            self._session.set_adaptation(adaptation)

        # The fit itself takes less at once; a model that cannot be loaded goes to the CPU.
        work = self._model.in_memory(steps, tries=1)
        if self._job.start(work, title="Adapt", on_done=on_done, keep=keep):
            self._curve = curve
            self._show_plot(True)
            self._redraw.start()

    def start_loading(self, path: str | Path) -> None:
        """Read an adaptation in the worker, check that it fits, and use it."""
        used, load = self._session.in_use, self._model.loader()
        recording = used.recording

        def steps():
            yield from load(None)
            from ..model.adaptation import load_adaptation

            adaptation = load_adaptation(path)
            if not adaptation.belongs_to(recording):
                adaptation.check(recording)
            # Refused where it knows nothing of a neuron that is in use.
            yield from load(adaptation.select(used.roi_labels))
            return adaptation

        def on_done(adaptation) -> None:
            self._session.expect(recording)
            self._show_plot(False)
            self._session.adaptation_file = str(Path(path).resolve())
            self._session.set_adaptation(adaptation)

        self._job.start(steps(), title="Load adaptation", on_done=on_done)

    def save_to(self, path: str | Path) -> None:
        """Write the adaptation to `path`."""
        adaptation = self._session.adaptation
        try:
            adaptation.save(path)
            self._session.adaptation_file = str(Path(path).resolve())
        except (CalmError, OSError) as error:
            self.say(f"Not saved: {error}")
        else:
            self.say(f"{adaptation.verdict()} Saved to {path}.")

    def _ask_where_to_save(self) -> None:
        recording = self._session.recording
        path, _ = QFileDialog.getSaveFileName(
            self, "Save adaptation", str(adaptation_path(recording)), FILE_KIND
        )
        if path:
            self.save_to(Path(path).with_suffix(".safetensors"))

    def _ask_what_to_load(self) -> None:
        folder = adaptation_path(self._session.recording).parent
        path, _ = QFileDialog.getOpenFileName(self, "Load adaptation", str(folder), FILE_KIND)
        if path:
            self.start_loading(path)

    def _missing(self) -> str:
        """Say why nothing can be fitted; what the present fit lacks does not matter."""
        model = self._model.ready
        if model is not None and model.forecast_head is None:
            return (
                f"{model.name} has no forecast head, which adapting fits. Choose a model that "
                "has one."
            )
        return self._model.missing_to_fit()

    def _nothing_fitted(self) -> str:
        return "" if self._session.adaptation else "Adapt to this recording first."

    def _nothing_to_use(self) -> str:
        adaptation = self._session.adaptation
        if adaptation is not None and not adaptation.helped:
            return adaptation.verdict()
        return self._nothing_fitted()

    def _on_job(self) -> None:
        if not self._job.running and self._redraw.isActive():
            self._redraw.stop()
            self._draw()

    def _draw(self) -> None:
        # A copy: the worker adds to the list meanwhile.
        self.plot.show_curve(self._curve.copy())
        dashed = ", dashed zero-shot" if self.plot.zero_shot.isVisible() else ""
        self.caption.setText(
            f"Loss: thin training (faint: every step), thick validation{dashed}."
        )

    def _show_plot(self, wanted: bool) -> None:
        self.plot.setVisible(wanted)
        self.caption.setVisible(wanted)
        self._draw()

    def _on_adaptation(self) -> None:
        dropped, dropped_for = self._shown, self._shown_for
        self._shown, self._shown_for = self._session.adaptation, self._session.recording
        self._show_state()
        if self._shown is None and dropped is not None:
            self._show_plot(False)
            what = "model" if dropped_for is self._session.recording else "recording"
            self.say(
                f"The adaptation to {dropped.recording_name} was dropped: another {what} is "
                "in use. Back to zero-shot."
            )

    def _on_in_use(self) -> None:
        if self._session.adaptation is not None:
            self._show_state()

    def _show_state(self) -> None:
        adaptation = self._session.adaptation
        uses_it = self._session.adaptation_in_use is not None
        (self.adapted if uses_it else self.zero_shot).setChecked(True)
        said = () if adaptation is None else (self._of(), adaptation.verdict())
        fit, shortage = self._short
        if fit is adaptation:
            said = (*said, shortage)
        self.say(" ".join(filter(None, said)))
        self._job.refresh_buttons()

    def _of(self) -> str:
        """Say which neurons it was fitted to, where these are not the ones in use."""
        fitted, used = self._session.adapted_neurons, self._session.in_use
        if used is None:
            return ""
        known = flags_of(used.recording, fitted)
        return used.differs(known, "The fit is", "Adapt")


def adaptation_path(recording: Recording) -> Path:
    """Return where the adaptation to `recording` is kept by default: beside its file."""
    source = Path(recording.source)
    folder = source if source.is_dir() else source.parent
    return (folder if folder.is_dir() else Path()) / f"{recording.name}.adaptation.safetensors"
