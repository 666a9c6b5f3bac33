"""Files that are dropped on a real window come to lie where they belong."""

import importlib
import sys
from pathlib import Path

import pytest

from napari_calm.widgets.panel import CalmPanel

SCRIPTS = Path(__file__).parents[2] / "scripts"
# One of each kind; scripts/drops.py drops all formats.
QUICK = ("TIFF files with Shift", "OME-Zarr 0.5", "label TIFF", "CaImAn", "minian")


@pytest.fixture(scope="module")
def drops():
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("drops")
    sys.path.remove(str(SCRIPTS))


@pytest.fixture
def window(make_napari_viewer, qtbot, no_looking_around):
    """The viewer itself: only it takes drops."""
    viewer = make_napari_viewer()
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    yield viewer, panel
    panel.release_once()


@pytest.mark.filterwarnings("ignore:Inconsistent units")
def test_every_layer_of_a_drop_has_its_place(drops, window, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    dropped = []
    for name, paths, kind in drops.cases(tmp_path, QUICK):
        drops.clear(*window)
        for together in paths:
            drops.drop(window[0], together, as_one=len(together) > 1)
        assert not list(drops.wrong_with_case(*window, name, kind)), name
        dropped.append(name)
    assert set(dropped) == set(QUICK)
    (warning,) = said
    assert "minian does not say its frame rate" in warning


def test_a_layer_out_of_its_place_is_noticed(drops, window):
    viewer, _ = window
    frames = drops.scene.frames()
    geometry = {"scale": (0.1, 2, 2), "units": ("s", "um", "um")}
    viewer.add_image(frames[:, ::-1], axis_labels=("time", "y", "x"), **geometry)
    (only,) = drops.wrong_with_movie(viewer, "TIFF")
    assert "other pixels" in only
    viewer.layers.clear()
    viewer.add_image(frames)
    assert len(list(drops.wrong_with_movie(viewer, "TIFF"))) == 3
