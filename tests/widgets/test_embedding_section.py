"""Clusters, selectivity and trajectories with real clicks: what the panel and layers show."""

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_calm.explore.cluster import cluster
from napari_calm.explore.cluster_palette import cluster_colours
from napari_calm.explore.embed import embed
from napari_calm.explore.files import read_clusters, read_selectivity
from napari_calm.explore.selectivity import selectivity
from napari_calm.widgets.explore_panel import EXPLORE_DOCK
from napari_calm.widgets.job import Ending
from napari_calm.widgets.layers import KIND_KEY, MODEL_KEY, ROIS
from napari_calm.widgets.neuron_colours import CLUSTERS


def layer_names(viewer):
    return [layer.name for layer in viewer.layers]


@pytest.fixture
def clustered(with_task, explored):
    """Return the panel after Cluster, without the wait for it."""
    with_task.session.set_embedding(explored.embedding, explored.neuron_map)
    with_task.session.set_clusters(explored.clusters)
    return with_task


def test_cluster_gives_what_the_library_gives(viewer, with_task, task, small_model, press):
    session = with_task.session
    assert press(with_task, with_task.embedding.cluster).ending is Ending.DONE
    request = {"source": "task", "resamplings": 2, "seed": 0}
    embedding = embed(small_model, task, **request)
    expected = cluster(
        small_model,
        task,
        embedding=embedding,
        method="k-means",
        n_clusters=2,
        most_clusters=12,
        resamplings=2,
        seed=0,
    )
    np.testing.assert_array_equal(session.clusters.labels, expected.labels)
    np.testing.assert_allclose(session.embedding.vectors, embedding.vectors, rtol=1e-5)
    assert session.clusters.verdict() in with_task.embedding.result.text()
    assert EXPLORE_DOCK in viewer.window.dock_widgets


def test_the_clusters_layer_paints_each_roi_in_its_clusters_colour(viewer, clustered, task):
    layer, labels = viewer.layers[CLUSTERS], clustered.session.clusters.labels
    colours = cluster_colours(2) / 255
    for neuron, label in enumerate(task.footprints.label_values):
        painted = layer.colormap.map(label)[:3]
        np.testing.assert_allclose(painted, colours[labels[neuron]], atol=0.01)
    assert layer.metadata[MODEL_KEY] == "random"
    assert layer.metadata[KIND_KEY] == "zero-shot"
    for name in (CLUSTERS, ROIS):
        table = viewer.layers[name].features
        assert list(table["index"]) == [0, *task.footprints.label_values]
        assert list(table["cluster"]) == [-1, *labels]


def test_a_column_of_the_user_stays_in_the_features_table(viewer, with_task, explored):
    rois = viewer.layers[ROIS]
    rois.features = rois.features.assign(mine=np.arange(13))
    with_task.session.set_clusters(explored.clusters)
    assert list(viewer.layers[ROIS].features["mine"]) == list(range(13))
    assert "cluster" in viewer.layers[ROIS].features


def test_selectivity_tests_the_chosen_column_and_colours_by_it(
    viewer, with_task, press, choose, task
):
    panel, column = with_task, with_task.embedding.column
    choose(column.column, "cue")
    press(panel, column.selectivity)
    expected = selectivity(task, "cue", bins=10, draws=20)
    found = panel.session.selectivity["cue"]
    np.testing.assert_allclose(found.d_prime, expected.d_prime)
    assert set(np.argsort(-np.abs(found.d_prime))[:3]) == {0, 1, 2}
    assert expected.verdict() in column.result.text()
    assert panel.session.colour_by == "cue: d'"
    assert "CalM cue: d'" in layer_names(viewer)
    table = viewer.layers[ROIS].features
    np.testing.assert_allclose(table["cue: d'"][1:], found.d_prime, atol=1e-3)


def test_all_columns_are_tested_at_once(with_task, press, choose):
    column = with_task.embedding.column
    choose(column.column, "all columns")
    press(with_task, column.selectivity)
    assert set(with_task.session.selectivity) == {"cue", "position_cm"}


