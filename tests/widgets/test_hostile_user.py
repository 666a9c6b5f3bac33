"""What nobody should do and somebody does: nothing hangs, nothing is lost, all is said."""

import errno
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from napari.utils import progress
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QFileDialog

from napari_calm.core.errors import CalmError
from napari_calm.core.footprints import Footprints
from napari_calm.core.movie import Movie
from napari_calm.core.progress import Progress
from napari_calm.decoding.decode import decode
from napari_calm.explore.selectivity import selectivity
from napari_calm.extraction.extract import extract
from napari_calm.model.adaptation import Adaptation
from napari_calm.widgets import layers, session_keeping, shared_levels
from napari_calm.widgets.job import Ending
from napari_calm.widgets.plugin import write_rois
from napari_calm.widgets.raster_view import RasterView
from napari_calm.widgets.row_sorting import AS_FOUND, BY_SIMILARITY
from napari_calm.widgets.session import Session

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


@contextmanager
def full_disk(most_bytes=48):
    """Let no file grow beyond some bytes, for whoever writes it: Python, Qt or C."""
    resource = pytest.importorskip("resource", reason="this system has no such limit")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def adaptation_of(recording, model):
    import torch

    rows = torch.zeros(recording.n_neurons, model.config.dynamics.width)
    weights = {"neuron_rows": rows, "session_row": rows[0].clone()}
    labels = recording.roi_labels
    return Adaptation(model.name, recording.name, 400, labels, weights, 1.0, 0.5)


def test_a_full_disk_is_told_at_every_save_and_nothing_is_lost(
    with_task, small_model, task, explored, tmp_path
):
    panel, session = with_task, with_task.session
    session.set_adaptation(adaptation_of(task, small_model))
    forecast = small_model.forecast(task, start_frame=300, horizon_frames=6, samples=2)
    session.set_forecast(forecast)
    session.set_embedding(explored.embedding, explored.neuron_map)
    session.set_clusters(explored.clusters)
    session.set_selectivity({"cue": selectivity(task, "cue", draws=20)})
    session.set_decodings({"cue": decode(small_model, task, "cue", shifts=2, folds=2)})
    panel.embedding.column.column.setCurrentText("cue")
    rois = next(layer for layer in panel._viewer.layers if layer.name == layers.ROIS)
    attributes = {"name": rois.name, "metadata": {}, "features": rois.features}

    def written(path):
        # napari itself shows what its writers raise.
        with pytest.raises(CalmError) as raised:
            write_rois(str(path), rois.data, attributes)
        return raised.value

    saves = {
        "forecast.npz": (panel.forecast.save_to, panel.forecast.result),
        "forecast.csv": (panel.forecast.save_to, panel.forecast.result),
        "clusters.npz": (panel.embedding.save_to, panel.embedding.result),
        "clusters.csv": (panel.embedding.save_to, panel.embedding.result),
        "selectivity.npz": (panel.embedding.column.save_to, panel.embedding.column.result),
        "selectivity.csv": (panel.embedding.column.save_to, panel.embedding.column.result),
        "cue.npz": (panel.decode.save_to, panel.decode.result),
        "cue.csv": (panel.decode.save_to, panel.decode.result),
        "cue.safetensors": (panel.decode.keep_decoder, panel.decode.result),
        "fit.safetensors": (panel.adapt.save_to, panel.adapt.result),
        "recording.npz": (panel.export.save_recording_to, panel.export.result),
        "figure.png": (panel.export.save_figure_to, panel.export.result),
        "figure.svg": (panel.export.save_figure_to, panel.export.result),
        "rois.zip": (written, None),
        "rois.npz": (written, None),
    }
    for name, (save, label) in saves.items():
        (tmp_path / name).write_bytes(b"before")
        with full_disk():
            error = save(tmp_path / name)
        said = str(error) if label is None else label.text()
        assert "the disk is full" in said, name
        assert "Make room" in said, name
        assert (tmp_path / name).read_bytes() == b"before", name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(saves)
    assert session.clusters is explored.clusters
    panel.forecast.save_to(tmp_path / "forecast.npz")
    assert "Saved to" in panel.forecast.result.text()


def test_a_session_that_finds_the_disk_full_stays_open(with_task, qtbot, tmp_path, monkeypatch):
    panel, kept = with_task, tmp_path / "kept.calm"
    kept.write_bytes(b"before")
    real = session_keeping.write_session_steps

    def on_a_full_disk(*what):
        with full_disk():
            yield from real(*what)

    monkeypatch.setattr(session_keeping, "write_session_steps", on_a_full_disk)
    with qtbot.waitSignal(panel.job.ended, timeout=30_000) as ended:
        panel.export.keeping.start_saving(kept)
    assert ended.args[0].ending is Ending.ERROR
    assert "Not saved: " in panel.export.result.text()
    assert "the disk is full" in panel.export.result.text()
    assert kept.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [kept]
    assert panel.session.recording is not None
    monkeypatch.undo()
    with qtbot.waitSignal(panel.job.ended, timeout=30_000):
        panel.export.keeping.start_saving(kept)
    assert "Saved to" in panel.export.result.text()


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


