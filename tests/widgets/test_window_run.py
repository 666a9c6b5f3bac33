"""The main job with real clicks: sample, Extract, Tokenise, Forecast, and what can go wrong."""

import time

import numpy as np
import pytest
from qtpy.QtCore import Qt
from superqt.utils import WorkerBase

from napari_calm.core.progress import Progress
from napari_calm.widgets import layers
from napari_calm.widgets.job import Ending
from napari_calm.widgets.panel import TRACES_DOCK, CalmPanel

ZERO_SHOT_FORECAST = f"{layers.FORECAST} (zero-shot)"
ZERO_SHOT_ERROR = f"{layers.FORECAST_ERROR} (zero-shot)"


@pytest.fixture
def with_sample(panel, qtbot):
    qtbot.mouseClick(panel.recording.opener.open_sample, Qt.MouseButton.LeftButton)
    return panel


def layer_names(viewer):
    return [layer.name for layer in viewer.layers]


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_sample_extract_tokenise_forecast_gives_layers_and_numbers(
    viewer, with_sample, press, qtbot
):
    panel, session = with_sample, with_sample.session
    assert panel.recording.frame_rate_hz == pytest.approx(6.0)
    assert press(panel, panel.recording.extract).ending is Ending.DONE
    recording = session.recording
    assert press(panel, panel.tokens.tokenise).ending is Ending.DONE
    start_frame = 300
    session.seek(start_frame / recording.frame_rate_hz)
    assert viewer.dims.current_step[0] == start_frame
    assert panel.forecast.start_frame.value() == start_frame
    assert press(panel, panel.forecast.forecast).ending is Ending.DONE

    names = ("Y-maze movie", layers.ROIS, layers.ACTIVITY, layers.TOKENS, ZERO_SHOT_FORECAST)
    assert set(names) <= set(layer_names(viewer))
    pixel_um = session.pixel_size_um
    for layer in viewer.layers:
        in_image = slice(-2, None)
        assert layer.scale[in_image] == pytest.approx([pixel_um, pixel_um])
        assert [str(unit) for unit in layer.units[in_image]] == ["micrometer"] * 2
        assert tuple(layer.axis_labels[in_image]) == ("y", "x")
        if layer.ndim == 3:
            assert layer.scale[0] == pytest.approx(1 / recording.frame_rate_hz)
            assert str(layer.units[0]) == "second"
            assert layer.axis_labels[0] == "time"
    forecast_layer = viewer.layers[ZERO_SHOT_FORECAST]
    assert forecast_layer.translate[0] == pytest.approx(start_frame / recording.frame_rate_hz)

    assert forecast_layer.data.shape == (30, *recording.footprints.image_shape)
    labels = recording.footprints.label_image
    for neuron, label in enumerate(recording.footprints.label_values):
        inside = labels == label
        activity = np.asarray(viewer.layers[layers.ACTIVITY].data[123])[inside]
        np.testing.assert_array_equal(activity, recording.traces[neuron, 123])
        painted = np.asarray(forecast_layer.data[7])[inside]
        np.testing.assert_array_equal(painted, session.forecast.mean[neuron, 7])
        tokens = np.asarray(viewer.layers[layers.TOKENS].data[123])[inside]
        spoken = session.tokens.tokens[neuron, session.tokens.token_of_frame()[123]]
        assert set(tokens[np.isfinite(tokens)]) <= {spoken}
    assert np.isnan(np.asarray(forecast_layer.data[7])[labels == 0]).all()

    assert ZERO_SHOT_ERROR not in layer_names(viewer)
    panel.forecast.error_map.click()
    error = viewer.layers[ZERO_SHOT_ERROR].data
    inside = labels == recording.footprints.label_values[3]
    wrong_by = abs(recording.traces[3, start_frame + 5] - session.forecast.mean[3, 5])
    np.testing.assert_allclose(np.asarray(error[5])[inside], wrong_by, rtol=1e-5)

    assert f"{session.tokens.used_codes} used" in panel.tokens.result.text()
    assert "copy last" in panel.forecast.result.text()
    assert "AR" in panel.forecast.result.text()


def test_running_again_replaces_layers_instead_of_stacking_them(
    viewer, with_sample, press, qtbot
):
    panel = with_sample
    for _ in range(2):
        press(panel, panel.recording.extract)
        press(panel, panel.tokens.tokenise)
        panel.session.seek(50.0)
        press(panel, panel.forecast.forecast)
    names = layer_names(viewer)
    assert len(names) == len(set(names)) == 6


