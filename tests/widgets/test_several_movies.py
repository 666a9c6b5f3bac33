"""A file that holds several movies gives a layer for each, to choose from."""

import h5py
import numpy as np
import pytest
import tifffile

from napari_calm.core.footprints import Footprints
from napari_calm.core.movie import Movie
from napari_calm.extraction.extract import extract
from napari_calm.widgets.job import Ending


@pytest.fixture
def drawn(viewer):
    """Two ROIs on 24 x 32 pixels, as a user draws them."""
    labels = np.zeros((24, 32), int)
    labels[2:8, 2:8], labels[12:20, 18:26] = 1, 2
    return lambda: viewer.add_labels(labels, name="mine")


def test_the_channel_that_is_chosen_is_extracted(viewer, panel, press, qtbot, drawn, tmp_path):
    stack = np.random.default_rng(0).integers(50, 2000, (80, 2, 24, 32)).astype(np.uint16)
    path = tmp_path / "two colours.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TCYX", "fps": 10.0})
    with qtbot.waitSignal(panel.job.ended, timeout=10_000) as ended:
        panel.recording.start_opening_movie(path)
    assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    names = ["two colours, channel 2", "two colours, channel 1"]
    assert [layer.name for layer in viewer.layers] == names
    assert [layer.visible for layer in viewer.layers] == [False, True]
    assert panel.recording.movie.layer.name == names[1]
    rois = drawn()
    tifffile.imwrite(tmp_path / "rois.tif", rois.data.astype(np.uint16))
    viewer.layers.remove(rois)
    with qtbot.waitSignal(panel.job.ended, timeout=10_000):
        panel.recording.start_opening_rois(tmp_path / "rois.tif")
    panel.recording.movie.choose(viewer.layers[names[0]])
    assert press(panel, panel.recording.extract).ending is Ending.DONE
    traces = panel.session.recording.traces
    expected = extract(Movie(stack[:, 1], 10.0), Footprints.from_label_image(rois.data)).traces
    np.testing.assert_array_equal(traces, expected)
    assert panel.session.origin.command().split("--channel ")[1].startswith("2")
    made = {}
    exec("\n".join(["import napari_calm", *panel.session.origin.python()]), made)
    np.testing.assert_array_equal(made["recording"].traces, traces)


def test_dropping_a_file_of_several_datasets_shows_them_all(viewer, panel, tmp_path):
    frames = np.random.default_rng(0).integers(50, 2000, (30, 24, 32)).astype(np.uint16)
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["raw"], file["registered"] = frames, frames + 1
    viewer.open(str(tmp_path / "two.h5"), plugin="napari-calm")
    assert [layer.name for layer in viewer.layers] == ["two, registered", "two, raw"]
    np.testing.assert_array_equal(np.asarray(viewer.layers[0].data[4]), frames[4] + 1)
    assert panel.recording.movie.layer.name == "two, raw"