@pytest.mark.parametrize("kind", ["tif", "h5", "zarr"])
def test_a_movie_file_that_is_deleted_while_it_is_open_holds_nothing_up(
    viewer, panel, qtbot, press, tmp_path, kind
):
    frames = (100 * np.random.default_rng(0).random((60, 20, 20))).astype(np.uint16)
    path = tmp_path / f"movie.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, frames, compression="zlib", photometric="minisblack")
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("movie", data=frames, chunks=(1, 20, 20))
    else:
        zarr.save_array(path, frames)
    with qtbot.waitSignal(panel.job.ended, timeout=30_000) as ended:
        panel.recording.start_opening_movie(path)
    assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    viewer.add_labels(np.ones((20, 20), int), name="one")
    panel.recording.frame_rate.setValue(6.0)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    report = press(panel, panel.recording.extract)
    # What the system still holds open can be read to the end.
    if report.ending is Ending.DONE:
        one = Footprints.from_label_image(np.ones((20, 20), int), source="one")
        expected = extract(Movie(frames, 6.0, None, "movie", "memory"), one)
        np.testing.assert_allclose(panel.session.recording.traces, expected.traces, rtol=1e-5)
    else:
        assert path.name in report.message, report.message
        assert not report.details, report.message
    assert panel.recording.extract.isEnabled()


def test_the_tour_bears_double_clicks_and_a_window_that_is_emptied(viewer, with_task, qtbot):
    panel = with_task
    qtbot.mouseClick(panel.tour_button, LEFT)
    qtbot.mouseDClick(panel.tour_button, LEFT)
    assert panel.tour.running
    for _ in panel.tour.steps:
        viewer.layers.clear()
        panel.session.set_recording(None)
        qtbot.wait(20)
        assert panel.tour.running
        qtbot.mouseDClick(panel.tour.next, LEFT)
        qtbot.mouseClick(panel.tour.next, LEFT)
    qtbot.mouseClick(panel.tour.close_it, LEFT)
    qtbot.mouseDClick(panel.tour.close_it, LEFT)
    assert not panel.tour.running
    assert panel.tour.pointer is None


def test_a_raster_whose_sorting_fails_or_whose_recording_goes_sorts_the_next_one(
    qtbot, task, monkeypatch
):
    from napari_calm.explore import similar_order

    session = Session()
    raster = RasterView(session)
    qtbot.addWidget(raster)
    raster.show()
    session.set_recording(task)
    by, real = raster.sorting.by, similar_order.order_by_similarity_steps
    qtbot.waitUntil(lambda: raster.plot._image.image is not None)

    def fails(_traces):
        yield Progress(0, 1, "sorting")
        raise MemoryError("none left")

    monkeypatch.setattr(similar_order, "order_by_similarity_steps", fails)
    by.setCurrentText(BY_SIMILARITY)
    by.activated.emit(by.currentIndex())
    qtbot.waitUntil(lambda: by.currentText() == AS_FOUND, timeout=20_000)
    qtbot.waitUntil(lambda: "in their own order" in raster.caption)

    held = threading.Event()

    def slow(traces, **options):
        yield Progress(0, 1, "sorting")
        held.wait(20)
        return (yield from real(traces, **options))

    monkeypatch.setattr(similar_order, "order_by_similarity_steps", slow)
    by.setCurrentText(BY_SIMILARITY)
    by.activated.emit(by.currentIndex())
    qtbot.waitUntil(lambda: "sorting by similar activity" in raster.caption)
    other = replace(task.select(np.arange(7)), name="other")
    session.set_recording(other)
    held.set()
    qtbot.waitUntil(lambda: "7 neurons by similar activity" in raster.caption, timeout=20_000)
    expected = similar_order.order_by_similarity(other.traces)
    np.testing.assert_array_equal(raster.plot._rows.order, expected)
    raster.release()


def test_traces_that_cannot_be_prepared_are_told_and_tried_again(qtbot, task, monkeypatch):
    real = shared_levels.trace_levels_steps

    def fails(_traces):
        yield Progress(0, 1, "preparing")
        raise MemoryError("none left")

    monkeypatch.setattr(shared_levels, "trace_levels_steps", fails)
    session = Session()
    raster = RasterView(session)
    qtbot.addWidget(raster)
    raster.show()
    session.set_recording(task)
    qtbot.waitUntil(lambda: "could not be prepared" in raster.caption)
    assert raster.plot._image.image is None
    monkeypatch.setattr(shared_levels, "trace_levels_steps", real)
    raster.redraw_soon()
    qtbot.waitUntil(lambda: raster.plot._image.image is not None)
    raster.release()


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