def test_a_closed_trace_panel_can_be_opened_again(viewer, with_sample, press, qtbot):
    panel = with_sample
    assert not panel.recording.show_traces.isEnabled()
    press(panel, panel.recording.extract)
    assert TRACES_DOCK in viewer.window.dock_widgets
    viewer.window.remove_dock_widget(panel.traces)
    assert TRACES_DOCK not in viewer.window.dock_widgets
    click(qtbot, panel.recording.show_traces)
    assert TRACES_DOCK in viewer.window.dock_widgets


def test_a_forecast_past_the_end_extends_the_slider(viewer, with_sample, press):
    panel = with_sample
    press(panel, panel.recording.extract)
    recording = panel.session.recording
    panel.forecast.follow.setChecked(False)
    panel.forecast.error_map.setChecked(True)
    panel.forecast.start_frame.setValue(recording.n_frames)
    press(panel, panel.forecast.forecast)
    last_s = (recording.n_frames + 30 - 1) / recording.frame_rate_hz
    assert viewer.dims.range[0].stop == pytest.approx(last_s)
    assert panel.session.skill is None
    assert "Past the end" in panel.forecast.result.text()
    assert ZERO_SHOT_ERROR not in layer_names(viewer)


def test_what_is_missing_is_said_in_place(panel):
    assert not panel.recording.extract.isEnabled()
    assert "Open a movie first" in panel.recording.extract.toolTip()
    for section in (panel.recording, panel.tokens, panel.forecast):
        assert section.result.isVisibleTo(panel)
        assert "first" in section.result.text()
    for button in (panel.tokens.tokenise, panel.forecast.forecast):
        assert not button.isEnabled()
        assert "Extract traces first" in button.toolTip()


def test_a_start_without_enough_before_it_is_refused_with_the_reason(with_sample, press):
    panel = with_sample
    press(panel, panel.recording.extract)
    press(panel, panel.tokens.tokenise)
    panel.session.seek(0.0)
    assert not panel.forecast.forecast.isEnabled()
    assert "before the start" in panel.forecast.forecast.toolTip()
    assert "before the start" in panel.forecast.start_time.text()


def test_a_missing_frame_rate_is_asked_for_in_the_panel(with_sample):
    panel = with_sample
    panel.recording.frame_rate.setValue(0.0)
    assert not panel.recording.extract.isEnabled()
    assert "Give the frame rate first" in panel.recording.result.text()
    assert "Give the frame rate first" in panel.recording.extract.toolTip()
    panel.recording.frame_rate.setValue(6.0)
    assert panel.recording.extract.isEnabled()


def test_extraction_leaves_the_slider_at_its_frame(viewer, panel, press):
    viewer.add_image(100 + np.random.default_rng(0).random((300, 20, 20)), name="no rate")
    viewer.add_labels(np.ones((20, 20), int), name="one")
    panel.recording.frame_rate.setValue(10.0)
    viewer.dims.set_current_step(0, 150)
    press(panel, panel.recording.extract)
    assert viewer.dims.current_step[0] == 150
    assert panel.session.time_s == pytest.approx(15.0)


def test_a_forecast_scored_on_few_frames_says_so(with_sample, press):
    panel = with_sample
    press(panel, panel.recording.extract)
    recording = panel.session.recording
    panel.session.seek((recording.n_frames - 3) / recording.frame_rate_hz)
    press(panel, panel.forecast.forecast)
    assert "Scored on 3 of 30 frames only" in panel.forecast.result.text()


def test_movie_and_rois_of_different_size_are_told_apart_in_the_panel(viewer, panel, press):
    viewer.add_image(np.random.default_rng(0).random((50, 20, 20)), name="small")
    viewer.add_labels(np.ones((30, 30), int), name="large")
    panel.recording.frame_rate.setValue(6.0)
    report = press(panel, panel.recording.extract)
    assert report.ending is Ending.ERROR
    assert "20" in report.message
    assert "30" in report.message


def test_a_recording_shorter_than_one_context_is_told_in_the_panel(viewer, panel, press):
    rng = np.random.default_rng(0)
    viewer.add_image(100 + rng.random((30, 20, 20)), name="short")
    viewer.add_labels(np.ones((20, 20), int), name="one")
    panel.recording.frame_rate.setValue(6.0)
    press(panel, panel.recording.extract)
    report = press(panel, panel.tokens.tokenise)
    assert report.ending is Ending.ERROR
    assert "30" in report.message
    assert panel.tokens.tokenise.isEnabled()


def slow_steps(seconds, step_s=0.05):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(step_s)
        yield Progress(1, 2, "waiting")


