"""Any number of selected neurons in the trace panel, of which those in view are drawn."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_calm.core.token_map import TokenMap
from napari_calm.widgets import selected_rows
from napari_calm.widgets.layers import ROIS, SessionLayers
from napari_calm.widgets.picking import RoiPicking
from napari_calm.widgets.raster_view import RasterView
from napari_calm.widgets.session import Session
from napari_calm.widgets.trace_panel import TracePanel

from .conftest import random_recording, square_rois
from .test_views import forecast_of

N_NEURONS = 400
LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def session():
    session = Session()
    session.set_recording(random_recording(N_NEURONS))
    return session


@pytest.fixture
def trace_panel(session, qtbot):
    panel = TracePanel(ViewerModel(), session)
    qtbot.addWidget(panel)
    panel.resize(900, 340)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.release_once()


@pytest.fixture
def select_all(trace_panel, session, qtbot):
    """Select all neurons, last first, and wait until they are drawn."""
    order = tuple(reversed(range(N_NEURONS)))
    session.select(order)
    qtbot.waitUntil(lambda: trace_panel.plot.n_rows == N_NEURONS)
    return order


def turn(plot, notches, modifiers=PLAIN, at=None):
    view = plot.viewport()
    at = QPointF(view.rect().center() if at is None else at)
    place = QPointF(view.mapToGlobal(at.toPoint()))
    angle = QPoint(0, 120 * notches)
    none, no_phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(at, place, QPoint(), angle, none, modifiers, no_phase, False)
    QApplication.sendEvent(view, event)


def names_shown(plot):
    axis = plot.getAxis("left")
    low, high = plot.getViewBox().viewRange()[1]
    (_, places), *_ = axis.tickValues(low, high, plot.getViewBox().height())
    return axis.tickStrings(places)


def traces_drawn(plot, recording):
    """Return which neurons' traces are drawn, by their values."""
    number_of = {recording.traces[n].tobytes(): n for n in range(recording.n_neurons)}
    return [number_of[line.values.tobytes()] for line in plot.stack.lines]


def test_the_rows_in_view_are_drawn_and_told_whichever_they_are(
    trace_panel, session, select_all, qtbot
):
    plot, seen = trace_panel.plot, set()
    for _ in range(60):
        rows = plot.rows_in_view
        told = f"{rows.start + 1}-{rows.stop} of 400 selected"
        assert trace_panel.rows.shown.text() == told
        drawn = traces_drawn(plot, session.recording)
        assert {select_all[row] for row in rows} <= set(drawn)
        assert len(drawn) < 30
        for line, neuron in zip(plot.stack.lines, drawn, strict=True):
            assert line.offset == -select_all.index(neuron)
        seen |= set(rows)
        before = plot.stack.lines
        qtbot.keyClick(plot, Qt.Key.Key_PageDown)
        if plot.stack.lines[0].offset == before[0].offset:
            break
    assert seen == set(range(400))
    assert "cell 0" in names_shown(plot)
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    assert plot.rows_in_view.start == 0
    assert names_shown(plot)[0] == "cell 399"


def test_rows_out_of_view_are_never_made(trace_panel, session, qtbot, monkeypatch):
    made = []
    make = selected_rows.SelectedRows._made
    monkeypatch.setattr(
        selected_rows.SelectedRows, "_made", lambda self, n: made.append(n) or make(self, n)
    )
    session.set_recording(random_recording(5000, 60))
    session.select(tuple(range(5000)))
    qtbot.waitUntil(lambda: trace_panel.plot.n_rows == 5000)
    trace_panel.plot.reveal(2600)
    # Those in view, here and there, and some to scale by.
    assert len(set(made)) < 90


