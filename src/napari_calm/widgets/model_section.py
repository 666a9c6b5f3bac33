"""Which model, on which device."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_warning
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QSizePolicy

from ..core.progress import Steps
from ..model.stepping_down import TRIES, stepping_down_steps
from .eliding import ElidingCombo
from .job import Ending, Job, JobReport
from .made_with import ModelUsed
from .model_source import Environment, ModelSource, look_around_steps
from .section import Section
from .session import Session, kind_of
from .settings import read_settings

DEVICES = ("auto", "cuda", "mps", "cpu")
_CHOOSE_FOLDER = "Choose folder..."
_OPEN = "Open model"
_FIRST_DRAWING_MS = 200
_ON_CPU = (
    "The GPU has too little memory for this: it ran on the CPU, which is chosen now. Close "
    "what else uses the GPU and choose it again, or take a smaller model."
)


class ModelSection(Section):
    """Offers the bundled models, any checkpoint folder, and the devices that are there.

    Signals
    -------
    looked
        Bundled models and devices are known now.
    """

    looked = Signal()

    def __init__(self, session: Session, job: Job) -> None:
        super().__init__("Model")
        self._session, self._job = session, job
        self.source = ModelSource()
        self._settings = read_settings()
        self.source.threads = self._settings.threads
        self._folders: list[str] = []
        self._bundled: list[str] = []
        self._last_chosen = ""
        # Filled in the worker, said when its job has ended.
        self._stepped_down: list[tuple[str, bool]] = []
        self.model = ElidingCombo(objectName="calm_model")
        self.model.setMinimumContentsLength(10)
        self.model.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.model.setToolTip(
            "The checkpoint: weights and the preprocessing they were trained with. "
            "'Choose folder...' takes a folder with config.json and model.safetensors."
        )
        self.device = QComboBox(objectName="calm_device")
        self.device.addItems(DEVICES)
        self.device.setToolTip("Where the networks run; 'auto' takes the fastest there is.")
        self.unload = QPushButton("Unload", objectName="calm_unload")
        self.unload.setToolTip("Forget the loaded model and give its memory back.")
        self.form.addRow("Model", self.model)
        row = QHBoxLayout()
        row.addWidget(self.device, 1)
        row.addWidget(self.unload)
        self.form.addRow("Device", row)
        self.add_result_line()
        self.model.activated.connect(self._on_activated)
        self.device.activated.connect(self._show_what_is_ready)
        self.unload.clicked.connect(self._unload)
        job.guard(
            self.unload, lambda: "" if self.source.is_loaded else "No model is loaded yet."
        )
        job.changed.connect(self._on_job)
        job.ended.connect(self._on_job_ended)
        session.model_changed.connect(self._on_model)
        session.adaptation_changed.connect(self._on_adaptation)
        session.in_use_changed.connect(self._on_in_use)
        # A job of its own: looking around must not hold up the panel's buttons.
        self._looking, self._has_looked = Job(self), False
        self._fill([], "looking for models ...")
        self._looking.ended.connect(self._on_looked)
        # The thread that imports torch would make the first drawing take seconds.
        self._drawn = QTimer(self)
        self._drawn.setSingleShot(True)
        self._drawn.timeout.connect(self._look_when_drawn)
        self._drawn.start(0)

    def release(self) -> None:
        """Stop following the session."""
        self._session.model_changed.disconnect(self._on_model)
        self._session.adaptation_changed.disconnect(self._on_adaptation)
        self._session.in_use_changed.disconnect(self._on_in_use)
        self._drawn.stop()
        self._has_looked = True
        self._looking.abandon()

    @property
    def looking(self) -> bool:
        """Whether the bundled models and devices are not known yet."""
        return not self._has_looked

    @property
    def chosen(self) -> str:
        """Name or folder of the chosen model; an empty string if there is none."""
        return self.model.currentData() or ""

    def missing(self) -> str:
        """Say why no model can be used, or nothing."""
        if self.chosen:
            return ""
        if self.looking:
            return "Still looking for models ..."
        return "Choose a model first: 'Choose folder...' takes a checkpoint folder."

    def missing_to_run(self) -> str:
        """Say why there is nothing that a model could run on, or no model, or nothing."""
        return self.missing_to_fit() or self._unfitted()

    def missing_to_fit(self) -> str:
        """Say why no model could be adapted to a recording, or nothing."""
        if self._session.recording is None:
            return "Extract traces first, or open a suite2p folder."
        return self.missing()

    def _unfitted(self) -> str:
        """Say which neurons the adaptation in use knows nothing of, or nothing."""
        lacking = self._session.adaptation_lacks
        if not lacking or self._session.adaptation_in_use is None:
            return ""
        named = f"ROI {', '.join(map(str, lacking))}" if len(lacking) < 5 else "some neurons"
        return (
            f"The model was adapted without {named}, in use now. Adapt again, choose "
            "'zero-shot' in Adapt, or leave them out (R)."
        )

    def choose(self, name_or_folder: str) -> None:
        """Choose a model, adding it to the list if it is a folder not yet there."""
        if name_or_folder not in (*self._bundled, *self._folders):
            self._folders.append(name_or_folder)
            self._fill(self._bundled)
        self.model.setCurrentIndex(self.model.findData(name_or_folder))
        self._on_chosen()

    def start_opening(self, folder: str | Path) -> None:
        """Load a checkpoint folder in the worker, and choose it if it can be used."""
        self._job.start(
            self.source.get_steps(str(folder), self.device.currentText()),
            title=_OPEN,
            on_done=lambda _model: self.choose(str(folder)),
        )

    def loader(self, device: str | None = None) -> Callable[..., Steps]:
        """Return what makes the steps that load the chosen model, given an adaptation or none.

        Call it in the window's thread; what it returns may be called in the worker.

        Parameters
        ----------
        device : str, optional
            Where to; the chosen one if not given.
        """
        place = self.device.currentText() if device is None else device
        return partial(self.source.get_steps, self.chosen, place)

    def in_memory(
        self, make: Callable[[Callable[..., Steps]], Steps], *, tries: int = TRIES
    ) -> Steps:
        """Return the steps of work that steps down when the accelerator's memory is short.

        Call it in the window's thread.

        Parameters
        ----------
        make : callable
            Given what `loader` returns, returns the steps; called anew for each try.
        tries : int
            How often to try before the CPU does it.
        """
        name, device = self.chosen, self.device.currentText()
        return stepping_down_steps(
            lambda place: make(partial(self.source.get_steps, name, place)),
            device,
            self.note_shortage,
            tries=tries,
        )

    def note_shortage(self, told: str, on_cpu: bool) -> None:
        """Say, when the job has ended, what was done about too little memory of the GPU.

        May be called in the worker.

        Parameters
        ----------
        told : str
        on_cpu : bool
            Whether the work went to the CPU, which is chosen then.
        """
        self._stepped_down.append((_ON_CPU if on_cpu else told, on_cpu))

    def used(self) -> ModelUsed:
        """Return what a result is made with now, for making it again."""
        if self._session.adaptation_in_use is None:
            return ModelUsed(self.chosen, self.device.currentText())
        return ModelUsed(
            self.chosen,
            self.device.currentText(),
            self._session.adaptation.until_frame,
            self._session.adaptation_file,
            self._session.adapted_neurons,
        )

    @property
    def ready(self):
        """The chosen model as it was trained, if it is loaded already; else None."""
        return self.source.ready(self.chosen, self.device.currentText())

    def _look_when_drawn(self) -> None:
        if self._drawn.interval() < _FIRST_DRAWING_MS:
            # What is to be drawn first is only waiting now.
            self._drawn.start(_FIRST_DRAWING_MS)
            return
        self._looking.start(look_around_steps(), title="Find models", on_done=self._on_found)

    def _on_found(self, found: Environment) -> None:
        self._bundled = found.models
        self._fill(found.models)
        entries = self.device.model()
        for row, device in enumerate(DEVICES):
            if device not in ("auto", *found.devices):
                item = entries.item(row)
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
                item.setToolTip(f"torch finds no {device} device on this machine.")
        self._begin_as_set(found)
        self._job.refresh_buttons()

    def _begin_as_set(self, found: Environment) -> None:
        """Choose model and device of napari's Preferences, where they are there."""
        if self._settings.device in found.devices:
            self.device.setCurrentText(self._settings.device)
        wanted = self._settings.model
        if wanted in found.models or (wanted and Path(wanted).is_dir()):
            self.choose(wanted)
        elif wanted:
            self.say(
                f"The model of the Preferences, {wanted}, is neither a bundled model nor a "
                "folder."
            )

    def _on_looked(self, report) -> None:
        self._has_looked = True
        self.looked.emit()
        if report.message:
            self.say(report.message)
        self._job.refresh_buttons()

    def _fill(self, bundled: list[str], empty_text: str = "no model chosen") -> None:
        chosen = self.chosen
        self.model.clear()
        for name in bundled:
            self.model.addItem(name, name)
        for folder in self._folders:
            self.model.addItem(Path(folder).name, folder)
            self.model.setItemData(self.model.count() - 1, folder, Qt.ItemDataRole.ToolTipRole)
        if not self.model.count():
            self.model.addItem(empty_text, "")
        self.model.addItem(_CHOOSE_FOLDER, "")
        self.model.setCurrentIndex(max(0, self.model.findData(chosen) if chosen else 0))
        self._last_chosen = self.chosen

    def _on_activated(self, index: int) -> None:
        if self.model.itemText(index) != _CHOOSE_FOLDER:
            self._on_chosen()
            return
        self.model.setCurrentIndex(max(0, self.model.findData(self._last_chosen)))
        folder = QFileDialog.getExistingDirectory(
            self, "Folder with config.json and model.safetensors"
        )
        if folder:
            self.start_opening(folder)

    def _on_chosen(self) -> None:
        if self.chosen != self._last_chosen:
            self._last_chosen = self.chosen
            # It was fitted to the other model.
            self._session.set_adaptation(None)
        self._show_what_is_ready()

    def _on_adaptation(self) -> None:
        if self._session.adaptation is None:
            self.source.forget_adapted()
        self._show_what_is_ready()

    def _on_in_use(self) -> None:
        if self._session.adaptation_in_use is not None:
            self._show_what_is_ready()
        self._job.refresh_buttons()

    def _show_what_is_ready(self, _index: int = 0) -> None:
        """Make the session's model the one that the next result will be of, if it is there."""
        self._session.set_model(
            self.source.ready(
                self.chosen, self.device.currentText(), self._session.adaptation_in_use
            )
        )

    def _on_job(self) -> None:
        for choice in (self.model, self.device):
            choice.setEnabled(not self._job.running)

    def _on_job_ended(self, report: JobReport) -> None:
        if self._stepped_down:
            told, on_cpu = self._stepped_down.pop()
            self._stepped_down.clear()
            if on_cpu:
                self.device.setCurrentText("cpu")
                self._show_what_is_ready()
            self.say(told)
            show_warning(told)
        if report.title == _OPEN and report.ending is Ending.ERROR:
            stays = f" {self.model.currentText()} stays chosen." if self.chosen else ""
            self.say(f"{report.message}{stays}")

    def _unload(self) -> None:
        self.source.unload()
        self._session.set_model(None)

    def _on_model(self) -> None:
        model = self._session.model
        if model is None:
            self.say("")
        else:
            self.say(f"{model.name} is loaded on {model.device}, {kind_of(model)}.")
        self._job.refresh_buttons()