def test_colour_by_recolours_the_layer_and_names_it(viewer, clustered, choose, task):
    explore = clustered.explore
    choose(explore.colour_by, "area_px")
    explore.colour_by.activated.emit(explore.colour_by.currentIndex())
    assert clustered.session.colour_by == "area_px"
    assert CLUSTERS not in layer_names(viewer)
    assert "CalM area (px)" in layer_names(viewer)
    # All squares but the overlapping ones are alike, and so is their colour.
    colours = {tuple(viewer.layers["CalM area (px)"].colormap.map(n)) for n in (1, 2, 3)}
    assert len(colours) == 1
    assert explore.key.bar.isVisibleTo(explore.key)


def test_trajectories_are_averaged_over_the_trials_of_each_kind(
    viewer, with_task, press, choose, task
):
    panel, column = with_task, with_task.embedding.column
    choose(column.column, "cue")
    press(panel, column.trajectories)
    found = panel.session.trajectories
    assert set(found.trial_types) == {"left", "right"}
    assert panel.session.trajectories_coloured_by == "cue"
    assert panel.explore.tabs.currentWidget() is panel.explore.trajectories


def test_a_bad_behaviour_file_is_told_and_changes_nothing(
    with_task, task, tmp_path, qtbot, monkeypatch
):
    path = tmp_path / "behaviour.csv"
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_args: (str(path), "")
    )
    for table, said in (
        ("speed\n1\n2\n", "2 rows; expected one a frame (480"),
        ("start_frame,stop_frame,cue\n0,5000,left\n", "from frame 0 to 5000"),
        ("", "not a readable CSV"),
        ("speed\n", "a table of 0 rows"),
    ):
        path.write_text(table)
        with qtbot.waitSignal(with_task.job.ended) as ended:
            qtbot.mouseClick(with_task.recording.behaviour.open, Qt.MouseButton.LeftButton)
        assert ended.args[0].ending is Ending.ERROR
        assert said in ended.args[0].message
        assert str(path) in ended.args[0].message
        assert with_task.session.recording is task


def test_a_behaviour_file_is_added_to_the_recording(with_task, task, tmp_path, qtbot):
    path = tmp_path / "speed.csv"
    speed = np.random.default_rng(0).normal(size=task.n_frames)
    pd.DataFrame({"speed_cm_per_s": speed}).to_csv(path, index=False)
    with qtbot.waitSignal(with_task.job.ended):
        with_task.recording.behaviour.start_opening(path)
    recording = with_task.session.recording
    assert recording.traces is task.traces
    np.testing.assert_allclose(recording.behaviour["speed_cm_per_s"], speed)
    assert with_task.embedding.column.column.findText("speed_cm_per_s") >= 0


def test_saved_clusters_and_selectivity_are_read_back(clustered, press, choose, tmp_path):
    panel, column = clustered, clustered.embedding.column
    choose(column.column, "cue")
    press(panel, column.selectivity)
    panel.embedding.save_to(tmp_path / "clusters.npz")
    column.save_to(tmp_path / "cue.npz")
    column.save_to(tmp_path / "all.csv")
    found = read_clusters(tmp_path / "clusters.npz")
    np.testing.assert_array_equal(found.labels, panel.session.clusters.labels)
    d_prime = panel.session.selectivity["cue"].d_prime
    np.testing.assert_allclose(read_selectivity(tmp_path / "cue.npz").d_prime, d_prime)
    table = pd.read_csv(tmp_path / "all.csv")
    np.testing.assert_allclose(table["cue: d'"], d_prime, rtol=1e-3, atol=1e-3)
    panel.embedding.save_to(tmp_path / "clusters.txt")
    assert "Not saved" in panel.embedding.result.text()
    panel.embedding.save_to(tmp_path / "cue.npz" / "clusters.npz")
    assert "Not saved" in panel.embedding.result.text()
    assert panel.session.clusters is not None


def test_what_is_missing_for_clusters_is_said(panel, recording):
    embedding = panel.embedding
    for button in (embedding.cluster, embedding.column.selectivity):
        assert not button.isEnabled()
        assert "Extract traces first" in button.toolTip()
    assert not embedding.save.isEnabled()
    panel.session.set_recording(recording)
    assert "too few for clusters" in embedding.cluster.toolTip()
    assert "no behaviour" in embedding.column.selectivity.toolTip()
    assert embedding.choices.source.findText("task") < 0


def test_another_recording_takes_clusters_and_their_layer_away(viewer, clustered, recording):
    clustered.session.set_recording(recording)
    assert clustered.session.clusters is None
    assert CLUSTERS not in layer_names(viewer)
    assert "cluster" not in viewer.layers[ROIS].features
