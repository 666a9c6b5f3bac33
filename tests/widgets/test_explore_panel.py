"""Scatter, raster, mean traces, trajectories and table: one selection, one moment."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_calm.explore.similar_order import order_by_similarity
from napari_calm.widgets.dock_content import is_seen
from napari_calm.widgets.explore_panel import ExplorePanel
from napari_calm.widgets.session import Session

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def session(task, explored):
    session = Session()
    session.set_recording(task)
    session.set_embedding(explored.embedding, explored.neuron_map)
    session.set_clusters(explored.clusters)
    session.set_trajectories(explored.trajectories, coloured_by="cue")
    return session


@pytest.fixture
def explore(viewer, session, qtbot):
    panel = ExplorePanel(viewer, session)
    qtbot.addWidget(panel)
    panel.resize(1100, 420)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.release_once()


def picture(widget):
    """Return what a widget looks like, (height, width, 3)."""
    image = (
        widget.grab().toImage().convertToFormat(widget.grab().toImage().Format.Format_RGB888)
    )
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    # The image's memory goes with it.
    return rows.reshape(image.height(), image.width(), 3).copy()


def test_a_click_on_a_point_selects_its_neuron_and_shift_adds(
    explore, session, qtbot, place_in_plot
):
    plot, points = explore.scatter.plot, session.neuron_map.points
    qtbot.waitUntil(lambda: len(plot.neurons.data) == 12)
    apart = [int(points[:, 0].argmin()), int(points[:, 0].argmax())]
    at = [place_in_plot(plot, *points[neuron, :2]) for neuron in apart]
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at[0])
    qtbot.waitUntil(lambda: session.selection == (apart[0],))
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, SHIFT, pos=at[1])
    qtbot.waitUntil(lambda: session.selection == tuple(apart))
    assert len(plot.rings.data) == 2


def test_a_lasso_selects_the_neurons_inside_and_shift_adds_more(
    explore, session, qtbot, drag, place_in_plot
):
    plot, points = explore.scatter.plot, session.neuron_map.points[:, :2]
    qtbot.waitUntil(lambda: len(plot.neurons.data) == 12)
    middle = np.median(points[:, 0])
    (left, right), (bottom, top) = plot.getViewBox().viewRange()

    def lasso(first, last, modifiers=Qt.KeyboardModifier.NoModifier):
        corners = [(first, bottom), (first, top), (last, top), (last, bottom), (first, bottom)]
        inset = 0.01 * (top - bottom)
        places = [
            place_in_plot(plot, x, np.clip(y, bottom + inset, top - inset)) for x, y in corners
        ]
        drag(plot.viewport(), places, modifiers)

    inset = 0.01 * (right - left)
    lasso(left + inset, middle)
    assert set(session.selection) == set(np.flatnonzero(points[:, 0] < middle))
    lasso(middle, right - inset, SHIFT)
    assert set(session.selection) == set(range(12))


def test_the_raster_shows_the_traces_sorted_by_cluster(explore, session, task, qtbot):
    plot = explore.raster.plot
    qtbot.waitUntil(lambda: plot._image.image is not None)
    order = session.clusters.order()
    z = (task.traces - task.traces.mean(axis=1, keepdims=True)) / task.traces.std(
        axis=1, keepdims=True
    )
    np.testing.assert_allclose(plot._image.image, z[order], atol=0.01)
    middle = picture(plot)[60:-40, 120:-40]
    assert middle.std() > 10, "the raster is drawn empty"


def test_the_raster_is_sorted_by_similar_activity_or_any_feature(
    explore, session, task, qtbot, choose
):
    raster, by = explore.raster, explore.raster.sorting.by
    qtbot.waitUntil(lambda: raster.plot._image.image is not None)
    assert by.isVisible()
    assert raster.caption.startswith("12 neurons by cluster")
    choose(by, "similar activity")
    qtbot.waitUntil(lambda: "neurons by similar activity" in raster.caption, timeout=20_000)
    expected = order_by_similarity(task.traces)
    np.testing.assert_array_equal(raster.plot._rows.order, expected)
    # The two groups of the recording stay together.
    assert np.count_nonzero(np.diff(expected // 6)) == 1
    np.testing.assert_array_equal(
        raster.plot._rows.colours, session.clusters.colours()[expected]
    )
    choose(by, "mean_dff")
    qtbot.waitUntil(lambda: "by mean" in raster.caption)
    rounded = task.traces.mean(axis=1).round(4)
    assert (np.diff(rounded[raster.plot._rows.order]) <= 0).all()
    choose(by, "nothing")
    qtbot.waitUntil(lambda: "their own order" in raster.caption)
    np.testing.assert_array_equal(raster.plot._rows.order, np.arange(12))
    explore.tabs.setCurrentWidget(explore.mean_traces)
    assert not by.isVisible()


def test_a_click_in_the_raster_seeks_and_selects(explore, session, qtbot, place_in_plot):
    plot = explore.raster.plot
    qtbot.waitUntil(lambda: plot._image.image is not None)
    at = place_in_plot(plot, 40.0, 3.5)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: session.selection == (int(session.clusters.order()[3]),))
    qtbot.waitUntil(lambda: session.time_s == pytest.approx(40.0, abs=0.3))
    assert plot._cursor.value() == pytest.approx(session.time_s)


def test_a_drag_in_the_raster_scrubs(explore, session, qtbot, drag, place_in_plot):
    plot = explore.raster.plot
    qtbot.waitUntil(lambda: plot._image.image is not None)
    drag(plot.viewport(), [place_in_plot(plot, t, 5.5) for t in (10, 20, 30, 50)])
    qtbot.waitUntil(lambda: session.time_s == pytest.approx(50.0, abs=0.3))


def test_mean_traces_are_the_means_of_their_members(explore, session, task, qtbot):
    explore.tabs.setCurrentWidget(explore.mean_traces)
    qtbot.waitUntil(lambda: len(explore.mean_traces.plot._picture.rows) == 2)
    z = (task.traces - task.traces.mean(axis=1, keepdims=True)) / task.traces.std(
        axis=1, keepdims=True
    )
    for number, row in enumerate(explore.mean_traces.plot._picture.rows):
        members = session.clusters.labels == number
        np.testing.assert_allclose(row.trace, z[members].mean(axis=0), atol=1e-3)
        assert row.name == f"{number} ({members.sum()})"


def test_the_ring_on_the_path_is_where_the_population_is_at_the_slider(explore, session, qtbot):
    explore.tabs.setCurrentWidget(explore.trajectories)
    plot = explore.trajectories.plot
    found = session.trajectories
    frame = int(np.flatnonzero(np.isfinite(found.states[0]))[-40])
    session.seek(frame / found.frame_rate_hz)
    qtbot.waitUntil(lambda: len(plot.now.data) == 1)
    np.testing.assert_allclose(
        (plot.now.data["x"][0], plot.now.data["y"][0]), found.states[:2, frame], rtol=1e-5
    )


def test_a_click_on_the_path_goes_to_that_moment(explore, session, qtbot, place_in_plot):
    explore.tabs.setCurrentWidget(explore.trajectories)
    plot, found = explore.trajectories.plot, session.trajectories
    qtbot.waitUntil(lambda: len(plot.points.data) > 0)
    explore.trajectories.averages.setChecked(False)
    qtbot.wait(50)
    outermost = int(np.nanargmax(found.states[0]))
    at = place_in_plot(plot, *found.states[:2, outermost])
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: session.time_s > 0)
    there = found.states[:2, round(session.time_s * found.frame_rate_hz)]
    np.testing.assert_allclose(there, found.states[:2, outermost], rtol=1e-5)


def test_another_plane_shows_other_components(explore, session, qtbot, choose):
    explore.tabs.setCurrentWidget(explore.trajectories)
    choose(explore.trajectories.plane, "PC 1 and 3")
    plot = explore.trajectories.plot
    qtbot.waitUntil(lambda: plot._path.axes[1].startswith("PC 3"))
    np.testing.assert_array_equal(plot._path.places, session.trajectories.states[[0, 2]])


def test_a_row_of_the_table_selects_the_members_of_its_cluster(explore, session, qtbot):
    explore.tabs.setCurrentWidget(explore.table)
    table = explore.table.table
    qtbot.waitUntil(lambda: table.rowCount() == 2)
    at = table.visualItemRect(table.item(1, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert set(session.selection) == set(np.flatnonzero(session.clusters.labels == 1))


def test_hidden_views_draw_nothing(explore, session, qtbot, monkeypatch):
    qtbot.wait(50)
    drawn = []
    monkeypatch.setattr(explore.mean_traces, "refresh", lambda: drawn.append("mean traces"))
    monkeypatch.setattr(explore.scatter, "refresh", lambda: drawn.append("scatter"))
    session.clusters_changed.emit()
    qtbot.waitUntil(lambda: "scatter" in drawn)
    qtbot.wait(20)
    assert drawn == ["scatter"]


def test_released_views_hear_nothing_more(explore, session, monkeypatch, qtbot):
    explore.release_once()
    drawn = []
    for view in explore.views:
        monkeypatch.setattr(view, "refresh", lambda: drawn.append(1))
    session.clusters_changed.emit()
    session.select((1,))
    session.seek(5.0)
    qtbot.wait(30)
    assert drawn == []


def test_a_click_on_a_code_shows_when_it_is_spoken(
    explore, session, small_model, task, qtbot, place_in_plot
):
    tokens = small_model.tokenize(task)
    session.set_tokens(tokens)
    view = explore.codebook
    explore.tabs.setCurrentWidget(view)
    qtbot.waitUntil(lambda: view.shapes is not None)
    qtbot.wait(30)
    code = int(view.shapes.order[2])
    at = place_in_plot(view.plot, 2.5, 0.5)
    qtbot.mouseClick(view.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: session.code == code)
    qtbot.waitUntil(lambda: view.spoken.isVisible())
    share = (tokens.tokens == code).mean(axis=0)
    np.testing.assert_allclose(view.share.getData()[1], share)
    assert f"code {code}" in view.caption
    session.set_tokens(None)
    assert session.code is None


def test_views_behind_another_dock_draw_nothing_and_catch_up(panel, task, explored, qtbot):
    panel.window().resize(1300, 900)
    panel.window().show()
    panel.session.set_recording(task)
    panel.session.set_clusters(explored.clusters)
    traces, explore = panel.traces, panel.explore
    raster, cursor_of = explore.raster, lambda plot: plot._cursor.value()
    qtbot.waitUntil(lambda: raster.is_up_to_date() and not raster.is_preparing)
    assert is_seen(explore)
    assert not is_seen(traces)
    # Only what is in front follows the slider and the selection.
    before_s = cursor_of(traces.plot)
    panel.session.seek(30.0)
    panel.session.select((3, 1))
    qtbot.wait(50)
    assert (cursor_of(raster.plot), cursor_of(traces.plot)) == (30.0, before_s)
    traces.parentWidget().raise_()
    qtbot.waitUntil(lambda: is_seen(traces))
    assert cursor_of(traces.plot) == 30.0
    assert traces._shown == (3, 1)
    panel.session.seek(40.0)
    panel.session.set_accepted((5,), False)
    qtbot.wait(50)
    assert (cursor_of(raster.plot), cursor_of(traces.plot)) == (30.0, 40.0)
    assert not raster.is_up_to_date()
    explore.parentWidget().raise_()
    qtbot.waitUntil(raster.is_up_to_date)
    assert cursor_of(raster.plot) == 40.0
