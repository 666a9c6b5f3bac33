"""Choosing and judging neurons on the canvas, by number, in napari's table and by keys."""

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt

from napari_calm.widgets.layers import ROIS
from napari_calm.widgets.panel import CalmPanel
from napari_calm.widgets.picking import neurons_at

from .conftest import random_recording, square_rois

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def recording():
    return random_recording(5, footprints=square_rois(5))


@pytest.fixture
def seen(shown_viewer, qtbot, no_looking_around, recording):
    """Return viewer and panel of a window on the screen; the last two ROIs overlap."""
    viewer = shown_viewer
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.session.set_recording(recording, pixel_size_um=2.0)
    qtbot.wait(200)
    yield viewer, panel
    panel.release_once()


@pytest.fixture
def at(seen, canvas_of):
    """Return a function that gives the canvas pixel at (y, x) in micrometres."""
    viewer, _ = seen

    def at(y, x):
        camera = getattr(viewer, "scene", viewer).camera
        canvas = canvas_of()
        centre = np.array(camera.center[-2:])
        dy, dx = (np.array((y, x)) - centre) * camera.zoom
        middle = canvas.rect().center()
        return QPointF(middle.x() + dx, middle.y() + dy)

    return at


def test_clicks_and_lassos_on_the_canvas_select(seen, at, canvas_of, qtbot, drag, recording):
    viewer, panel = seen
    session, canvas = panel.session, canvas_of()
    centres = recording.footprints.centroids_px * 2.0
    left = Qt.MouseButton.LeftButton
    for neuron in (1, 0):
        qtbot.mouseClick(canvas, left, pos=at(*centres[neuron]).toPoint())
        assert session.selection == (neuron,)
    qtbot.mouseClick(canvas, left, SHIFT, pos=at(*centres[1]).toPoint())
    assert session.selection == (0, 1)
    (top, _), (bottom, _) = centres[0] - 10, centres[0] + 10
    for modifiers, ends, expected in (
        (CTRL, (centres[1, 1] - 3, centres[2, 1] + 3), {1, 2}),
        (CTRL | SHIFT, (centres[0, 1] - 3, centres[0, 1] + 3), {0, 1, 2}),
    ):
        west, east = ends
        corners = [(top, west), (bottom, west), (bottom, east), (top, east)]
        drag(canvas, [at(*corner) for corner in corners], modifiers)
        assert set(session.selection) == expected
    assert "CalM lasso" not in [layer.name for layer in viewer.layers]


def test_of_overlapping_rois_each_can_be_clicked(seen, recording):
    _, panel = seen
    y, x = np.divmod(
        np.flatnonzero((recording.footprints.weights.toarray() > 0).sum(axis=0) == 2)[0], 40
    )
    both = neurons_at(recording.footprints, y, x)
    assert set(both) == {3, 4}
    found = []
    for _ in range(3):
        panel._picking.pick((0.0, y * 2.0, x * 2.0))
        found.append(panel.session.selection)
    assert found == [(both[0],), (both[1],), (both[0],)]
    panel._picking.pick((0.0, y * 2.0, x * 2.0), adding=True)
    assert set(panel.session.selection) == {3, 4}


def test_numbers_find_their_rois_and_wrong_ones_are_told(seen, qtbot):
    viewer, panel = seen
    find = panel.traces.find
    qtbot.keyClicks(find, "2, 4-9")
    qtbot.keyClick(find, Qt.Key.Key_Return)
    assert panel.session.selection == (1, 3, 4)
    camera = getattr(viewer, "scene", viewer).camera
    expected = panel.session.recording.footprints.centroids_px[1] * 2.0
    np.testing.assert_allclose(camera.center[-2:], expected)
    find.clear()
    qtbot.keyClicks(find, "77")
    qtbot.keyClick(find, Qt.Key.Key_Return)
    assert panel.session.selection == (1, 3, 4)
    assert "from 1 to 5" in find.toolTip()


def test_a_row_of_naparis_features_table_selects_its_neuron(seen, qtbot):
    viewer, panel = seen
    viewer.layers.selection.active = viewer.layers[ROIS]
    _dock, table = viewer.window.add_plugin_dock_widget("napari", "Features table widget")
    view = table.table
    qtbot.waitUntil(lambda: view.model().rowCount() == 6)
    indexes = [view.model().index(row, 0).data() for row in range(6)]
    assert list(map(int, map(float, indexes))) == [0, 1, 2, 3, 4, 5]
    view.selectRow(3)
    assert panel.session.selection == (2,)
    viewer.window.remove_dock_widget(table)


def test_keys_go_through_the_neurons_and_judge_them(seen, canvas_of, qtbot):
    viewer, panel = seen
    session, canvas = panel.session, canvas_of()
    session.select((0,))
    qtbot.keyClick(canvas, Qt.Key.Key_N)
    assert session.selection == (1,)
    qtbot.keyClick(canvas, Qt.Key.Key_N, SHIFT)
    qtbot.keyClick(canvas, Qt.Key.Key_N, SHIFT)
    assert session.selection == (4,)
    qtbot.keyClick(canvas, Qt.Key.Key_R)
    assert session.accepted.tolist() == [True] * 4 + [False]
    assert list(viewer.layers[ROIS].features["accepted"]) == [False, *[True] * 4, False]
    session.select((4, 0))
    qtbot.waitUntil(lambda: len(panel.traces.plot._picture.rows) == 2)
    assert [row.name for row in panel.traces.plot._picture.rows] == [
        "ROI 5 (rejected)",
        "ROI 1",
    ]
    qtbot.keyClick(canvas, Qt.Key.Key_K)
    assert session.accepted.all()
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert session.selection == ()
    qtbot.keyClick(canvas, Qt.Key.Key_F, CTRL)
    assert panel.window().focusWidget() is panel.traces.find


def test_page_keys_scroll_the_traces_while_the_movie_has_the_keyboard(seen, canvas_of, qtbot):
    _viewer, panel = seen
    plot = panel.traces.plot
    panel.session.select((0, 1, 2, 3, 4))
    qtbot.waitUntil(lambda: plot.n_rows == 5)
    plot.make_taller(4)
    plot.reveal(0)
    assert plot.rows_in_view.start == 0
    qtbot.keyClick(canvas_of(), Qt.Key.Key_PageDown)
    assert plot.rows_in_view.start > 0
    qtbot.keyClick(canvas_of(), Qt.Key.Key_PageUp)
    assert plot.rows_in_view.start == 0


def test_keys_are_given_back_with_the_panel(seen, canvas_of, qtbot):
    viewer, panel = seen
    panel.session.select((0,))
    viewer.window.remove_dock_widget(panel)
    qtbot.keyClick(canvas_of(), Qt.Key.Key_N)
    assert panel.session.selection == (0,)
