"""One cursor, one selection: layers, slider and trace panel show the same thing."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_calm.core.forecast import Forecast
from napari_calm.core.token_map import TokenMap
from napari_calm.widgets import layers
from napari_calm.widgets.cursor import TimeCursor
from napari_calm.widgets.layers import SessionLayers, token_colormap
from napari_calm.widgets.most_active import most_active
from napari_calm.widgets.palette import neuron_colour, token_colours
from napari_calm.widgets.picking import RoiPicking
from napari_calm.widgets.scale_bar import nice_length
from napari_calm.widgets.session import Session
from napari_calm.widgets.trace_panel import TracePanel, picture_of

ZERO_SHOT_FORECAST = f"{layers.FORECAST} (zero-shot)"


@pytest.fixture
def session():
    return Session()


@pytest.fixture
def shown(viewer, session, recording):
    parts_layers = SessionLayers(viewer, session)
    parts = [
        parts_layers,
        TimeCursor(viewer, session),
        RoiPicking(viewer, session, parts_layers),
    ]
    session.set_recording(recording, pixel_size_um=2.0)
    yield viewer
    for part in parts:
        part.close()


def forecast_of(recording, start_frame=200, horizon_frames=12, n_samples=3):
    rng = np.random.default_rng(0)
    shape = (recording.n_neurons, horizon_frames)
    samples = rng.random((n_samples, *shape))
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    return Forecast(
        samples.mean(0),
        np.quantile(samples, levels, axis=0),
        levels,
        samples,
        start_frame,
        recording.frame_rate_hz,
        np.zeros(recording.n_neurons),
        np.ones(recording.n_neurons),
    )


def test_slider_and_session_time_are_one(shown, session):
    shown.dims.set_current_step(0, 60)
    assert session.time_s == pytest.approx(10.0)
    session.seek(20.0)
    assert shown.dims.current_step[0] == 120


def test_a_click_on_an_roi_selects_it_and_shift_adds(shown, session, recording):
    y, x = recording.footprints.centroids_px[2] * 2.0
    picking = RoiPicking(shown, session, SessionLayers(shown, session))
    picking.pick((0.0, y, x))
    assert session.selection == (2,)
    y, x = recording.footprints.centroids_px[0] * 2.0
    picking.pick((0.0, y, x), adding=True)
    assert session.selection == (2, 0)
    picking.pick((0.0, 70.0, 70.0))
    assert session.selection == (2, 0)
    picking.close()


def test_a_real_click_on_the_canvas_selects_the_roi_under_it(
    shown_viewer, session, recording, qtbot, canvas_of
):
    viewer = shown_viewer
    shown_layers = SessionLayers(viewer, session)
    parts = [shown_layers, RoiPicking(viewer, session, shown_layers)]
    session.set_recording(recording, pixel_size_um=2.0)
    y, x = recording.footprints.centroids_px[1] * 2.0
    scene = getattr(viewer, "scene", viewer)  # napari 0.9 moved the camera there
    scene.camera.center = (0.0, y, x)
    qtbot.wait(100)
    canvas = canvas_of()
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    assert session.selection == (1,)
    for part in parts:
        part.close()


def test_a_painting_user_does_not_change_the_selection(shown, session, recording):
    labels = shown.add_labels(np.zeros((40, 40), int))
    labels.mode = "paint"
    shown.layers.selection.active = labels
    before = session.selection
    picking = RoiPicking(shown, session, SessionLayers(shown, session))
    picking.pick((0.0, *(recording.footprints.centroids_px[3] * 2.0)))
    assert session.selection == before
    picking.close()


def test_selected_rois_have_the_colours_of_their_traces(shown, session, recording):
    session.select((3, 1))
    colours = shown.layers[layers.ROIS].colormap
    for position, neuron in enumerate((3, 1)):
        label = recording.footprints.label_values[neuron]
        expected = np.array(neuron_colour(position)) / 255
        np.testing.assert_allclose(colours.map(label)[:3], expected, atol=0.01)


def test_the_default_selection_is_the_most_active_neurons(recording):
    shared = [np.cov(trace[1:], trace[:-1])[0, 1] for trace in recording.traces]
    assert most_active(recording, 2) == tuple(np.argsort(shared)[::-1][:2])


def test_noise_is_not_taken_for_activity(recording):
    traces = recording.traces.copy()
    noise = np.random.default_rng(1).normal(size=traces.shape[1])
    # Its frames share nothing with the next, by their order.
    traces[2] = 3 * traces.std() * np.where(np.arange(len(noise)) % 2, 1, -1) * np.abs(noise)
    assert most_active(replace(recording, traces=traces), 4)[-1] == 2


def test_features_are_matched_to_labels_by_their_index(shown, recording):
    features = shown.layers[layers.ROIS].features
    assert list(features["index"]) == [0, *recording.footprints.label_values]
    means = recording.traces.mean(axis=1)
    np.testing.assert_allclose(features["mean_dff"], [np.nan, *means], atol=1e-4)


def test_each_code_is_drawn_in_its_own_colour():
    colormap = token_colormap(128)
    codes = np.arange(128)
    scaled = (codes + 0.5) / 128  # contrast limits -0.5 to 127.5
    np.testing.assert_allclose(colormap.map(scaled), token_colours(128), atol=1e-6)
    assert len(np.unique(token_colours(128), axis=0)) == 128


def test_a_new_recording_takes_the_old_results_away(shown, session, recording):
    session.set_tokens(TokenMap(np.zeros((4, 100), int), 32, 4, 6.0, 6.0, 400))
    session.set_forecast(forecast_of(recording))
    assert layers.TOKENS in shown.layers
    assert ZERO_SHOT_FORECAST in shown.layers
    session.set_recording(recording)
    assert layers.TOKENS not in shown.layers
    assert ZERO_SHOT_FORECAST not in shown.layers


def test_a_layer_that_the_user_deleted_comes_back_with_the_next_result(
    shown, session, recording
):
    session.set_forecast(forecast_of(recording))
    shown.layers.remove(ZERO_SHOT_FORECAST)
    session.set_forecast(forecast_of(recording, start_frame=210))
    assert shown.layers[ZERO_SHOT_FORECAST].translate[0] == pytest.approx(35.0)


@pytest.fixture
def trace_panel(viewer, session, recording, qtbot):
    session.set_recording(recording)
    panel = TracePanel(viewer, session)
    qtbot.addWidget(panel)
    panel.resize(800, 300)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.release_once()


def test_a_click_in_the_plot_seeks(trace_panel, session, qtbot):
    trace_panel.plot.sought.emit(12.3)
    qtbot.waitUntil(lambda: session.time_s == 12.3)
    trace_panel.plot.sought.emit(1e6)
    qtbot.waitUntil(lambda: session.time_s == pytest.approx(399 / 6))


def test_a_real_click_lands_at_the_time_under_the_mouse(trace_panel, session, qtbot):
    plot = trace_panel.plot
    inside = plot.getViewBox().sceneBoundingRect().center()
    expected = plot.getViewBox().mapSceneToView(inside).x()
    at = plot.mapFromScene(inside)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(at.x(), at.y()))
    qtbot.waitUntil(lambda: session.time_s > 0, timeout=2000)
    assert session.time_s == pytest.approx(expected, abs=0.3)


def test_the_cursor_stands_at_the_sessions_time(trace_panel, session):
    session.seek(30.0)
    assert trace_panel.plot._cursor.value() == 30.0


def test_the_plot_shows_the_selected_traces_with_fan_and_tokens(session, recording):
    session.set_recording(recording)
    session.select((2, 0))
    forecast = forecast_of(recording)
    session.set_forecast(forecast)
    tokens = np.arange(400).reshape(4, 100) % 32
    session.set_tokens(TokenMap(tokens, 32, 4, 6.0, 6.0, 400))
    picture = picture_of(session)
    assert [row.name for row in picture.rows] == ["ROI 3", "ROI 1"]
    first = picture.rows[0]
    np.testing.assert_array_equal(first.trace, recording.traces[2])
    np.testing.assert_array_equal(first.fan.mean, forecast.mean[2])
    np.testing.assert_array_equal(first.fan.wide[1], forecast.quantiles[4, 2])
    np.testing.assert_array_equal(first.fan.narrow[0], forecast.quantiles[1, 2])
    assert first.fan.time_s[0] == pytest.approx(200 / 6)
    expected = (token_colours(32)[tokens[2]] * 255).astype(np.uint8)
    np.testing.assert_array_equal(first.strip.colours, expected)
    assert picture.start_s == pytest.approx(200 / 6)


def test_a_single_trajectory_has_no_bands(session, recording):
    session.set_recording(recording)
    session.set_forecast(forecast_of(recording, n_samples=1))
    assert picture_of(session).rows[0].fan.wide is None


def test_the_error_stands_under_the_fan_as_far_as_the_truth_goes(
    trace_panel, session, recording, qtbot
):
    session.set_recording(recording)
    session.select((2, 0))
    smoothed = [recording.traces[2, 0]]
    for value in recording.traces[2, 1:]:
        smoothed.append(0.3 * value + 0.7 * smoothed[-1])
    drawn = trace_panel.plot
    for start, known in ((200, 12), (395, 5), (400, 0)):
        forecast = replace(forecast_of(recording, start_frame=start), smoothing_alpha=0.3)
        session.set_forecast(forecast)
        qtbot.waitUntil(lambda start=start: drawn._picture.start_s == pytest.approx(start / 6))
        fan = drawn._picture.rows[0].fan
        # Bands begin above zero, errors on it.
        filled = [fill for fill in drawn.stack.fills if not fill.low.any()]
        assert len(filled) == (2 if known else 0)
        assert ("error" in trace_panel.legend.text()) == bool(known)
        if known:
            expected = np.abs(smoothed[start : start + known] - forecast.mean[2, :known])
            np.testing.assert_allclose(fan.error, expected, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(filled[0].time_s, (start + np.arange(known)) / 6)
            np.testing.assert_allclose(filled[0].high, expected, rtol=1e-4, atol=1e-6)
        else:
            assert fan.error is None


def test_a_new_recording_is_shown_from_its_beginning(trace_panel, session, recording, qtbot):
    def shown_s():
        return trace_panel.plot.getViewBox().viewRange()[0]

    qtbot.waitUntil(lambda: shown_s() == pytest.approx([0.0, recording.duration_s]))
    session.set_forecast(forecast_of(recording))
    qtbot.waitUntil(lambda: shown_s()[0] > 5 and shown_s()[1] > 200 / 6 + 2)


def test_one_new_recording_is_drawn_once(trace_panel, session, recording, monkeypatch, qtbot):
    qtbot.wait(50)
    drawn = []
    monkeypatch.setattr(
        trace_panel.plot, "show_picture", lambda picture, _view=None: drawn.append(picture)
    )
    session.set_recording(recording)
    session.set_forecast(forecast_of(recording))
    qtbot.waitUntil(lambda: bool(drawn))
    qtbot.wait(50)
    assert len(drawn) == 1
    assert drawn[0].rows[0].fan is not None


def test_nothing_is_drawn_while_hidden_and_all_when_shown(
    trace_panel, session, monkeypatch, qtbot
):
    drawn = []
    monkeypatch.setattr(
        trace_panel.plot, "show_picture", lambda picture, _view=None: drawn.append(picture)
    )
    trace_panel.hide()
    session.select((1,))
    session.seek(5.0)
    qtbot.wait(50)
    assert drawn == []
    trace_panel.show()
    assert [row.name for row in drawn[-1].rows] == ["ROI 2"]


def test_a_released_panel_hears_nothing_more(trace_panel, session, monkeypatch):
    trace_panel.release_once()
    drawn = []
    monkeypatch.setattr(
        trace_panel.plot, "show_picture", lambda picture, _view=None: drawn.append(picture)
    )
    session.select((1,))
    assert drawn == []


@pytest.mark.parametrize(
    ("at_most", "expected"), [(0.7, 0.5), (1.0, 1.0), (4.9, 2.0), (0.03, 0.02)]
)
def test_scale_bars_are_round_numbers(at_most, expected):
    assert nice_length(at_most) == pytest.approx(expected)


def test_of_the_token_map_only_the_chosen_code_is_left(shown, session):
    codes = np.arange(400).reshape(4, 100) % 32
    session.set_tokens(TokenMap(codes, 32, 4, 6.0, 6.0, 400))
    session.set_code(7)
    scaled = (np.arange(32) + 0.5) / 32
    seen = shown.layers[layers.TOKENS].colormap.map(scaled)[:, 3]
    np.testing.assert_array_equal(np.flatnonzero(seen > 0), [7])
    session.set_code(None)
    assert (shown.layers[layers.TOKENS].colormap.map(scaled)[:, 3] == 1).all()


def test_trials_are_a_band_under_the_traces(viewer, session, task, qtbot):
    session.set_recording(task)
    panel = TracePanel(viewer, session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.band.currentText() == "cue"
    qtbot.waitUntil(lambda: panel.plot._picture.band is not None)
    colours = panel.plot._picture.band.colours
    assert len(colours) == task.n_frames
    sides = np.repeat(task.trials["cue"].to_numpy(), 40)
    assert (
        len({(side, *colour) for side, colour in zip(sides, colours.tolist(), strict=True)})
        == 2
    )
    panel.band.setCurrentText("no band")
    qtbot.waitUntil(lambda: panel.plot._picture.band is None)
    panel.release_once()