def test_cancel_stops_a_long_job_within_a_second_and_the_panel_works_on(
    with_sample, press, qtbot, monkeypatch
):
    panel = with_sample
    press(panel, panel.recording.extract)
    model = panel.model.source._model
    forecast_steps = type(model).forecast_steps

    def slow_forecast(model, recording, **request):
        yield from slow_steps(60.0)
        return (yield from forecast_steps(model, recording, **request))

    with monkeypatch.context() as patch:
        patch.setattr(type(model), "forecast_steps", slow_forecast)
        panel.session.seek(60.0)
        click(qtbot, panel.forecast.forecast)
        qtbot.waitUntil(lambda: "waiting" in panel.job_bar.message.text())
        assert not panel.forecast.forecast.isEnabled()
        asked_at = time.monotonic()
        with qtbot.waitSignal(panel.job.ended, timeout=2000) as ended:
            click(qtbot, panel.job_bar.cancel)
        assert time.monotonic() - asked_at < 1.0
    assert ended.args[0].ending is Ending.CANCELLED
    assert panel.session.forecast is None
    assert press(panel, panel.forecast.forecast).ending is Ending.DONE
    assert panel.session.forecast is not None


def test_the_panel_closed_during_a_job_leaves_no_worker(
    viewer, with_sample, qtbot, monkeypatch
):
    panel = with_sample
    stopped = []

    def endless(*_args, **_kwargs):
        try:
            yield from slow_steps(60.0, 0.02)
        finally:
            stopped.append(True)

    monkeypatch.setattr("napari_calm.extraction.extract.extract_steps", endless)
    click(qtbot, panel.recording.extract)
    qtbot.waitUntil(lambda: "waiting" in panel.job_bar.message.text())
    viewer.window.remove_dock_widget(panel)
    qtbot.waitUntil(lambda: stopped == [True] and not WorkerBase._worker_set, timeout=2000)
    assert panel.session.recording is None


def test_the_movie_layer_deleted_during_extraction_does_not_harm_it(
    viewer, with_sample, qtbot, monkeypatch
):
    from napari_calm.extraction import extract

    panel, real = with_sample, extract.extract_steps

    def slow_extract(*args, **kwargs):
        yield from slow_steps(0.3, 0.02)
        return (yield from real(*args, **kwargs))

    monkeypatch.setattr(extract, "extract_steps", slow_extract)
    with qtbot.waitSignal(panel.job.ended, timeout=10_000) as ended:
        click(qtbot, panel.recording.extract)
        qtbot.waitUntil(lambda: "waiting" in panel.job_bar.message.text())
        for name in ("Y-maze movie", "Y-maze ROIs"):
            viewer.layers.remove(name)
    assert ended.args[0].ending is Ending.DONE
    assert set(layer_names(viewer)) == {layers.ACTIVITY, layers.ROIS}


def test_a_double_click_extracts_once(with_sample, qtbot):
    panel, reports = with_sample, []
    panel.job.ended.connect(reports.append)
    click(qtbot, panel.recording.extract)
    click(qtbot, panel.recording.extract)
    qtbot.mouseDClick(panel.recording.extract, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.job.running, timeout=10_000)
    qtbot.wait(100)
    assert len(reports) == 1


def test_the_forecast_is_saved_as_it_is(with_sample, press, tmp_path):
    from napari_calm.io.results import read_forecast

    panel = with_sample
    press(panel, panel.recording.extract)
    panel.session.seek(60.0)
    press(panel, panel.forecast.forecast)
    panel.forecast.save_to(tmp_path / "forecast.npz")
    np.testing.assert_array_equal(
        read_forecast(tmp_path / "forecast.npz").samples, panel.session.forecast.samples
    )
    panel.forecast.save_to(tmp_path / "forecast.txt")
    assert "Not saved" in panel.forecast.result.text()


def test_unloading_forgets_the_model(with_sample, press, qtbot):
    panel = with_sample
    press(panel, panel.recording.extract)
    press(panel, panel.tokens.tokenise)
    click(qtbot, panel.model.unload)
    assert panel.session.model is None
    assert panel.model.source._model is None
    assert not panel.model.unload.isEnabled()


def test_the_window_closed_during_a_job_stops_it(
    make_napari_viewer_proxy, no_looking_around, qtbot
):
    viewer = make_napari_viewer_proxy(show=True)
    panel, stopped = CalmPanel(viewer), []
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)

    def endless():
        try:
            yield from slow_steps(60.0, 0.02)
        finally:
            stopped.append(True)

    panel.job.start(endless(), title="Endless", on_done=print)
    qtbot.waitUntil(lambda: "waiting" in panel.job_bar.message.text())
    viewer.close()
    qtbot.waitUntil(lambda: stopped == [True], timeout=2000)
    qtbot.waitUntil(lambda: not WorkerBase._worker_set)
