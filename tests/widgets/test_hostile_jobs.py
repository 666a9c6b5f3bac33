"""Every job of the window against what nobody should do to it, in one window for all.

Each is held at a step of one's choice, by a gate around the steps that its button starts.
"""

import gc
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_calm.core.progress import Progress
from napari_calm.decoding.decode import decode
from napari_calm.decoding.decoder_file import save_decoder
from napari_calm.io.traces import write_recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import save_model
from napari_calm.train import adapt, adapt_apart, pretrain_apart
from napari_calm.train.apart import apart_steps
from napari_calm.train.config import OptimiserConfig
from napari_calm.train.pretrain import pretrain_steps
from napari_calm.widgets import layers
from napari_calm.widgets.job import Ending, Job
from napari_calm.widgets.model_source import Environment, ModelSource
from napari_calm.widgets.panel import CalmPanel

LEFT = Qt.MouseButton.LeftButton
TINY = (Path(__file__).parents[1] / "data" / "tiny.toml").read_text()
MOVIE, PAINTED = "a movie", "painted"
OURS = {layers.ROIS, layers.ACTIVITY}


@dataclass(frozen=True)
class Work:
    """A job: its button, what comes of it, and what the others may do to it.

    Parameters
    ----------
    button : callable
        Of the panel.
    result : callable
        Of the panel; another object once the job is done.
    of_recording : bool
        Whether its result says nothing of another recording.
    of_model : bool
        Whether the model works for it, so that memory and device may fail it.
    """

    button: Callable
    result: Callable
    of_recording: bool = True
    of_model: bool = True


WORK = {
    "extract": Work(lambda p: p.recording.extract, lambda p: p.session.recording, False, False),
    "tokenise": Work(lambda p: p.tokens.tokenise, lambda p: p.session.tokens),
    "forecast": Work(lambda p: p.forecast.forecast, lambda p: p.session.forecast),
    "score": Work(lambda p: p.forecast.here.score, lambda p: p.forecast.here.result.text()),
    "adapt": Work(lambda p: p.adapt.adapt, lambda p: p.session.adaptation),
    "cluster": Work(lambda p: p.embedding.cluster, lambda p: p.session.clusters),
    "selectivity": Work(
        lambda p: p.embedding.column.selectivity,
        lambda p: p.session.selectivity.get("cue"),
        of_model=False,
    ),
    "trajectories": Work(
        lambda p: p.embedding.column.trajectories, lambda p: p.session.trajectories
    ),
    "decode": Work(lambda p: p.decode.decode, lambda p: p.session.decoding),
    "apply decoder": Work(lambda p: p.decode.apply, lambda p: p.session.applied),
    "save session": Work(
        lambda p: p.export.keeping.save, lambda p: p.export.result.text(), False, False
    ),
    "open session": Work(
        lambda p: p.export.keeping.open, lambda p: p.session.recording, False, False
    ),
    "open file": Work(
        lambda p: p.recording.opener.open_file, lambda p: p.session.recording, False, False
    ),
    "pretrain": Work(
        lambda p: p.pretrain.pretrain, lambda p: p.pretrain.result.text(), False, False
    ),
    "use model": Work(lambda p: p.pretrain.use, lambda p: p.model.chosen, False, False),
}
ALL = list(WORK)
OF_RECORDING = [name for name, work in WORK.items() if work.of_recording]
OF_MODEL = [name for name, work in WORK.items() if work.of_model]


class Gate:
    """Holds the panel's job once it has reached a stage; counts the jobs that were started."""

    def __init__(self) -> None:
        self.begin()

    def begin(self, hold_at: int | None = None) -> None:
        self.hold_at, self.started, self.stages = hold_at, 0, []
        self.opened, self.holds = threading.Event(), threading.Event()

    def through(self, steps):
        try:
            while True:
                try:
                    sign = next(steps)
                except StopIteration as stop:
                    return stop.value
                stage = sign.stage.partition(" (")[0]
                if stage not in self.stages:
                    self.stages.append(stage)
                yield sign
                while self._is_held():
                    self.holds.set()
                    time.sleep(0.005)
                    yield sign
        finally:
            steps.close()

    def _is_held(self) -> bool:
        at = self.hold_at
        return at is not None and len(self.stages) > at and not self.opened.is_set()


