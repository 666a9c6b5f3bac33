"""Two viewers with a panel each do not know of one another, and one that is closed is gone."""

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_calm.widgets import layers
from napari_calm.widgets.job import Ending
from napari_calm.widgets.panel import CalmPanel
from napari_calm.widgets.settings import kept_colours

from .conftest import random_recording, square_rois

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def two(make_napari_viewer, qtbot, no_looking_around, small_model):
    # Not in this function: what its frame has held would be kept alive by it.
    panels = [_docked(make_napari_viewer, qtbot, small_model) for _ in range(2)]
    yield panels
    for panel in panels:
        panel.release_once()


def _docked(make_napari_viewer, qtbot, model):
    viewer = make_napari_viewer()
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.model.source.put(model, "tiny", "auto")
    panel.model.choose("tiny")
    return panel


def test_sessions_selections_moments_and_layers_are_apart(two, qtbot):
    one, other = two
    assert one.session is not other.session
    one.session.set_recording(random_recording(footprints=square_rois(), seed=1))
    assert other.session.recording is None
    assert not [layer for layer in other._viewer.layers if layers.role_of(layer)]
    other.session.set_recording(random_recording(3, footprints=square_rois(3), seed=2))
    one.session.select((3,))
    other.session.select((0, 1))
    assert (one.session.selection, other.session.selection) == ((3,), (0, 1))
    one.session.seek(20.0)
    assert other.session.time_s != 20.0
    one._viewer.dims.set_current_step(0, 60)
    assert one.session.time_s == pytest.approx(10.0)
    assert other.session.time_s != pytest.approx(10.0)
    labels = [int(panel._viewer.layers[layers.ROIS].data.max()) for panel in two]
    assert labels == [4, 3]


def test_jobs_run_side_by_side_and_give_each_its_own_result(two, qtbot):
    reports = [[], []]
    for number, panel in enumerate(two):
        panel.session.set_recording(random_recording(3 + number, seed=number))
        panel.job.ended.connect(reports[number].append)
    for panel in two:
        qtbot.mouseClick(panel.tokens.tokenise, LEFT)
    assert all(panel.job.running for panel in two)
    qtbot.waitUntil(lambda: all(reports), timeout=60_000)
    assert [each[0].ending for each in reports] == [Ending.DONE] * 2
    assert [len(panel.session.tokens.tokens) for panel in two] == [3, 4]


def test_cancelling_one_leaves_the_others_job_alone(two, qtbot):
    from napari_calm.core.progress import Progress

    def endless():
        while True:
            yield Progress(0, 1, "waiting")

    def short():
        yield Progress(0, 1, "working")
        return 7

    one, other = two
    got = []
    one.job.start(endless(), title="Endless", on_done=got.append)
    other.job.start(short(), title="Short", on_done=got.append)
    one.job.cancel()
    qtbot.waitUntil(lambda: not one.job.running and not other.job.running, timeout=20_000)
    assert got == [7]


def test_keys_and_tour_act_on_their_own_viewer(two, qtbot):
    one, other = two
    for panel in two:
        panel.session.set_recording(random_recording(footprints=square_rois()))
        panel.session.select((0,))
    step = next(each for each in one.shortcuts.all if each.key == "N")
    step.act()
    assert (one.session.selection, other.session.selection) == ((1,), (0,))
    one.tour.start()
    assert not other.tour.running


def test_a_closed_viewer_lets_go_and_the_other_one_works_on(two, press, qtbot):
    for panel in two:
        panel.session.set_recording(random_recording(footprints=square_rois()))
        panel.show_explore()
    gone = _close(two.pop(0))
    qtbot.wait(50)
    # The preferences outlive the window; they must not reach for what is gone with it.
    kept = kept_colours()
    kept.neurons = "tol bright"
    kept.neurons = "okabe-ito"
    other = two[0]
    press(other, other.tokens.tokenise)
    assert other.session.tokens is not None
    assert np.isfinite(other.session.recording.traces).all()
    other.session.select((2,))
    label = int(other.session.recording.footprints.label_values[2])
    assert other._viewer.layers[layers.ROIS].selected_label == label
    gc.collect()
    assert [each() for each in gone] == [None, None]


def _close(panel):
    """Close the panel's viewer; return weak references to its session and traces."""
    gone = [weakref.ref(panel.session), weakref.ref(panel.session.recording)]
    panel._viewer.close()
    return gone
