"""The corner of the canvas says the moment and names every colour that is seen."""

import pytest
from napari.components import ViewerModel

from napari_calm.widgets.canvas_text import CanvasText
from napari_calm.widgets.cursor import TimeCursor
from napari_calm.widgets.layers import ACTIVITY, SessionLayers
from napari_calm.widgets.session import Session

from .test_decode_section import canvas_text
from .test_views import forecast_of


@pytest.fixture
def session():
    return Session()


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture(autouse=True)
def layers(viewer, session):
    layers = SessionLayers(viewer, session)
    parts = [layers, TimeCursor(viewer, session), CanvasText(viewer, session, layers)]
    yield layers
    for part in parts:
        part.close()


def lines(viewer):
    return [line.strip() for line in canvas_text(viewer).split("\n")]


def test_colours_are_named_with_their_unit_while_their_layer_is_seen(
    viewer, session, recording
):
    session.set_recording(recording)
    session.seek(10.0)
    assert lines(viewer) == ["t = 10.0 s", "magenta: measured dF/F"]
    viewer.layers[ACTIVITY].visible = False
    assert lines(viewer) == ["t = 10.0 s"]
    viewer.layers[ACTIVITY].visible = True
    viewer.layers[ACTIVITY].colormap = "viridis"
    assert lines(viewer) == ["t = 10.0 s", "viridis: measured dF/F"]
    viewer.layers.remove(ACTIVITY)
    assert lines(viewer) == ["t = 10.0 s"]


def test_a_forecast_and_its_error_are_named_as_far_as_they_reach(viewer, session, recording):
    session.set_recording(recording)
    forecast = forecast_of(recording, start_frame=200, horizon_frames=12)
    session.set_forecast(forecast)
    before, within, after = ((200 + frames) / 6 for frames in (-1, 3, 12))
    session.seek(within)
    assert lines(viewer) == [
        f"t = {within:.1f} s (0.5 s ahead)",
        "magenta: measured dF/F",
        "green: zero-shot forecast, dF/F",
    ]
    for outside in (before, after):
        session.seek(outside)
        assert lines(viewer) == [f"t = {outside:.1f} s", "magenta: measured dF/F"]


def test_the_error_map_is_named(viewer, layers, session, recording):
    session.set_recording(recording)
    session.set_forecast(forecast_of(recording, start_frame=200, horizon_frames=12))
    session.seek(200 / 6)
    layers.show_error_map(True)
    assert "inferno: its error, dF/F" in lines(viewer)
    layers.show_error_map(False)
    assert not any("error" in line for line in lines(viewer))


def test_without_a_recording_nothing_is_written(viewer, session, recording):
    session.set_recording(recording)
    session.set_recording(None)
    canvas = getattr(viewer, "canvas", None)
    overlay = viewer.text_overlay if canvas is None else canvas.overlays.text
    assert not overlay.visible