@pytest.fixture(scope="module")
def task(task):
    """Return three neurons of each group: fewer are quicker."""
    return task.select(np.array([0, 1, 2, 6, 7, 8]))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a folder with a model that has all parts and is quick."""
    folder = tmp_path_factory.mktemp("model") / "small"
    save_model(CalmModel.random(seed=3, head=True, context_frames=16, max_frames=48), folder)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory, task, model):
    """Return the folder of what is opened and applied."""
    from napari_calm.model.checkpoint import load_model

    folder = tmp_path_factory.mktemp("files")
    write_recording(task, folder / "task.npz")
    decoder = decode(load_model(model, "cpu"), task, "cue", shifts=2, folds=2).decoder
    save_decoder(decoder, folder / "cue.safetensors")
    (folder / "brief.toml").write_text(
        TINY.replace("steps = 40", "steps = 2")
        .replace("steps = 30", "steps = 2")
        .replace("plain_steps = 10", "plain_steps = 1")
        .replace("validate_every = 10", "validate_every = 2")
    )
    return folder


@pytest.fixture(scope="module")
def gate():
    return Gate()


@pytest.fixture(scope="module")
def window(windows_of_module, qapp, model, files, gate):
    """Return the panel in which all jobs run, with what is quick to run chosen."""
    with windows_of_module.application(), pytest.MonkeyPatch.context() as patched:
        quick = partial(
            adapt.AdaptConfig,
            optimiser=OptimiserConfig(steps=2, learning_rate=1e-3),
            batch_populations=1,
        )
        patched.setattr(adapt, "AdaptConfig", quick)
        patched.setattr(adapt, "WHOLE_NEURON_WINDOWS", 1)
        patched.setattr(pretrain_apart, "pretrain_apart_steps", pretrain_steps)
        patched.setattr("napari_calm.widgets.model_section.look_around_steps", _cpu_only)
        real = Job.start

        def start(job, steps, **options):
            if job is not panel.job:
                return real(job, steps, **options)
            started = real(job, gate.through(steps), **options)
            gate.started += started
            return started

        viewer = windows_of_module.lend()
        panel = CalmPanel(viewer)
        viewer.window.add_dock_widget(panel, name="CalM")
        patched.setattr(Job, "start", start)
        _wait(lambda: not panel.model.looking)
        panel.adapt.apart = False
        panel.pretrain.heading.setChecked(True)
        panel.pretrain.choices.choose_config(str(files / "brief.toml"))
        panel.embedding.choices.setting.setValue(2)
        panel.embedding.choices.resamplings.setValue(2)
        panel.embedding.column.draws.setValue(20)
        panel.decode.choices.shifts.setValue(2)
        panel.decode.choices.folds.setValue(2)
        panel.decode.choices.head.setCurrentText("linear")
        panel.embedding.choices.most_clusters.setValue(3)
        panel.forecast.horizon.setValue(1.0)
        # What fitting brings along, as much as torch itself, stays; so does this window.
        import torch._dynamo  # noqa: F401

        gc.collect()
        gc.freeze()
        yield panel
        gc.unfreeze()
        panel.release_once()
        _wait(lambda: not panel.job.running)
        windows_of_module.take_back()


def _cpu_only():
    yield from ()
    return Environment([], ["cpu", "cuda"])


def _wait(is_so, timeout_s=60.0):
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until, "waited in vain"
        QApplication.processEvents()
        time.sleep(0.005)


@pytest.fixture
def ready(window, task, model, files, gate, tmp_path, monkeypatch):
    """Return the panel ready for any job: recording, movie, ROIs, files, a frame to go from."""
    panel, viewer = window, window._viewer
    gate.begin()
    panel.job.cancel()
    _wait(lambda: not panel.job.running)
    shown = {layer.name: layer.ndim for layer in viewer.layers}
    if not shown.keys() >= OURS or shown.get(MOVIE) != 3:
        # All at once: each layer that goes alone takes long.
        viewer.layers.clear()
        panel.session.set_recording(None)
        frames = 100 + np.random.default_rng(0).random((60, 20, 20))
        movie = viewer.add_image(frames, name=MOVIE)
        painted = viewer.add_labels(np.repeat(np.arange(4), 100).reshape(20, 20), name=PAINTED)
        panel.recording.movie.choose(movie)
        panel.recording.rois.choose(painted)
        panel.recording.frame_rate.setValue(6.0)
    if panel.session.recording is not task:
        panel.session.set_recording(task, pixel_size_um=1.0)
    panel.session.set_adaptation(None)
    panel.model.device.setCurrentText("auto")
    panel.model.choose(str(model))
    panel.pretrain.choices.out.set_path(str(tmp_path / "trained"))
    panel.pretrain.choices.restart.setChecked(False)
    panel.session.seek(60.0)
    for combo in (panel.decode.variable, panel.embedding.column.column):
        combo.setCurrentText("cue")
    chosen = {
        "Open session": str(files / "session.calm"),
        "Apply decoder": str(files / "cue.safetensors"),
        "Open recording": str(files / "task.npz"),
        "Save session": str(files / "session.calm"),
    }
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(
            QFileDialog, name, lambda _parent, title, *_rest: (chosen[title], "")
        )
    return panel


@pytest.fixture
def begin(ready, gate, qtbot, files, model):
    """Return a function that clicks a job's button and waits until it is held at a stage."""

    def begin(name, hold_at=0):
        if name == "open session" and not (files / "session.calm").exists():
            finish(ready, gate, lambda: qtbot.mouseClick(ready.export.keeping.save, LEFT))
        if name == "use model":
            ready.pretrain.choices.out.set_path(str(model))
        button = WORK[name].button(ready)
        assert button.isEnabled(), button.toolTip()
        gate.begin(hold_at)
        qtbot.mouseClick(button, LEFT)
        if hold_at is not None:
            _wait(lambda: gate.holds.is_set() or not ready.job.running)
        return button

    return begin


