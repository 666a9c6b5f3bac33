"""An empty window says what to do, and napari's Preferences say how a panel begins."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_calm.widgets import model_section
from napari_calm.widgets.model_source import Environment
from napari_calm.widgets.panel import CalmPanel


def test_an_empty_window_says_what_to_do_and_opens_the_sample(viewer, panel, press, qtbot):
    hint = panel.start_hint
    assert hint.isVisibleTo(panel)
    assert "Extract traces" in hint.text.text()
    qtbot.mouseClick(hint.sample, Qt.MouseButton.LeftButton)
    assert [layer.name for layer in viewer.layers] == ["Y-maze movie", "Y-maze ROIs"]
    assert hint.isVisibleTo(panel)
    press(panel, panel.recording.extract)
    assert not hint.isVisibleTo(panel)


def test_the_sample_is_in_naparis_menu(viewer):
    from npe2 import PluginManager

    offered = {
        (plugin, contribution.key)
        for plugin, samples in PluginManager.instance().iter_sample_data()
        for contribution in samples
    }
    assert ("napari-calm", "y_maze") in offered


def test_every_key_is_told_in_the_list_of_keys(panel, qtbot):
    qtbot.mouseClick(panel.keys, Qt.MouseButton.LeftButton)
    assert panel.keys.list.isVisible()
    told = panel.keys.list.findChild(QLabel).text()
    for shortcut in panel.shortcuts.all:
        assert f"<b>{shortcut.written}</b>" in told
    assert "lasso" in told
    qtbot.mouseClick(panel.keys, Qt.MouseButton.LeftButton)
    assert not panel.keys.list.isVisible()


@pytest.fixture
def preferences():
    from napari.settings import get_plugin_settings

    kept = get_plugin_settings("napari-calm").computing
    before = kept.model, kept.device, kept.threads
    yield kept
    kept.model, kept.device, kept.threads = before


def test_a_panel_begins_as_the_preferences_say(preferences, viewer, qtbot, monkeypatch):
    def steps():
        yield from ()
        return Environment(["one", "two"], ["cpu"])

    monkeypatch.setattr(model_section, "look_around_steps", steps)
    preferences.model, preferences.device, preferences.threads = "two", "cpu", 3
    panel = CalmPanel(viewer)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: not panel.model.looking)
    assert panel.model.chosen == "two"
    assert panel.model.device.currentText() == "cpu"
    assert panel.model.source.threads == 3
    panel.release_once()
    preferences.model = "nowhere"
    panel = CalmPanel(viewer)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: not panel.model.looking)
    assert panel.model.chosen == "one"
    assert "nowhere" in panel.model.result.text()
    panel.release_once()
