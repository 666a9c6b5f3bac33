"""What is copied makes the present results again, and plots become files."""

import shlex
import sys

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from napari_calm import cli
from napari_calm.decoding.decode import decode
from napari_calm.explore.files import read_clusters
from napari_calm.io.results import read_forecast, read_tokens
from napari_calm.io.traces import write_recording
from napari_calm.model.checkpoint import save_model
from napari_calm.widgets.dock_content import is_seen
from napari_calm.widgets.figure_file import write_figure


@pytest.fixture
def worked(viewer, panel, small_model, task, tmp_path, press, choose, qtbot):
    """Return a panel with every result of a recording and a model that come from files."""
    save_model(small_model, tmp_path / "a model")
    write_recording(task, tmp_path / "task.npz")
    viewer.open(tmp_path / "task.npz", plugin="napari-calm")
    panel.model.choose(str(tmp_path / "a model"))
    press(panel, panel.tokens.tokenise)
    panel.session.seek(60.0)
    panel.forecast.seed.setValue(3)
    panel.forecast.samples.setValue(4)
    panel.forecast.horizon.setValue(2.0)
    press(panel, panel.forecast.forecast)
    panel.embedding.choices.setting.setValue(3)
    panel.embedding.choices.resamplings.setValue(2)
    panel.embedding.choices.seed.setValue(5)
    press(panel, panel.embedding.cluster)
    panel.embedding.column.draws.setValue(30)
    panel.embedding.column.window_to.setValue(4.0)
    choose(panel.embedding.column.column, "cue")
    press(panel, panel.embedding.column.selectivity)
    panel.decode.choices.folds.setValue(3)
    panel.decode.choices.shifts.setValue(2)
    panel.decode.choices.trial_to.setValue(5.0)
    choose(panel.decode.variable, "cue")
    press(panel, panel.decode.decode)
    return panel


def copied(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    return QApplication.clipboard().text()


def test_copies_make_every_result_again(worked, qtbot, tmp_path, monkeypatch):
    session = worked.session
    found: dict = {}
    exec(copied(qtbot, worked.export.copy_python), found)
    np.testing.assert_array_equal(found["recording"].traces, session.recording.traces)
    np.testing.assert_array_equal(found["tokens"].tokens, session.tokens.tokens)
    np.testing.assert_allclose(
        found["forecast"].samples, session.forecast.samples, rtol=1e-5, atol=1e-6
    )
    assert found["forecast"].start_frame == 360
    np.testing.assert_array_equal(found["clusters"].labels, session.clusters.labels)
    np.testing.assert_allclose(found["clusters"].confidence, session.clusters.confidence)
    kept = session.selectivity["cue"]
    np.testing.assert_array_equal(found["selectivity"]["cue"].p_value, kept.p_value)
    np.testing.assert_array_equal(found["selectivity"]["cue"].d_prime, kept.d_prime)

    decoded = session.decodings["cue"]
    np.testing.assert_allclose(found["decodings"]["cue"].outputs, decoded.outputs, atol=1e-5)
    np.testing.assert_allclose(found["decodings"]["cue"].null, decoded.null, atol=1e-6)

    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    for line in copied(qtbot, worked.export.copy_command).splitlines():
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code
    np.testing.assert_array_equal(read_tokens("tokens.npz").tokens, session.tokens.tokens)
    np.testing.assert_allclose(
        read_forecast("forecast.npz").samples, session.forecast.samples, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(read_clusters("clusters.npz").labels, session.clusters.labels)
    with np.load("decoding.npz") as archive:
        np.testing.assert_allclose(archive["outputs"], decoded.outputs, atol=1e-5)
    table = pd.read_csv("selectivity.csv")
    np.testing.assert_allclose(table["cue: d'"], kept.d_prime, rtol=1e-3, atol=1e-3)


def test_an_extracted_recording_is_made_again_from_its_files(panel, press, qtbot):
    qtbot.mouseClick(panel.recording.opener.open_sample, Qt.MouseButton.LeftButton)
    press(panel, panel.recording.extract)
    found: dict = {}
    exec(copied(qtbot, panel.export.copy_python), found)
    recording = panel.session.recording
    np.testing.assert_array_equal(found["recording"].traces, recording.traces)
    pd.testing.assert_frame_equal(found["recording"].trials, recording.trials)


def test_painted_rois_are_copied_only_after_the_recording_was_saved(
    viewer, panel, press, qtbot, tmp_path
):
    qtbot.mouseClick(panel.recording.opener.open_sample, Qt.MouseButton.LeftButton)
    painted = viewer.layers["Y-maze ROIs"]
    painted.data = np.where(painted.data == 3, 0, painted.data)
    press(panel, panel.recording.extract)
    QApplication.clipboard().setText("before")
    assert copied(qtbot, panel.export.copy_python) == "before"
    assert "Save recording" in panel.export.result.text()
    panel.export.save_recording_to(tmp_path / "painted.npz")
    found: dict = {}
    exec(copied(qtbot, panel.export.copy_python), found)
    np.testing.assert_array_equal(found["recording"].traces, panel.session.recording.traces)


def test_an_opened_table_is_part_of_the_script(panel, task, tmp_path, qtbot, viewer):
    write_recording(task, tmp_path / "task.npz")
    viewer.open(tmp_path / "task.npz", plugin="napari-calm")
    speed = pd.DataFrame({"speed": np.random.default_rng(0).normal(size=task.n_frames)})
    speed.to_csv(tmp_path / "speed.csv", index=False)
    with qtbot.waitSignal(panel.job.ended):
        panel.recording.behaviour.start_opening(tmp_path / "speed.csv")
    found: dict = {}
    exec(copied(qtbot, panel.export.copy_python), found)
    np.testing.assert_allclose(found["recording"].behaviour["speed"], speed["speed"])
    qtbot.mouseClick(panel.export.copy_command, Qt.MouseButton.LeftButton)
    assert "Save recording" in panel.export.result.text()


def test_plots_become_pixels_and_lines(panel, task, tmp_path, choose, qtbot):
    panel.session.set_recording(task)
    panel.window().show()
    qtbot.waitUntil(lambda: len(panel.traces.plot._picture.rows) == 5)
    qtbot.wait(50)
    choose(panel.export.figure, "Traces")
    panel.export.save_figure_to(tmp_path / "traces.png")
    picture = QImage(str(tmp_path / "traces.png"))
    size = panel.traces.plot.viewport().size() * 3
    assert (picture.width(), picture.height()) == (size.width(), size.height())
    seen = {
        picture.pixel(x, y)
        for x in range(0, picture.width(), 7)
        for y in range(0, picture.height(), 7)
    }
    assert len(seen) > 3
    panel.export.save_figure_to(tmp_path / "traces.svg")
    drawing = (tmp_path / "traces.svg").read_text()
    assert "<svg" in drawing
    assert drawing.count("<p") > 5
    panel.export.save_figure_to(tmp_path / "traces.jpg")
    assert "Not saved" in panel.export.result.text()
    panel.export.save_figure_to(tmp_path / "traces.png" / "below.png")
    assert "Not saved" in panel.export.result.text()


def pixels(path):
    """Return a picture as (height, width), a number for each colour."""
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGBA8888)
    flat = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint32)
    # The image's memory goes with it.
    return flat.reshape(image.height(), image.width()).copy()