def finish(panel, gate, act=lambda: None):
    """Let the job go on, after `act`; return its report."""
    reports = []
    panel.job.ended.connect(reports.append)
    act()
    gate.opened.set()
    _wait(lambda: reports)
    panel.job.ended.disconnect(reports.append)
    assert not panel.job.running
    return reports[0]


def test_a_window_in_which_jobs_can_be_held_has_them_all(ready):
    """The table is of all buttons that start a job, but for those that only open a file."""
    known = {work.button(ready) for work in WORK.values()}
    openers = {ready.recording.open_movie, ready.recording.open_rois, ready.adapt.load}
    opener = ready.recording.opener
    openers |= {opener.open_sample, opener.open_suite2p, opener.exchange}
    guarded = {button for button, _missing, _tip in ready.job._guards}
    saving = {button for button in guarded if "save" in button.objectName().lower()}
    copying = {ready.export.copy_python, ready.export.copy_command}
    no_job = {ready.adapt.zero_shot, ready.adapt.adapted, ready.model.unload}
    no_job |= {ready.recording.show_traces, ready.embedding.show_views}
    no_job |= {ready.tokens.show_codebook}
    behaviour = set(ready.recording.behaviour.findChildren(type(ready.adapt.adapt)))
    assert not guarded - known - openers - saving - copying - no_job - behaviour


@pytest.mark.parametrize("name", ALL)
def test_ended_at_any_stage_it_changes_nothing_and_then_it_runs_once_whatever_becomes_of_layers(
    name, ready, gate, begin, qtbot
):
    work, session = WORK[name], ready.session
    before = work.result(ready)
    seen_before = (session.recording, session.tokens, session.adaptation)

    def is_as_before():
        result = work.result(ready)
        said = isinstance(result, str)
        return (said or result is before) and seen_before == (
            session.recording,
            session.tokens,
            session.adaptation,
        )

    button = begin(name)
    report = finish_without_gate(ready, gate, ready.window_closed)
    assert report.ending is Ending.CANCELLED
    assert is_as_before()
    at = 0
    while ready.job.running or at == 0 or gate.holds.is_set():
        begin(name, at)
        if not ready.job.running:
            break
        report = finish_without_gate(
            ready, gate, lambda: qtbot.mouseClick(ready.job_bar.cancel, LEFT)
        )
        assert report.ending is Ending.CANCELLED
        assert is_as_before()
        assert button.isEnabled(), button.toolTip()
        at += 1
    # Beyond the last stage it has run to its end.
    assert at >= 1
    assert work.result(ready) is not before
    if name == "pretrain":
        # What is trained to its end is not trained again by mistake.
        assert not button.isEnabled()
        ready.pretrain.choices.restart.setChecked(True)
    ended = work.result(ready)
    begin(name)
    qtbot.mouseDClick(button, LEFT)
    qtbot.mouseClick(button, LEFT)
    exchange_layers(ready._viewer)
    report = finish(ready, gate)
    assert (report.ending, gate.started) == (Ending.DONE, 1), report.message
    assert work.result(ready) is not ended or name == "use model"
    session.select((0,))
    session.seek(2.0)


def exchange_layers(viewer):
    """Delete, rename and re-type what a job may have begun with."""
    rois = [layer for layer in viewer.layers if layers.role_of(layer) == layers.ROIS]
    for layer in (*rois, MOVIE, PAINTED):
        viewer.layers.remove(layer)
    viewer.layers[layers.ACTIVITY].name = "mine now"
    viewer.add_labels(np.zeros((5, 5), int), name=MOVIE)
    viewer.add_image(np.zeros((5, 5)), name=PAINTED)


def finish_without_gate(panel, gate, act):
    """End a job that would wait for ever; return its report."""
    reports = []
    panel.job.ended.connect(reports.append)
    act()
    _wait(lambda: reports, timeout_s=5.0)
    panel.job.ended.disconnect(reports.append)
    gate.opened.set()
    return reports[0]


