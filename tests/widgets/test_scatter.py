"""The scatter under the mouse and with very many points."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_calm.core.recording import Recording
from napari_calm.explore.neuron_map import NeuronMap
from napari_calm.widgets.mini_trace import extremes_around
from napari_calm.widgets.point_density import density_picture
from napari_calm.widgets.scatter_view import ScatterView
from napari_calm.widgets.session import Session
from napari_calm.widgets.theme import theme_colours

from .test_explore_panel import picture


def hover(plot, at):
    place = QPointF(at)
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        QPointF(plot.viewport().mapToGlobal(place.toPoint())),
        none,
        none,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(plot.viewport(), event)


def shown_view(session, qtbot):
    view = ScatterView(session)
    qtbot.addWidget(view)
    view.set_colours(theme_colours("dark"))
    view.resize(500, 300)
    view.show()
    qtbot.waitExposed(view)
    return view


@pytest.fixture
def session(task, explored):
    session = Session()
    session.set_recording(task)
    session.set_embedding(explored.embedding, explored.neuron_map)
    session.set_clusters(explored.clusters)
    return session


@pytest.fixture
def view(session, qtbot):
    view = shown_view(session, qtbot)
    qtbot.waitUntil(lambda: len(view.plot.neurons.data) == 12)
    yield view
    view.release()


def test_the_mouse_over_a_point_shows_who_it_is_and_what_it_does_now(
    view, session, task, qtbot, place_in_plot
):
    plot, points = view.plot, session.neuron_map.points
    sizes = view.size(), plot.size()
    neuron = int(points[:, 0].argmin())
    session.seek(30.0)
    hover(plot, place_in_plot(plot, *points[neuron, :2]))
    assert plot.card.isVisible()
    glimpse = plot.card.glimpse
    assert glimpse.lines[0] == f"ROI {neuron + 1}"
    assert glimpse.lines[1].startswith(f"cluster {session.clusters.labels[neuron]}")
    around = task.traces[neuron, 90:270]
    assert (glimpse.low.min(), glimpse.high.max()) == (around.min(), around.max())
    assert glimpse.now == pytest.approx(0.5, abs=0.01)
    assert picture(plot.card).std() > 15, "the card is drawn empty"
    session.seek(0.0)
    assert plot.card.glimpse.now == 0
    session.set_accepted((neuron,), False)
    session.set_colour_by("mean_dff")
    qtbot.waitUntil(lambda: view._colouring.name == "mean")
    plot.look_again()
    assert plot.card.glimpse.lines[0] == f"ROI {neuron + 1} (rejected)"
    assert plot.card.glimpse.lines[2].startswith("mean ")
    hover(plot, QPointF(plot.width() - 3, plot.height() - 40))
    assert not plot.card.isVisible()
    # Nothing has moved for it.
    assert (view.size(), plot.size()) == sizes


def test_the_card_does_not_lie_under_the_mouse(view, session, place_in_plot):
    plot, points = view.plot, session.neuron_map.points
    for neuron in (points[:, 0].argmin(), points[:, 0].argmax()):
        at = place_in_plot(plot, *points[neuron, :2])
        hover(plot, at)
        assert not plot.card.geometry().contains(at)


@pytest.mark.parametrize(
    ("time_s", "start", "stop"), [(50.0, 350, 650), (2.0, 0, 300), (99.9, 700, 1000)]
)
def test_the_mini_trace_covers_half_a_minute_around_the_moment(time_s, start, stop):
    trace = np.random.default_rng(0).normal(size=1000)
    low, high, now = extremes_around(trace, 10.0, time_s, 60)
    np.testing.assert_array_equal(low, trace[start:stop].reshape(60, 5).min(axis=1))
    np.testing.assert_array_equal(high, trace[start:stop].reshape(60, 5).max(axis=1))
    assert now == pytest.approx((round(time_s * 10) - start) / (stop - start - 1))


def test_the_mini_trace_of_a_short_recording_is_all_of_it():
    low, high, now = extremes_around(np.arange(5.0), 10.0, 9.0, 100)
    np.testing.assert_array_equal(low, np.arange(5))
    np.testing.assert_array_equal(high, np.arange(5))
    assert now == 1


def test_density_has_the_mean_colour_and_grows_with_the_points():
    view = ((0.0, 40.0), (0.0, 20.0))
    points = np.array([[5.5, 5.5]] + [[15.5, 5.5]] * 4 + [[30.5, 10.5]] * 2 + [[99.0, 5.0]])
    colours = np.array([[200, 0, 0]] * 5 + [[200, 0, 0], [0, 100, 0]] + [[9, 9, 9]], np.uint8)
    shown = density_picture(points, colours, view, 40, 20)
    assert shown.shape == (20, 40, 4)
    alone, four, mixed = shown[5, 5], shown[5, 15], shown[10, 30]
    assert alone[3] == pytest.approx(255 * 0.45, abs=1)
    assert four[3] == pytest.approx(255 * (1 - 0.55**4), abs=1)
    np.testing.assert_array_equal(mixed[:3], [100, 50, 0])
    np.testing.assert_array_equal(shown[6, 6], alone)
    assert (shown[..., 3] > 0).sum() == 3 * 9


@pytest.fixture
def crowd():
    """A session with 5,000 neurons in two clouds."""
    rng = np.random.default_rng(0)
    session = Session()
    traces = rng.normal(size=(5000, 200)).astype(np.float32)
    session.set_recording(Recording(traces, 10.0, name="crowd"))
    points = rng.normal(size=(5000, 2))
    points[2500:, 0] += 10
    points[7] = np.nan
    none = np.zeros(5000, bool)
    session.set_embedding(None, NeuronMap(points, "PCA", np.array([0.5, 0.3]), none))
    return session


def test_a_crowd_is_drawn_as_density_and_still_clicked_and_lassoed(
    crowd, qtbot, drag, place_in_plot
):
    view = shown_view(crowd, qtbot)
    plot, points = view.plot, crowd.neuron_map.points
    qtbot.waitUntil(lambda: plot.is_dense and plot.density.image is not None)
    assert len(plot.neurons.data) == 0
    assert view.caption == "5,000 points, more opaque where dense"
    assert picture(plot)[40:-60, 60:-20].std() > 10, "the density is drawn empty"
    far = int(np.nanargmax(points[:, 0]))
    qtbot.mouseClick(
        plot.viewport(), Qt.MouseButton.LeftButton, pos=place_in_plot(plot, *points[far])
    )
    qtbot.waitUntil(lambda: crowd.selection == (far,))
    (_left, right), (bottom, top) = plot.getViewBox().viewRange()
    inset = 0.02 * (top - bottom)
    corners = [(5, bottom), (5, top), (right, top), (right, bottom), (5, bottom)]
    drag(
        plot.viewport(),
        [
            place_in_plot(plot, min(x, right - 0.1), np.clip(y, bottom + inset, top - inset))
            for x, y in corners
        ],
    )
    qtbot.waitUntil(lambda: set(crowd.selection) == set(range(2500, 5000)))
    assert len(plot.rings.data) == 2500
    view.release()


def test_zooming_into_a_crowd_draws_it_anew(crowd, qtbot):
    view = shown_view(crowd, qtbot)
    plot = view.plot
    qtbot.waitUntil(lambda: plot.is_dense and plot.density.image is not None)
    before = plot.density.image.copy()
    plot.getViewBox().setXRange(-1, 1, padding=0)
    qtbot.waitUntil(lambda: not np.array_equal(plot.density.image, before))
    assert plot.density.mapRectToParent(plot.density.boundingRect()).width() == pytest.approx(2)
    view.release()
