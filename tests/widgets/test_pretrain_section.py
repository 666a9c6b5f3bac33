"""Pretraining in the window: watched, stopped, used, gone on with, and ended with it."""

import os
from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_calm.io.traces import write_recording
from napari_calm.model.checkpoint import load_model
from napari_calm.widgets.job import Ending

from .conftest import random_recording

LEFT = Qt.MouseButton.LeftButton
TINY = (Path(__file__).parents[1] / "data" / "tiny.toml").read_text()


@pytest.fixture
def config_file(tmp_path):
    """Return a configuration that trains until it is stopped."""
    path = tmp_path / "endless.toml"
    path.write_text(TINY.replace("steps = 30", "steps = 100000").replace(", patience = 3", ""))
    return path


@pytest.fixture
def section(panel, config_file, monkeypatch, qtbot):
    """Return the unfolded section with its configuration chosen from a file."""
    section = panel.pretrain
    assert not section.body.isVisibleTo(panel)
    qtbot.mouseClick(section.heading, LEFT)
    assert section.body.isVisibleTo(panel)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(config_file), ""))
    config = section.choices.config
    qtbot.keyClick(config, Qt.Key.Key_End)
    assert config.currentText() == "endless"
    return section


def tick(qtbot, box):
    # Only its mark and words can be clicked, not the empty space behind them.
    qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))


def children():
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            line = Path(f"/proc/{entry}/cmdline").read_text() if entry.isdigit() else ""
            if "napari_calm.train.pretrain_apart" not in line:
                continue
            # Behind the name, which may hold anything, come state and parent.
            parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found.append(entry)
    return found


def rows(section, stage, key="loss"):
    return [row for row in section._curves.get(stage, ()) if key in row]


def has_rows(section, stage, key="loss", more_than=0):
    return len(rows(section, stage, key)) > more_than


def test_training_is_watched_stopped_used_continued_and_ends_with_the_window(
    viewer, panel, section, qtbot, tmp_path, press
):
    out = tmp_path / "model"
    assert not section.pretrain.isEnabled()
    assert "output folder" in section.pretrain.toolTip()
    qtbot.keyClicks(section.choices.out.line, str(out))
    assert not panel.job_bar.keep.isVisibleTo(panel)
    qtbot.mouseDClick(section.pretrain, LEFT)
    qtbot.mouseClick(section.pretrain, LEFT)
    qtbot.waitUntil(lambda: has_rows(section, "dynamics", "validation_loss"), timeout=200_000)
    assert len(children()) <= 1
    assert len(rows(section, "tokenizer")) == 40
    assert "Training the dynamics (loss" in panel.job_bar.message.text()
    assert not section.choices.out.isEnabled()
    assert panel.job_bar.keep.isVisibleTo(panel)
    with qtbot.waitSignal(panel.job.ended, timeout=60_000) as ended:
        qtbot.mouseClick(panel.job_bar.keep, LEFT)
        assert not panel.job_bar.keep.isEnabled()
        qtbot.mouseClick(panel.job_bar.keep, LEFT)
    assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    assert f"The best model so far is in {out}" in section.result.text()
    drawn, _ = section.plot.validation.getData()
    assert list(drawn) == [row["step"] for row in rows(section, "dynamics", "validation_loss")]
    assert "Stage 2 of 2" in section.caption.text()
    assert not children()

    press(panel, section.use)
    assert panel.model.chosen == str(out)
    used, kept = panel.session.model.state_dict(), load_model(out, "cpu").state_dict()
    assert all((used[name] == kept[name]).all() for name in kept)

    n_before = len(rows(section, "dynamics"))
    assert section.pretrain.text() == "Continue pretraining"
    assert not section.choices.config.isEnabled()
    qtbot.mouseClick(section.pretrain, LEFT)
    qtbot.waitUntil(lambda: has_rows(section, "dynamics", more_than=n_before), timeout=200_000)
    assert rows(section, "dynamics")[n_before - 1]["step"] == n_before
    panel.window_closed()
    qtbot.waitUntil(lambda: not panel.job.running, timeout=5000)
    qtbot.waitUntil(lambda: not children(), timeout=10_000)
    assert f"stays in {out}" in section.result.text()
    assert load_model(out, "cpu").name == "tiny"


