"""Training a model on a folder of recordings, watched, stopped and gone on with."""

import threading

from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton

from ..core.errors import StoppedEarly
from .job import Ending, Job, JobReport
from .loss_plot import LossPlot
from .model_section import ModelSection
from .pretrain_choices import PretrainChoices, holds_model
from .section import Section
from .torch_loading import import_torch_gently

_TITLE = "Pretrain"
_REDRAW_INTERVAL_MS = 250
_MOST_LOOKS = 240
# What is drawn of each stage, and what it means.
_STAGES = {
    "tokenizer": (
        "validation_unexplained",
        "Stage 1 of 2, tokenizer: thin the training loss (faint: every step), thick the share "
        "of the validation part that its tokens leave unexplained.",
    ),
    "dynamics": (
        "validation_loss",
        "Stage 2 of 2, dynamics and forecast: thin the training loss (faint: every step), "
        "thick the validation loss. Its best weights are kept.",
    ),
}


class PretrainSection(Section):
    """Pretrain button, learning curve, and taking the result into use; folded at first."""

    def __init__(self, job: Job, model: ModelSection) -> None:
        super().__init__(_TITLE)
        self._job, self._model = job, model
        self._curves: dict[str, list[dict[str, float]]] = {}
        # What was done about too little memory in the last training; filled in the worker.
        self._shortages: list[tuple[str, bool]] = []
        self.choices = PretrainChoices(model.device)
        self.pretrain = QPushButton(_TITLE, objectName="calm_pretrain")
        self.pretrain.setToolTip(
            "Train a model in a process of its own. It can be stopped at any time: 'Stop and "
            "keep' below makes the best weights so far the model, Pause leaves it to go on "
            "from the step it has reached."
        )
        self.use = QPushButton("Use this model", objectName="calm_use_pretrained")
        self.use.setToolTip("Load the model of the output folder and choose it above.")
        self.plot = LossPlot()
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self._redraw = QTimer(self)
        self._redraw.setInterval(_REDRAW_INTERVAL_MS)
        self._redraw.timeout.connect(self._draw)
        # A slow last step may be saved after the pause was told.
        self._saving = QTimer(self)
        self._looks_left = 0
        self._saving.setInterval(_REDRAW_INTERVAL_MS)
        self._saving.timeout.connect(self._look_for_state)
        self.choices.add_rows(self.form)
        row = QHBoxLayout()
        row.addWidget(self.pretrain, 1)
        row.addWidget(self.use)
        self.form.addRow(row)
        self.form.addRow(self.plot)
        self.form.addRow(self.caption)
        self.add_result_line()
        for each in (self.plot, self.caption):
            each.hide()
        self.heading.setChecked(False)
        self.pretrain.clicked.connect(self.start)
        self.use.clicked.connect(self._use)
        job.guard(self.pretrain, self.choices.missing)
        job.guard(self.use, self._no_model)
        self.choices.changed.connect(self._on_choice)
        job.changed.connect(self._on_job)
        job.ended.connect(self._on_ended)
        self._on_choice()

    def release(self) -> None:
        """Stop drawing."""
        self._redraw.stop()
        self._saving.stop()

    def start(self) -> None:
        """Pretrain, or go on with a pretraining, in a process of its own."""
        request, curves, keep = self.choices.request(), {}, threading.Event()
        self._shortages = shortages = []

        def tell(told: str, on_cpu: bool) -> None:
            shortages.append((told, on_cpu))

        def steps():
            import_torch_gently()
            from ..train.pretrain_apart import pretrain_apart_steps

            config = request.config()
            try:
                yield from pretrain_apart_steps(
                    config,
                    request.out,
                    device=request.device,
                    restart=request.restart,
                    curves=curves,
                    stop=keep.is_set,
                    tell=tell,
                )
            except StoppedEarly as stopped:
                return str(stopped)
            n_steps = len(curves.get("dynamics", ()))
            if n_steps < config.dynamics_training.optimiser.steps and keep.is_set():
                return (
                    f"Stopped early, after {n_steps} steps of stage 2. The best model so far "
                    f"is in {request.out}{_quality(curves)}; 'Continue' goes on from there."
                )
            return f"The model is in {request.out}{_quality(curves)}."

        started = self._job.start(
            steps(),
            title=_TITLE,
            on_done=self.say,
            keep=keep,
            if_cancelled=(
                f"Its state stays in {request.out}; pretraining into it again goes on from the "
                "step it had reached."
            ),
            can_pause=True,
        )
        if started:
            # Once begun anew, it is this training that goes on.
            self.choices.restart.setChecked(False)
            self._curves = curves
            self.say("")
            for each in (self.plot, self.caption):
                each.show()
            self._draw()
            self._redraw.start()

    def _use(self) -> None:
        folder = str(self.choices.request().out)
        # What was trained on since it was loaded is another model of the same name.
        self._model.source.forget(folder)
        self._model.start_opening(folder)

    def _no_model(self) -> str:
        out = self.choices.out.path
        if out and holds_model(self.choices.request().out):
            return ""
        return "There is no model in the output folder yet."

    def _on_choice(self) -> None:
        goes_on = self.choices.goes_on
        self.pretrain.setText("Continue pretraining" if goes_on else _TITLE)
        self.choices.set_enabled(not self._job.running)
        if not self._job.running:
            missing = self.choices.missing()
            if goes_on:
                missing = (
                    "The output folder holds an unfinished training. It goes on with its own "
                    "configuration and recordings."
                )
            self.say(missing if self.choices.out.path else "")
        self._job.refresh_buttons()

    def _on_job(self) -> None:
        self.choices.set_enabled(not self._job.running)
        if not self._job.running and self._redraw.isActive():
            self._redraw.stop()
            self._draw()

    def _on_ended(self, report: JobReport) -> None:
        if report.title != _TITLE:
            return
        said = self.result.text() if report.ending is Ending.DONE else report.message
        if self._shortages:
            said = f"{said} {self._say_shortage()}"
        self._on_choice()
        self.say(said)
        if report.paused and not self.choices.goes_on:
            self._looks_left = _MOST_LOOKS
            self._saving.start()

    def _say_shortage(self) -> str:
        """Choose the device that the training went to; return what was done, told to all."""
        told, on_cpu = self._shortages[-1]
        if on_cpu:
            self.choices.device.setCurrentText("cpu")
            told += " cpu is chosen under Device now."
        show_warning(f"{_TITLE}: {told}")
        return told

    def _look_for_state(self) -> None:
        """Offer to go on as soon as there is something to go on from."""
        self._looks_left -= 1
        if self.choices.goes_on or self._job.running or not self._looks_left:
            self._saving.stop()
        if self.choices.goes_on:
            self._on_choice()

    def _draw(self) -> None:
        stage = "dynamics" if self._curves.get("dynamics") else "tokenizer"
        validation, caption = _STAGES[stage]
        # A copy: the worker adds to the list meanwhile.
        curve = list(self._curves.get(stage, ()))
        self.plot.show_curve(curve, validation=validation)
        self.caption.setText(caption)


def _quality(curves: dict[str, list[dict[str, float]]]) -> str:
    """Say how good the kept weights are on the validation part."""
    judged = [row for row in curves.get("dynamics", ()) if "validation_loss" in row]
    if not judged:
        return ""
    best = min(judged, key=lambda row: row["validation_loss"])
    return f" (validation loss {best['validation_loss']:.3f} at step {best['step']:.0f})"
