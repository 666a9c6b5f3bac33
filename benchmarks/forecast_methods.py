"""Who forecasts: references fitted on the training part, and CalM in several states."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from forecast_protocol import Task
from forecast_scores import Prediction

from napari_calm.analysis.references import REFERENCES, Centre, Reference
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.forecasting import Expectation

Group = Literal["reference", "window mean removed", "model"]
TENTH = 10
# Greedy roll-outs alone say nothing of a model, so they are never scored.
FEWEST_SAMPLES = 16


@dataclass(frozen=True)
class Method:
    """A row of the tables.

    `identity` differs where the outcome may differ; `trained_on` names the recordings whose
    training part it saw before it met this one.
    """

    name: str
    group: Group
    identity: str
    predict: Callable[[Task], Prediction]
    trained_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asking:
    """How a model is asked for its forecast, and the seed of everything drawn."""

    expectation: Expectation = "auto"
    samples: int = 0
    seed: int = 0

    def fitting(self, model: CalmModel) -> "Asking":
        """The same, with samples where the expectation has no other source."""
        if self.samples or (model.forecast_head is not None and self.expectation != "samples"):
            return self
        return replace(self, samples=FEWEST_SAMPLES)


def reference_methods() -> Iterator[Method]:
    """All references, with the mean of the training part taken off and with the window's."""
    for name, reference in REFERENCES.items():
        yield _reference_method(name, reference, "training")
    for name, reference in REFERENCES.items():
        # Copying the last frame is the same with any centre.
        if name != "copy last":
            yield _reference_method(name, reference, "context")


def _reference_method(name: str, reference: type[Reference], centre: Centre) -> Method:
    def predict(task: Task) -> Prediction:
        fitted = reference(
            task.training,
            context_frames=task.setting.context_frames,
            horizon_frames=task.setting.horizon_frames,
            centre=centre,
        )
        return Prediction.normal(fitted.forecast(task.contexts), fitted.residual_sd)

    if centre == "context":
        name = f"{name}, window mean removed"
    return Method(
        name, "reference" if centre == "training" else "window mean removed", name, predict
    )


def model_methods(
    model: CalmModel, asking: Asking, *, adapted: bool, tenth: bool
) -> Iterator[Method]:
    """A checkpoint zero-shot and, if asked for, adapted to (a tenth of) the training part."""
    identity = f"{weights_of(model)} {asking}"

    def method(state: str, predict: Callable[[Task], Prediction]) -> Method:
        name = f"{model.name} {state}"
        return Method(name, "model", f"{identity} {state}", predict, model.config.trained_on)

    yield method("zero-shot", lambda task: ask(model, task, asking))
    if adapted:
        yield method("adapted", lambda task: _ask_adapted(model, task, asking, 0))
    if tenth:
        yield method(
            "adapted on a tenth",
            lambda task: _ask_adapted(model, task, asking, first_of_tenth(task)),
        )


def scratch_methods(config_file: Path, asking: Asking, *, tenth: bool) -> Iterator[Method]:
    """The networks of a training configuration, trained on the training part alone."""
    identity = f"{config_file.read_text(encoding='utf-8')} {asking}"
    yield Method(
        "from scratch", "model", identity, lambda t: _ask_new(config_file, t, asking, 0)
    )
    if tenth:
        yield Method(
            "from scratch on a tenth",
            "model",
            f"{identity} tenth",
            lambda task: _ask_new(config_file, task, asking, first_of_tenth(task)),
        )


def first_of_tenth(task: Task) -> int:
    """First frame of the last tenth of the training part."""
    return task.n_training - task.n_training // TENTH


def ask(model: CalmModel, task: Task, asking: Asking) -> Prediction:
    """Forecast from every start with statistics of the training part."""
    asking = asking.fitting(model)
    forecasts = [
        model.forecast(
            given(model, task),
            start_frame=int(start),
            horizon_frames=task.setting.horizon_frames,
            samples=asking.samples,
            expectation=asking.expectation,
            statistics_until=task.n_training,
            seed=asking.seed,
        )
        for start in task.starts
    ]
    return Prediction(
        mean=np.stack([forecast.mean for forecast in forecasts]),
        quantiles=np.stack([forecast.quantiles for forecast in forecasts], axis=1),
        levels=forecasts[0].quantile_levels.astype(np.float64).round(6),
        note=_note(model, task, asking),
    )


def given(model: CalmModel, task: Task) -> Recording:
    """What a model is shown: a model that smooths by itself gets what is not smoothed yet."""
    smooths = model.config.preprocessing.smoothing_alpha < 1
    return task.unsmoothed if smooths else task.target


def weights_of(model: CalmModel) -> str:
    """Digest of a model's weights and configuration."""
    found = hashlib.sha256(repr(model.config.to_dict()).encode())
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _ask_adapted(model: CalmModel, task: Task, asking: Asking, from_frame: int) -> Prediction:
    from napari_calm.train.adapt import adapt

    adaptation = adapt(
        model,
        given(model, task),
        from_frame=from_frame,
        until_frame=task.n_training,
        seed=asking.seed,
    )
    prediction = ask(adaptation.apply(model), task, asking)
    if adaptation.helped:
        return prediction
    fell_back = "adapting did not help, so it is the zero-shot forecast"
    return replace(prediction, note="; ".join(filter(None, (prediction.note, fell_back))))


def _ask_new(config_file: Path, task: Task, asking: Asking, from_frame: int) -> Prediction:
    from napari_calm.train.config import read_pretrain_config
    from napari_calm.train.pretrain import pretrain

    config = read_pretrain_config(config_file)
    smooths = config.preprocessing.smoothing_alpha < 1
    source = task.unsmoothed if smooths else task.target
    part = replace(source, traces=source.traces[:, from_frame : task.n_training])
    with tempfile.TemporaryDirectory() as folder:
        return ask(pretrain(config, folder, recordings=[part]), task, asking)


def _note(model: CalmModel, task: Task, asking: Asking) -> str:
    settings = model.config.preprocessing
    remarks = []
    if asking.samples:
        remarks.append(f"{asking.samples} samples")
    if settings.context_frames != task.setting.context_frames:
        remarks.append(f"sees {settings.context_frames} frames of context")
    if settings.smoothing_alpha != 1 and task.setting.smoothing_alpha == 1:
        remarks.append(f"forecasts traces smoothed with alpha {settings.smoothing_alpha:g}")
    return "; ".join(remarks)