def test_cancel_while_the_process_starts_leaves_a_panel_that_works(
    panel, section, qtbot, tmp_path
):
    qtbot.keyClicks(section.choices.out.line, str(tmp_path / "model"))
    qtbot.mouseClick(section.pretrain, LEFT)
    qtbot.waitUntil(panel.job_bar.cancel.isEnabled)
    with qtbot.waitSignal(panel.job.ended, timeout=3000) as ended:
        qtbot.mouseClick(panel.job_bar.cancel, LEFT)
    assert ended.args[0].ending is Ending.CANCELLED
    assert "Nothing was changed" not in panel.job_bar.message.text()
    assert section.pretrain.isEnabled()
    assert not section.use.isEnabled()
    qtbot.waitUntil(lambda: not children(), timeout=10_000)


def test_what_stands_in_the_way_is_said_in_place(panel, section, qtbot, tmp_path, small_model):
    choices, said = section.choices, section.result.text
    (tmp_path / "finished").mkdir()
    small_model.save(tmp_path / "finished")
    choices.out.set_path(str(tmp_path / "finished"))
    assert "holds a finished model" in said()
    assert not section.pretrain.isEnabled()
    assert section.use.isEnabled()
    tick(qtbot, choices.restart)
    assert section.pretrain.isEnabled()
    choices.out.set_path(str(tmp_path / "endless.toml"))
    assert "is a file" in said()
    choices.out.set_path(str(tmp_path / "new"))
    choices.folder.set_path(str(tmp_path / "nowhere"))
    assert "no folder" in said()
    assert not section.pretrain.isEnabled()


def test_a_folder_takes_the_place_of_what_the_configuration_simulates(section, tmp_path, qtbot):
    write_recording(random_recording(), tmp_path / "recordings" / "a.npz")
    choices = section.choices
    choices.out.set_path(str(tmp_path / "new"))
    assert not choices.simulated.isEnabled()
    assert choices.request().config().data.folder is None
    choices.folder.set_path(str(tmp_path / "recordings"))
    data = choices.request().config().data
    assert (data.folder, data.simulated) == (str(tmp_path / "recordings"), ())
    tick(qtbot, choices.simulated)
    assert len(choices.request().config().data.simulated) == 1


def test_a_configuration_that_is_broken_is_told_with_its_file(
    panel, section, config_file, qtbot, tmp_path, press
):
    config_file.write_text(TINY.replace("width = 16", "widht = 16"))
    section.choices.out.set_path(str(tmp_path / "new"))
    report = press(panel, section.pretrain)
    assert report.ending is Ending.ERROR
    assert str(config_file) in section.result.text()
    assert "unknown widht" in section.result.text()
    assert not (tmp_path / "new").exists()


def test_a_training_that_does_not_fit_goes_on_on_the_cpu_which_is_chosen_and_said(
    panel, section, tmp_path, press, memory, monkeypatch
):
    from napari_calm.train import model_card, pretrain_apart
    from napari_calm.train.pretrain import pretrain_steps

    brief = TINY.replace("steps = 40", "steps = 3").replace("steps = 30", "steps = 5")
    (tmp_path / "brief.toml").write_text(brief.replace("plain_steps = 10", "plain_steps = 1"))
    monkeypatch.setattr(pretrain_apart, "pretrain_apart_steps", pretrain_steps)
    monkeypatch.setattr(model_card, "STARTS_PER_RECORDING", 1)
    section.choices.choose_config(str(tmp_path / "brief.toml"))
    section.choices.out.set_path(str(tmp_path / "model"))
    stages = set()
    panel.job.progressed.connect(lambda now: stages.add(now.progress.stage.partition(" (")[0]))

    def most(_n_calls):
        is_short = has_rows(section, "dynamics", more_than=1) and not section._shortages
        return 0 if is_short else 100

    memory(most)
    report = press(panel, section.pretrain, timeout=120_000)
    assert report.ending is Ending.DONE, report.message
    said = section.result.text()
    assert f"The model is in {tmp_path / 'model'}" in said
    assert "done on the CPU" in said
    assert "cpu is chosen under Device now" in said
    assert section.choices.device.currentText() == "cpu"
    assert "Training the dynamics on the CPU" in stages
    assert [row["step"] for row in rows(section, "dynamics")] == [1, 2, 3, 4, 5]
    section.choices.out.set_path(str(tmp_path / "another"))
    assert "CPU" not in section.result.text()