def test_a_plot_behind_others_is_saved_as_it_looks_in_front(
    panel, task, explored, small_model, tmp_path, qtbot
):
    panel.window().resize(1300, 900)
    panel.window().show()
    session = panel.session
    session.set_recording(task)
    session.set_embedding(explored.embedding, explored.neuron_map)
    session.set_clusters(explored.clusters)
    session.set_trajectories(explored.trajectories, coloured_by="cue")
    session.set_decodings({"cue": decode(small_model, task, "cue", shifts=2, folds=2)})
    panel.export.offer_figures()
    figure, tabs = panel.export.figure, panel.explore.tabs
    names = [figure.itemText(row) for row in range(figure.count())]
    assert names == ["Traces", "Embedding", "Raster", "Mean traces", "Trajectories", "Decoding"]
    # Prepared once, in a worker.
    tabs.setCurrentWidget(panel.explore.raster)
    qtbot.waitUntil(lambda: not panel.explore.raster.is_preparing)
    qtbot.wait(50)
    for number, name in enumerate(names):
        # All others are in front, and what was drawn before is of another moment and selection.
        behind = panel.traces if name == "Traces" else panel.explore
        front = panel.explore if name == "Traces" else panel.traces
        tabs.setCurrentWidget(panel.explore.table)
        front.parentWidget().raise_()
        session.seek(20.0 + number)
        session.select((number, 7))
        # The raster has other rows, and all neurons other colours.
        session.set_colour_by("confidence" if number % 2 == 0 else "Cluster")
        figure.setCurrentText(name)
        panel.export.save_figure_to(tmp_path / f"{name}.png")
        assert "Saved" in panel.export.result.text()
        assert is_seen(behind)
        view = panel.export._figures()[name]
        assert is_seen(view.plot)
        qtbot.wait(200)
        write_figure(view.plot, tmp_path / "later.png")
        at_once, later = pixels(tmp_path / f"{name}.png"), pixels(tmp_path / "later.png")
        assert at_once.shape == later.shape
        assert len(np.unique(at_once)) > 3
        # Axes may still shift by a pixel.
        assert (at_once != later).mean() < 0.01, name


def test_plots_of_a_dock_that_is_closed_are_no_longer_offered(viewer, panel, task, qtbot):
    panel.session.set_recording(task)
    panel.show_explore()
    figure = panel.export.figure
    assert [figure.itemText(row) for row in range(figure.count())] == ["Traces", "Raster"]
    viewer.window.remove_dock_widget(panel.explore)
    qtbot.waitUntil(lambda: figure.count() == 1)
    assert figure.currentText() == "Traces"


def test_a_plot_that_is_chosen_comes_in_front(panel, task, explored, choose, qtbot):
    panel.window().show()
    panel.session.set_recording(task)
    panel.session.set_clusters(explored.clusters)
    panel.export.offer_figures()
    choose(panel.export.figure, "Mean traces")
    assert panel.explore.tabs.currentWidget() is panel.explore.mean_traces
    choose(panel.export.figure, "Traces")
    assert is_seen(panel.traces)
    assert not is_seen(panel.explore)


def test_a_plot_that_is_still_prepared_is_not_saved(panel, task, tmp_path):
    panel.window().show()
    panel.session.set_recording(task)
    panel.show_explore()
    panel.export.offer_figures()
    panel.export.figure.setCurrentText("Raster")
    panel.export.save_figure_to(tmp_path / "raster.png")
    assert "'Raster' is still being prepared" in panel.export.result.text()
    assert not list(tmp_path.iterdir())