@pytest.mark.parametrize("name", [*OF_RECORDING, "extract", "save session"])
def test_a_result_of_a_recording_that_was_exchanged_is_refused_with_a_remedy(
    name, ready, gate, begin, task
):
    other = replace(task, traces=task.traces[::-1].copy(), name="another")
    button = begin(name)
    report = finish(ready, gate, lambda: ready.session.set_recording(other))
    if not WORK[name].of_recording:
        assert report.ending is Ending.DONE, report.message
        return
    assert report.ending is Ending.ERROR
    assert "replaced by another recording" in report.message
    assert "Press the button again" in report.message
    assert not WORK[name].result(ready)
    assert ready.session.recording is other
    assert button.isEnabled(), button.toolTip()


@pytest.fixture
def failing(monkeypatch):
    """Return a function that lets loading the model, and so what needs it, fail some times."""
    real = ModelSource.get_steps

    def failing(error, times=1):
        places = []

        def get_steps(source, name, device, adaptation=None):
            yield Progress(0, 1, f"loading {name}")
            places.append(device)
            if len(places) <= times:
                raise error
            return (yield from real(source, name, "cpu", adaptation))

        monkeypatch.setattr(ModelSource, "get_steps", get_steps)
        return places

    return failing


@pytest.mark.parametrize("name", OF_MODEL)
def test_a_device_that_is_lost_is_told_and_one_without_memory_is_left_for_the_cpu(
    name, ready, gate, begin, failing
):
    failing(RuntimeError("CUDA error: device lost\nmore"))
    button = begin(name, None)
    _wait(lambda: not ready.job.running)
    assert "Choose cpu under Device" in ready.job_bar.message.text()
    assert button.isEnabled(), button.toolTip()
    tries = 1 if name == "adapt" else 4
    places = failing(torch.OutOfMemoryError("CUDA out of memory. Tried ..."), tries)
    before = WORK[name].result(ready)
    begin(name)
    assert finish(ready, gate).ending is Ending.DONE
    assert places[: tries + 1] == ["auto"] * tries + ["cpu"]
    assert "ran on the CPU" in ready.model.result.text()
    assert ready.model.device.currentText() == "cpu"
    assert WORK[name].result(ready) is not before


# Another process that works until it is ended, without torch, which takes seconds to load.
ENDLESS = """
import time
from napari_calm.core.progress import Progress, run
from napari_calm.train.apart import answer

def steps():
    while True:
        yield Progress(1, 2, "fitting apart")
        time.sleep(0.01)

answer(lambda folder, caller: run(steps(), caller.tell))
"""


@pytest.fixture
def child(tmp_path, monkeypatch, ready):
    """Let adapting and pretraining run an endless other process; return its folder."""
    (tmp_path / "endless_process.py").write_text(ENDLESS)
    folder = tmp_path / "its folder"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tmp_path), *sys.path]))

    def steps(*_what, stop, **_options):
        yield from apart_steps(
            "endless_process",
            folder,
            what="does it",
            remedy="Do it again.",
            on_sign=lambda _sign: None,
            stop=stop,
        )

    monkeypatch.setattr(adapt_apart, "adapt_apart_steps", steps)
    monkeypatch.setattr(pretrain_apart, "pretrain_apart_steps", steps)
    monkeypatch.setattr(ready.adapt, "apart", True)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="processes are ended in another way")
@pytest.mark.parametrize("name", ["adapt", "pretrain"])
@pytest.mark.parametrize("deleted", [False, True], ids=["killed", "killed, its folder deleted"])
def test_a_process_that_is_killed_from_outside_is_told_and_the_button_comes_back(
    name, deleted, ready, gate, begin, child, monkeypatch
):
    import subprocess

    begun = []
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *a, **k: begun.append(real(*a, **k)) or begun[-1]
    )
    button = begin(name, None)
    _wait(lambda: "fitting apart" in gate.stages)
    if deleted:
        shutil.rmtree(child)
    begun[0].kill()
    report = finish(ready, gate)
    assert report.ending is Ending.ERROR
    assert "signal 9" in report.message
    assert "Do it again" in report.message
    assert button.isEnabled(), button.toolTip()
    assert not ready.job_bar.keep.isVisibleTo(ready)


def test_pretraining_is_paused_and_not_cancelled(ready, begin, gate, qtbot):
    begin("pretrain", 1)
    assert ready.job_bar.cancel.text() == "Pause"
    assert "goes on from that step" in ready.job_bar.cancel.toolTip()
    cancel = partial(qtbot.mouseClick, ready.job_bar.cancel, LEFT)
    finish_without_gate(ready, gate, cancel)
    assert "paused" in ready.job_bar.message.text()
    begin("tokenise")
    assert ready.job_bar.cancel.text() == "Cancel"
    finish(ready, gate)
    assert ready.pretrain.choices.out.path
