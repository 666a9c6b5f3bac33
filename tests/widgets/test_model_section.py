"""Choosing a model: folders are tried before they are chosen; the one before stays."""

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_calm.model.calm import CalmModel
from napari_calm.widgets.job import Ending


@pytest.fixture
def folder(tmp_path):
    return CalmModel.random(seed=1).save(tmp_path / "mine")


def choose_in_dialog(panel, monkeypatch, qtbot, folder):
    """Pick 'Choose folder...' and answer the dialog; return the report of opening."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    section = panel.model
    index = section.model.findText("Choose folder...")
    with qtbot.waitSignal(panel.job.ended, timeout=20_000) as ended:
        section.model.setCurrentIndex(index)
        section.model.activated.emit(index)
    return ended.args[0]


def test_a_folder_is_loaded_and_then_chosen(panel, folder, monkeypatch, qtbot):
    report = choose_in_dialog(panel, monkeypatch, qtbot, folder)
    assert report.ending is Ending.DONE, report.message
    assert panel.model.chosen == str(folder)
    assert panel.model.model.currentText() == "mine"
    assert "is loaded on cpu, zero-shot" in panel.model.result.text()


@pytest.mark.parametrize("damage", ["cut short", "not there"])
def test_a_damaged_folder_is_told_in_place_and_the_model_before_stays(
    panel, folder, monkeypatch, qtbot, damage
):
    weights = folder / "model.safetensors"
    if damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:-50])
    else:
        weights.unlink()
    before = panel.model.ready
    report = choose_in_dialog(panel, monkeypatch, qtbot, folder)
    assert report.ending is Ending.ERROR
    assert report.message in panel.model.result.text()
    assert "tiny stays chosen" in panel.model.result.text()
    assert panel.model.chosen == panel.model.model.currentData() == "tiny"
    assert panel.model.ready is before
    assert panel.model.model.isEnabled()


def test_a_dialog_left_without_a_choice_changes_nothing(panel, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    index = panel.model.model.findText("Choose folder...")
    panel.model.model.setCurrentIndex(index)
    panel.model.model.activated.emit(index)
    assert panel.model.chosen == "tiny"
    assert not panel.job.running


def test_a_model_counts_as_loaded_on_its_own_device_only(panel):
    panel.model.device.setCurrentText("cpu")
    panel.model.device.activated.emit(panel.model.device.currentIndex())
    assert panel.session.model is None
    panel.model.device.setCurrentText("auto")
    panel.model.device.activated.emit(0)
    assert panel.session.model is panel.model.ready is not None
