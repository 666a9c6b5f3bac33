"""Rejected cells: where they come from, and that they stay out of results if asked."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_calm.explore.cluster import cluster
from napari_calm.io.traces import read_traces_npz
from napari_calm.widgets.accepted_only import AcceptedOnly
from napari_calm.widgets.explore_panel import ExplorePanel
from napari_calm.widgets.job import Ending
from napari_calm.widgets.session import Session, most_active
from napari_calm.widgets.session_code import as_command, as_python

LEFT = Qt.MouseButton.LeftButton
REJECTED = (2, 9)


@pytest.fixture
def judged(with_task):
    """Return the panel with two neurons rejected, as the key R does it."""
    with_task.session.set_accepted(REJECTED, False)
    return with_task


def tick(qtbot, box):
    qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
    assert box.isChecked()


def test_a_session_starts_with_what_the_source_accepts(task):
    session = Session()
    flags = np.arange(12) % 3 != 0
    session.set_recording(replace(task, accepted=flags))
    np.testing.assert_array_equal(session.accepted, flags)
    assert flags[list(session.selection)].all()
    session.set_recording(task)
    assert session.accepted.all()


def test_rejected_neurons_are_selected_last(task):
    spread = np.argsort(-task.traces.std(axis=1))
    flags = np.ones(12, bool)
    flags[spread[0]] = False
    assert most_active(replace(task, accepted=flags), 2) == tuple(spread[1:3])


def test_the_choice_says_how_many_it_leaves_out(task, qtbot):
    session = Session()
    box = AcceptedOnly(session, "test")
    qtbot.addWidget(box)
    session.set_recording(task)
    assert not box.isEnabled()
    session.set_accepted(REJECTED, False)
    assert box.isEnabled()
    assert "(2 left out)" in box.text()
    assert box.neurons() is None
    box.setChecked(True)
    np.testing.assert_array_equal(box.neurons(), np.delete(np.arange(12), REJECTED))
    session.set_accepted(range(12), False)
    assert not box.isEnabled()
    assert box.neurons() is None
    assert "nothing would be left" in box.toolTip()
    box.release()


def test_cluster_leaves_rejected_cells_out_and_all_views_know(
    judged, task, small_model, press, qtbot
):
    section, session = judged.embedding, judged.session
    tick(qtbot, section.accepted_only)
    assert press(judged, section.cluster).ending is Ending.DONE
    chosen = np.delete(np.arange(12), REJECTED)
    request = session.requests["clusters"].options
    assert request["neurons"] == tuple(chosen.tolist())
    expected = cluster(small_model, task, **request)
    np.testing.assert_array_equal(session.clusters.labels, expected.labels)
    assert (session.clusters.labels[list(REJECTED)] == -1).all()
    assert "2 rejected neurons left out" in section.result.text()
    assert np.isnan(session.neuron_map.points[list(REJECTED)]).all()
    explore = ExplorePanel(judged._viewer, session)
    qtbot.addWidget(explore)
    explore.resize(1100, 420)
    explore.show()
    qtbot.waitUntil(lambda: len(explore.scatter.plot.neurons.data) == 10)
    qtbot.waitUntil(lambda: explore.raster.plot._image.image is not None)
    assert set(explore.raster.plot._rows.order[-2:]) == set(REJECTED)
    session.select((REJECTED[0], 0))
    qtbot.waitUntil(lambda: len(explore.scatter.plot.rings.data) == 1)
    explore.release_once()
    # What was read of ten neurons is not taken for a reading of twelve.
    section.accepted_only.setChecked(False)
    assert press(judged, section.cluster).ending is Ending.DONE
    assert (session.clusters.labels >= 0).all()
    assert session.embedding.known.all()


def test_copied_code_leaves_the_same_neurons_out(judged, press, qtbot, tmp_path, from_folder):
    judged.export.save_recording_to(tmp_path / "task.npz")
    tick(qtbot, judged.embedding.accepted_only)
    press(judged, judged.embedding.cluster)
    session = judged.session
    found: dict = {}
    exec(as_python(session), found)
    np.testing.assert_array_equal(found["clusters"].labels, session.clusters.labels)
    with pytest.raises(Exception, match="rejected"):
        as_command(session)


def test_a_saved_recording_keeps_the_judgement(judged, tmp_path):
    judged.export.save_recording_to(tmp_path / "kept.npz")
    kept = read_traces_npz(tmp_path / "kept.npz")
    np.testing.assert_array_equal(np.flatnonzero(~kept.accepted), REJECTED)


def test_decode_leaves_rejected_cells_out(judged, press, qtbot):
    section, session = judged.decode, judged.session
    section.choices.shifts.setValue(2)
    section.choices.folds.setValue(2)
    section.variable.setCurrentText("cue")
    tick(qtbot, section.accepted_only)
    assert press(judged, section.decode).ending is Ending.DONE
    weights = session.decoding.neuron_weights
    assert np.isnan(weights[list(REJECTED)]).all()
    assert np.nansum(weights) == pytest.approx(1)
    session.set_colour_by("cue: weight")
    session.select((0,))
    assert session.states_of(session.model) is None
    section.variable.setCurrentText("position_cm")
    section.accepted_only.setChecked(False)
    assert press(judged, section.decode).ending is Ending.DONE
    assert np.isfinite(session.decoding.neuron_weights).all()