def test_the_wheel_zooms_scrolls_with_shift_and_makes_rows_taller_with_ctrl(
    trace_panel, select_all
):
    plot, box = trace_panel.plot, trace_panel.plot.getViewBox()
    time_s, (_, top) = box.viewRange()
    turn(plot, -2, SHIFT)
    # 60 pixels a notch, of rows of 20.
    assert box.viewRange()[1][1] == pytest.approx(top - 6)
    assert box.viewRange()[0] == time_s
    turn(plot, 1, SHIFT)
    assert box.viewRange()[1][1] == pytest.approx(top - 3)
    height = plot.row_px
    turn(plot, 1, CTRL)
    assert plot.row_px == pytest.approx(1.25 * height)
    turn(plot, -1, CTRL)
    assert plot.row_px == pytest.approx(height)
    assert box.viewRange()[0] == time_s
    shown = plot.rows_in_view
    turn(plot, 1)
    assert np.diff(box.viewRange()[0]) < np.diff(time_s)
    assert plot.rows_in_view == shown
    # Over the names it scrolls: there is no time there.
    turn(plot, 1, at=QPoint(12, plot.height() // 2))
    assert plot.rows_in_view.start == 0


def test_keys_scroll_by_rows_pages_and_to_the_ends_and_change_the_height(
    trace_panel, select_all, qtbot
):
    plot, key = trace_panel.plot, Qt.Key
    n_in_view = len(plot.rows_in_view)
    top = plot.getViewBox().viewRange()[1][1]
    qtbot.keyClick(plot, key.Key_Down)
    assert plot.getViewBox().viewRange()[1][1] == pytest.approx(top - 1)
    qtbot.keyClick(plot, key.Key_PageDown)
    assert n_in_view - 2 <= plot.rows_in_view.start <= n_in_view + 1
    qtbot.keyClick(plot, key.Key_End)
    assert plot.rows_in_view.stop == 400
    qtbot.keyClick(plot, key.Key_PageUp)
    qtbot.keyClick(plot, key.Key_Up)
    assert plot.rows_in_view.stop < 400 - n_in_view / 2
    height = plot.row_px
    qtbot.keyClick(plot, key.Key_Plus)
    assert plot.row_px > height
    qtbot.keyClick(plot, key.Key_Minus)
    assert plot.row_px == pytest.approx(height)
    qtbot.keyClick(plot, key.Key_0)
    assert plot.shows_all_rows
    qtbot.keyClick(plot, key.Key_0)
    assert plot.row_px == pytest.approx(20)


def test_the_scroll_bar_moves_the_rows_and_follows_them(
    trace_panel, session, select_all, qtbot
):
    plot, bar = trace_panel.plot, trace_panel.plot.scroll
    assert bar.isVisible()
    at = QPoint(bar.width() // 2, bar.height() - 20)
    before = plot.rows_in_view
    qtbot.mouseClick(bar, LEFT, pos=at)
    assert plot.rows_in_view.start >= before.stop - 2
    qtbot.keyClick(plot, Qt.Key.Key_End)
    assert bar.value() == bar.maximum()
    # It lies beside the plot, not over it.
    right = plot.mapFromScene(plot.getViewBox().sceneBoundingRect().bottomRight()).x()
    assert right <= bar.x()
    session.select((1, 2))
    qtbot.waitUntil(lambda: not bar.isVisible())


def test_the_middle_button_shifts_rows_and_time_together(trace_panel, select_all, qtbot):
    plot, box = trace_panel.plot, trace_panel.plot.getViewBox()
    plot.view_time(20, 30)
    view, none = plot.viewport(), Qt.MouseButton.NoButton
    top = box.viewRange()[1][1]
    kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * 3]
    kinds.append(QEvent.Type.MouseButtonRelease)
    for kind, up in zip(kinds, (0, 30, 60, 100, 100), strict=True):
        at = QPointF(400 - up, 200 - up)
        place = QPointF(view.mapToGlobal(at.toPoint()))
        button = none if kind == QEvent.Type.MouseMove else MIDDLE
        held = none if kind == QEvent.Type.MouseButtonRelease else MIDDLE
        QApplication.sendEvent(view, QMouseEvent(kind, at, place, button, held, PLAIN))
        qtbot.wait(15)
    assert (top - box.viewRange()[1][1]) * plot.row_px == pytest.approx(100, abs=2)
    moved_s = 100 * box.viewPixelSize()[0]
    assert box.viewRange()[0][0] == pytest.approx(20 + moved_s, rel=0.02)


def test_fit_all_shows_shades_of_every_selected_neuron(trace_panel, session, select_all, qtbot):
    plot, traces = trace_panel.plot, session.recording.traces
    qtbot.mouseClick(trace_panel.rows.all, LEFT)
    assert trace_panel.rows.shown.text() == "400 selected"
    assert plot.is_heat
    assert plot.stack.lines == []
    assert "too low for lines" in trace_panel.legend.text()
    qtbot.waitUntil(lambda: plot._levels is not None)
    qtbot.wait(60)
    end_s = session.recording.duration_s
    plot.view_time(0, end_s)
    qtbot.wait(60)
    z = (traces - traces.mean(axis=1, keepdims=True)) / traces.std(axis=1, keepdims=True)
    z = z[list(select_all)]
    picture = plot.heat.image[::-1]
    n_rows = len(picture)
    assert n_rows == int(plot._window.view_px)
    # Each row of pixels is a mean of neurons that lie in it, in their order.
    edges = np.linspace(0, 400, n_rows + 1)
    for row in (0, n_rows // 3, n_rows - 1):
        inside = z[int(edges[row]) : int(np.ceil(edges[row + 1]))]
        assert (picture[row] <= inside.max(axis=0) + 0.02).all()
        assert (picture[row] >= inside.min(axis=0) - 0.02).all()
    qtbot.mouseClick(trace_panel.rows.all, LEFT)
    assert not plot.is_heat
    assert plot.rows_in_view.start == 0


def test_shades_can_be_seen_before_they_are_prepared(trace_panel, session, select_all, qtbot):
    plot = trace_panel.plot
    trace_panel._levels.ready.disconnect(trace_panel._take_levels)
    plot.fit_all()
    qtbot.waitUntil(lambda: plot.heat.image is not None)
    first = session.recording.traces[select_all[0]]
    assert np.corrcoef(plot.heat.image[-1], first[: plot.heat.image.shape[1]])[0, 1] > 0.99
    trace_panel._levels.ready.connect(trace_panel._take_levels)


def test_traces_are_prepared_once_for_both_views(trace_panel, session, select_all, qtbot):
    raster = RasterView(session)
    qtbot.addWidget(raster)
    raster.show()
    trace_panel.plot.fit_all()
    qtbot.waitUntil(lambda: raster._levels is not None)
    qtbot.waitUntil(lambda: trace_panel.plot._levels is not None)
    assert raster._levels is trace_panel.plot._levels
    raster.release()
    assert trace_panel._levels.want(trace_panel, session.recording.traces) is not None
    trace_panel.release_once()
    assert trace_panel._levels._levels is None


def test_bands_errors_and_tokens_belong_to_the_rows_in_view(
    trace_panel, session, select_all, qtbot
):
    recording, plot = session.recording, trace_panel.plot
    forecast = forecast_of(recording)
    session.set_forecast(forecast)
    tokens = np.arange(N_NEURONS * 100).reshape(N_NEURONS, 100) % 32
    session.set_tokens(TokenMap(tokens, 32, 4, 6.0, 6.0, 400))
    qtbot.waitUntil(lambda: len(plot.stack.fills) > 0)
    assert plot.is_detailed
    qtbot.keyClick(plot, Qt.Key.Key_PageDown)
    rows = plot.rows_in_view
    for row in rows:
        neuron = select_all[row]
        error, wide, narrow = (f for f in plot.stack.fills if round(-f.offset - 0.1) == row)
        np.testing.assert_array_equal(wide.high, forecast.quantiles[4, neuron])
        np.testing.assert_array_equal(narrow.low, forecast.quantiles[1, neuron])
        truth = recording.traces[neuron, 200:212]
        np.testing.assert_allclose(error.high, abs(truth - forecast.mean[neuron]), rtol=1e-4)
        assert sum(round(-s.bottom - 0.26) == row for s in plot.stack.strips) == 1
    for _ in range(2):
        qtbot.mouseClick(trace_panel.rows.lower, LEFT)
    assert not plot.is_detailed
    assert not plot.is_heat
    assert plot.stack.fills == plot.stack.strips == []
    assert "taller rows, in detail" in trace_panel.legend.text()


def test_a_neuron_that_is_added_comes_into_view(trace_panel, session, qtbot):
    session.select(tuple(range(60)))
    qtbot.waitUntil(lambda: trace_panel.plot.n_rows == 60)
    assert trace_panel.plot.rows_in_view.start == 0
    session.toggle(333)
    qtbot.waitUntil(lambda: 60 in trace_panel.plot.rows_in_view)
    assert "cell 333" in names_shown(trace_panel.plot)
    session.select(tuple(range(100, 180)))
    qtbot.waitUntil(lambda: trace_panel.plot.rows_in_view.start == 0)


def place_of(plot, time_s, row):
    scene = plot.getViewBox().mapViewToScene(QPointF(time_s, -row))
    return plot.mapFromScene(scene)


def test_a_click_on_a_row_seeks_and_marks_its_neuron_and_shift_takes_it_out(
    trace_panel, session, select_all, qtbot
):
    plot = trace_panel.plot
    qtbot.keyClick(plot, Qt.Key.Key_PageDown)
    row = plot.rows_in_view[4]
    qtbot.mouseClick(plot.viewport(), LEFT, pos=place_of(plot, 30.0, row))
    assert session.marked == select_all[row]
    assert session.selection == select_all
    qtbot.waitUntil(lambda: session.time_s == pytest.approx(30.0, abs=0.2))
    widest = max(plot.stack.lines, key=lambda line: line.width_px)
    assert widest.offset == -row
    assert f"cell {select_all[row]}" in names_shown(plot)
    qtbot.mouseClick(plot.viewport(), LEFT, SHIFT, place_of(plot, 30.0, row))
    assert select_all[row] not in session.selection
    assert session.marked is None
    # A name is no moment.
    name = QPoint(12, place_of(plot, 30.0, row + 1).y())
    qtbot.wait(50)
    time_s = session.time_s
    qtbot.mouseClick(plot.viewport(), LEFT, pos=name)
    assert session.marked is not None
    qtbot.wait(60)
    assert session.time_s == time_s


def test_a_marked_neuron_is_white_on_the_movie_and_stays_among_the_selected(viewer, qtbot):
    session = Session()
    shown = SessionLayers(viewer, session)
    picking = RoiPicking(viewer, session, shown)
    recording = random_recording(footprints=square_rois())
    session.set_recording(recording)
    session.select((0, 2, 3))
    session.mark(2)
    rois, labels = viewer.layers[ROIS], recording.footprints.label_values
    np.testing.assert_allclose(rois.colormap.map(labels[2]), (1, 1, 1, 1))
    assert rois.selected_label == labels[2]
    assert session.selection == (0, 2, 3)
    session.mark(1)
    assert session.marked is None
    session.mark(3)
    session.select((0, 1))
    assert session.marked is None
    for part in (shown, picking):
        part.close()


def test_a_band_stays_in_view_below_the_rows(task, qtbot):
    session = Session()
    session.set_recording(task)
    panel = TracePanel(ViewerModel(), session)
    qtbot.addWidget(panel)
    panel.resize(900, 220)
    panel.show()
    session.select(tuple(range(12)))
    qtbot.waitUntil(lambda: panel.plot.n_rows == 12)
    plot = panel.plot
    for way in (Qt.Key.Key_Home, Qt.Key.Key_End):
        qtbot.keyClick(plot, way)
        band = plot.stack.band
        assert band.bottom == pytest.approx(plot.getViewBox().viewRange()[1][0])
        assert band.height * plot.row_px == pytest.approx(9)
        assert len(band.colours) == task.n_frames
        assert names_shown(plot)[-1] == "cue"
    panel.release_once()
