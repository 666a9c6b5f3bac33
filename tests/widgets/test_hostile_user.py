"""What nobody should do and somebody does: nothing hangs, nothing is lost, all is said."""

import errno

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QFileDialog

from napari_calm.core.progress import Progress
from napari_calm.widgets import layers
from napari_calm.widgets.job import Ending

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def no_file_chosen(monkeypatch):
    """Close every file dialog without a choice."""
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_args, **_options: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: "")


def test_double_clicks_on_every_button_leave_a_panel_that_works(
    from_folder, press, qtbot, no_file_chosen
):
    panel = from_folder
    panel.embedding.choices.most_clusters.setValue(3)
    panel.decode.choices.shifts.setValue(2)
    panel.decode.choices.folds.setValue(2)
    buttons = [each for each in panel.findChildren(QAbstractButton) if each.isVisibleTo(panel)]
    assert len(buttons) > 25
    for button in buttons:
        if button is panel.adapt.adapt:
            continue
        qtbot.mouseClick(button, LEFT)
        qtbot.mouseDClick(button, LEFT)
        qtbot.waitUntil(lambda: not panel.job.running, timeout=120_000)
    assert panel.session.recording is not None
    panel.session.seek(60.0)
    assert press(panel, panel.tokens.tokenise).ending is Ending.DONE


def test_layers_may_go_be_renamed_and_changed_while_a_job_runs(
    viewer, with_task, small_model, qtbot, monkeypatch
):
    panel, real = with_task, type(small_model).tokenize_steps
    release = []

    def waiting(model, recording):
        while not release:
            yield Progress(0, 1, "waiting")
        return (yield from real(model, recording))

    monkeypatch.setattr(type(small_model), "tokenize_steps", waiting)
    with qtbot.waitSignal(panel.job.ended, timeout=20_000) as ended:
        qtbot.mouseClick(panel.tokens.tokenise, LEFT)
        qtbot.waitUntil(lambda: "waiting" in panel.job_bar.message.text())
        viewer.layers[layers.ACTIVITY].name = "mine now"
        viewer.layers.remove(layers.ROIS)
        mine = viewer.add_image(np.zeros((5, 5)), name="a picture")
        viewer.layers.remove(mine)
        viewer.add_labels(np.zeros((5, 5), int), name="a picture")
        release.append(True)
    assert ended.args[0].ending is Ending.DONE
    assert layers.TOKENS in [layer.name for layer in viewer.layers]
    panel.session.select((3,))
    panel.session.seek(20.0)


def test_a_full_disk_is_told_at_every_save_and_nothing_is_lost(
    with_task, explored, qtbot, monkeypatch, tmp_path
):
    panel, session = with_task, with_task.session
    session.set_embedding(explored.embedding, explored.neuron_map)
    session.set_clusters(explored.clusters)

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    kept = tmp_path / "kept.npz"
    kept.write_bytes(b"before")
    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    panel.embedding.save_to(kept)
    assert "No space left" in panel.embedding.result.text()
    panel.export.save_recording_to(kept)
    assert "No space left" in panel.export.result.text()
    assert kept.read_bytes() == b"before"
    assert session.clusters is explored.clusters
    assert [path.name for path in tmp_path.iterdir()] == ["kept.npz"]


def test_a_movie_whose_file_is_gone_is_told(viewer, panel, press):
    import dask.array as da

    is_gone = []

    def read(block):
        if is_gone:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "movie.tif")
        return block

    frames = da.zeros((60, 20, 20), chunks=(1, 20, 20)).map_blocks(
        read, dtype=float, meta=np.empty((0, 0, 0))
    )
    viewer.add_image(frames, name="movie", contrast_limits=(0, 1))
    viewer.add_labels(np.ones((20, 20), int), name="one")
    panel.recording.frame_rate.setValue(6.0)
    is_gone.append(True)
    report = press(panel, panel.recording.extract)
    assert report.ending is Ending.ERROR
    assert "movie.tif" in report.message
    assert panel.session.recording is None
    assert panel.recording.extract.isEnabled()


def test_naparis_activity_dock_shows_the_job_and_forgets_it(panel, qtbot):
    release = []

    def shown():
        return [each for each in progress._all_instances if "A long job" in str(each.desc)]

    def steps():
        while not release:
            yield Progress(3, 10, "waiting")

    with qtbot.waitSignal(panel.job.ended):
        panel.job.start(steps(), title="A long job", on_done=lambda _none: None)
        qtbot.waitUntil(lambda: [each.n for each in shown()] == [300])
        release.append(True)
    assert not shown()
