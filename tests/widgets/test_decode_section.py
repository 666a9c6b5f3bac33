"""Decoding with real clicks: what the panel, the movie, the layers and the dock show."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_calm.core.footprints import Footprints
from napari_calm.core.progress import Progress
from napari_calm.core.recording import Recording
from napari_calm.decoding.applied import Applied
from napari_calm.decoding.decode import decode
from napari_calm.decoding.decoder_file import load_decoder
from napari_calm.model.adaptation import Adaptation
from napari_calm.model.calm import CalmModel
from napari_calm.preprocess.smooth import smooth_causally
from napari_calm.widgets.decoding_view import DecodingView
from napari_calm.widgets.explore_panel import EXPLORE_DOCK
from napari_calm.widgets.job import Ending

N_NEURONS, N_FRAMES, RATE_HZ = 8, 300, 6.0


def _footprints():
    y, x = np.divmod(np.arange(49), 7)
    pixels = [(y + 10, x + 2 + 9 * number, np.ones(49)) for number in range(N_NEURONS)]
    return Footprints.from_pixels(pixels, (30, 80), source="squares")


@pytest.fixture(scope="module")
def behaving():
    """Four neurons that follow a speed, four that do not; two states of the speed."""
    rng = np.random.default_rng(2)
    speed = smooth_causally(rng.standard_normal((1, N_FRAMES)), 0.3)[0]
    speed /= speed.std()
    traces = 0.4 * rng.standard_normal((N_NEURONS, N_FRAMES))
    traces[:4] += speed
    start = np.arange(12) * 25
    side = np.resize(["left", "right"], 12)
    for first, name in zip(start, side, strict=True):
        traces[4, first : first + 20] += 1.0 if name == "left" else -1.0
    return Recording(
        traces,
        RATE_HZ,
        "behaving",
        footprints=_footprints(),
        behaviour=pd.DataFrame({"speed": speed, "state": np.where(speed > 0, "up", "down")}),
        trials=pd.DataFrame({"start_frame": start, "stop_frame": start + 20, "side": side}),
    )


@pytest.fixture(scope="module")
def small_model():
    return CalmModel.random(seed=3, context_frames=16, max_frames=64)


@pytest.fixture(scope="module")
def known():
    """Hold what was decoded before, for tests of what becomes of it."""
    return {}


@pytest.fixture
def decoded_before(known, monkeypatch):
    """Let each variable be decoded once for all tests; those about decoding do without."""
    from napari_calm.decoding import decode as module

    real = module.decode_steps

    def decode_steps(model, recording, name, **options):
        key = (model.title, recording.traces.tobytes(), str(recording.behaviour), name)
        key += (options["kind"], options["settings"])
        if key not in known:
            known[key] = yield from real(model, recording, name, **options)
        yield Progress(1, 1, "decoded before")
        return known[key]

    monkeypatch.setattr(module, "decode_steps", decode_steps)


@pytest.fixture
def with_behaviour(panel, behaving, small_model):
    panel.model.source.put(small_model, "small", "auto")
    panel.model.choose("small")
    movie = np.zeros((N_FRAMES, 30, 80), np.uint8)
    panel._viewer.add_image(movie, scale=(1 / RATE_HZ, 1, 1), name="movie")
    panel.session.set_recording(behaving)
    panel.decode.choices.shifts.setValue(3)
    panel.decode.choices.folds.setValue(2)
    return panel


@pytest.fixture
def pick(qtbot):
    """Return a function that chooses an entry of a combo box as the keyboard does."""

    def pick(combo, text):
        row = combo.findText(text)
        assert row >= 0, [combo.itemText(i) for i in range(combo.count())]
        while combo.currentIndex() != row:
            down = combo.currentIndex() < row
            qtbot.keyClick(combo, Qt.Key.Key_Down if down else Qt.Key.Key_Up)

    return pick


@pytest.fixture
def view(with_behaviour, qtbot):
    """Return the view of what is decoded, shown; the docks of the tests' viewer are not."""
    view = DecodingView(with_behaviour.session)
    qtbot.addWidget(view)
    view.resize(900, 260)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.release()


def canvas_text(viewer):
    canvas = getattr(viewer, "canvas", None)
    return (viewer.text_overlay if canvas is None else canvas.overlays.text).text


def test_decode_says_and_shows_what_the_library_finds(
    viewer, with_behaviour, behaving, small_model, press, pick, qtbot, view
):
    section, session = with_behaviour.decode, with_behaviour.session
    pick(section.variable, "speed")
    assert press(with_behaviour, section.decode).ending is Ending.DONE
    expected = decode(small_model, behaving, "speed", shifts=3, folds=2)
    found = session.decoding
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-4, atol=1e-5)
    assert section.result.text().startswith(expected.verdict())
    assert EXPLORE_DOCK in viewer.window.dock_widgets
    explore = with_behaviour.explore
    assert explore.tabs.currentWidget() is explore.decoding
    qtbot.waitUntil(lambda: len(view.scores.rows) == 4)
    assert view.scores.rows["model"] == pytest.approx(expected.score.mean)
    assert view.scores.rows["reference"] == pytest.approx(expected.reference.mean)
    assert view.scores.rows["shifted"] == pytest.approx(expected.null.mean())
    axis = view.scores.getAxis("bottom")
    assert axis.tickStrings([0.5], axis.autoSIPrefixScale * axis.scale, 0.5) == ["0.5"]
    assert "0.001" not in axis.label.toPlainText()
    drawn = view.plot.decoded.yData
    np.testing.assert_allclose(drawn[found.number], found.outputs[:, 0])
    np.testing.assert_allclose(view.plot.measured.yData, behaving.behaviour["speed"])


@pytest.mark.usefixtures("decoded_before")
def test_weights_are_features_and_colours_of_the_rois(viewer, with_behaviour, press, pick):
    pick(with_behaviour.decode.variable, "speed")
    press(with_behaviour, with_behaviour.decode.decode)
    weights = with_behaviour.session.decoding.neuron_weights
    assert set(np.argsort(-weights)[:4]) == {0, 1, 2, 3}
    assert with_behaviour.session.colour_by == "speed: weight"
    layer = viewer.layers["CalM speed: weight"]
    labels = with_behaviour.session.recording.footprints.label_values
    table = layer.features.set_index("index")["speed: weight"]
    np.testing.assert_allclose(table[labels], weights, atol=1e-4)
    brightness = [layer.colormap.map(label)[:3].sum() for label in labels]
    assert min(brightness[:4]) > max(brightness[4:])


@pytest.mark.usefixtures("decoded_before")
def test_the_decoded_value_stands_on_the_movie_while_it_plays(
    viewer, with_behaviour, press, pick
):
    pick(with_behaviour.decode.variable, "state")
    press(with_behaviour, with_behaviour.decode.decode)
    session, found = with_behaviour.session, with_behaviour.session.decoding
    for sample in (30, 100):
        frame = int(found.number[sample])
        viewer.dims.set_point(0, frame / RATE_HZ)
        best = found.outputs[sample].argmax()
        said = (
            f"decoded state: {found.target.classes[best]} ({found.outputs[sample, best]:.0%})"
        )
        assert said in canvas_text(viewer)
    viewer.dims.set_point(0, 0.0)
    assert "decoded state: -" in canvas_text(viewer)
    session.set_recording(session.recording)
    assert "decoded" not in canvas_text(viewer)


@pytest.mark.usefixtures("decoded_before")
def test_classes_come_with_a_confusion_matrix_and_a_trace(
    with_behaviour, press, pick, qtbot, view
):
    pick(with_behaviour.decode.variable, "side")
    press(with_behaviour, with_behaviour.decode.decode)
    found = with_behaviour.session.decoding
    qtbot.waitUntil(lambda: view.stack.currentWidget() is view.confusion)
    qtbot.waitUntil(lambda: view.confusion.rowCount() == 2)
    share = found.confusion().loc["left", "right"]
    assert view.confusion.item(0, 1).text() == f"{share:.0%}"
    assert view.confusion.verticalHeaderItem(0).text() == "true left"
    pick(view.kind, "trace")
    view.kind.activated.emit(1)
    qtbot.waitUntil(lambda: view.stack.currentWidget() is view.plot)
    first = int(found.start_frame[0])
    assert view.plot.decoded.yData[first] == found.predicted[0]


@pytest.mark.usefixtures("decoded_before")
def test_all_variables_are_decoded_and_each_can_be_looked_at(
    with_behaviour, press, pick, qtbot, view
):
    section, session = with_behaviour.decode, with_behaviour.session
    pick(section.variable, "all columns")
    press(with_behaviour, section.decode, timeout=60_000)
    assert set(session.decodings) == {"speed", "state", "side"}
    qtbot.waitUntil(lambda: view.variable.count() == 3)
    other = next(
        name for name in session.decodings if session.decodings[name] is not session.decoding
    )
    pick(view.variable, other)
    view.variable.activated.emit(view.variable.currentIndex())
    assert session.decoding is session.decodings[other]
    assert session.decoding.verdict() in section.result.text()
    assert session.colour_by == f"{other}: weight"


@pytest.mark.usefixtures("decoded_before")
def test_a_click_in_the_decoded_trace_moves_in_time(with_behaviour, press, pick, qtbot, view):
    pick(with_behaviour.decode.variable, "speed")
    press(with_behaviour, with_behaviour.decode.decode)
    qtbot.waitUntil(lambda: view.plot.isVisible() and view.plot.decoded.yData is not None)
    qtbot.wait(50)
    box = view.plot.getViewBox()
    at = view.plot.mapFromScene(box.mapViewToScene(box.viewRect().center()))
    qtbot.mouseClick(view.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    middle = box.viewRect().center().x()
    qtbot.waitUntil(lambda: abs(with_behaviour.session.time_s - middle) < 1.0)


@pytest.mark.usefixtures("decoded_before")
def test_a_decoder_is_kept_and_applied_again(
    viewer, with_behaviour, behaving, press, pick, qtbot, tmp_path, monkeypatch, view
):
    from napari_calm.widgets import decode_section

    section, session = with_behaviour.decode, with_behaviour.session
    assert not section.save_decoder.isEnabled()
    pick(section.variable, "speed")
    press(with_behaviour, section.decode)
    path = tmp_path / "speed.safetensors"
    dialog = decode_section.QFileDialog
    monkeypatch.setattr(dialog, "getSaveFileName", lambda *_: (str(path)[:-12], ""))
    qtbot.mouseClick(section.save_decoder, Qt.MouseButton.LeftButton)
    assert "Saved to" in section.result.text()
    assert load_decoder(path).name == "speed"
    traces = behaving.traces.copy()
    traces[5] *= 0.1
    session.set_recording(replace(behaving, traces=traces, name="again"))
    assert session.decoded is None
    assert not any(layer.name.startswith("CalM speed") for layer in viewer.layers)
    monkeypatch.setattr(dialog, "getOpenFileName", lambda *_: (str(path), ""))
    assert press(with_behaviour, section.apply).ending is Ending.DONE
    expected = load_decoder(path)
    states = session.states_of(session.model, session.in_use.part)
    np.testing.assert_allclose(
        session.decoded.outputs, expected.read(session.recording, states).outputs
    )
    layer = viewer.layers["CalM speed (kept decoder): weight"]
    weights = expected.neuron_weights(session.recording, states)
    labels = session.recording.footprints.label_values
    table = layer.features.set_index("index")["speed (kept decoder): weight"]
    np.testing.assert_allclose(table[labels], weights, atol=1e-4)
    assert set(np.argsort(-weights)[:4]) == {0, 1, 2, 3}
    brightness = [layer.colormap.map(label)[:3].sum() for label in labels]
    assert min(brightness[:4]) > max(brightness[4:])
    assert "in again, by a decoder fitted to " in section.result.text()
    assert "no test" not in section.result.text()
    qtbot.waitUntil(lambda: view.stack.currentWidget() is view.plot)
    assert not view.scores.isVisible()


@pytest.mark.usefixtures("decoded_before")
def test_what_was_decoded_is_saved_as_it_is(
    with_behaviour, press, pick, qtbot, tmp_path, monkeypatch
):
    from napari_calm.widgets import decode_section

    section = with_behaviour.decode
    pick(section.variable, "state")
    press(with_behaviour, section.decode)
    path = tmp_path / "state.csv"
    monkeypatch.setattr(
        decode_section.QFileDialog, "getSaveFileName", lambda *_: (str(path), "Tables (*.csv)")
    )
    qtbot.mouseClick(section.save, Qt.MouseButton.LeftButton)
    found = with_behaviour.session.decoding
    table = pd.read_csv(path)
    np.testing.assert_array_equal(table["decoded"], found.table()["decoded"])
    section.save_to(tmp_path / "state.txt")
    assert "Not saved" in section.result.text()


def test_what_cannot_be_decoded_is_told_in_the_panel(
    with_behaviour, behaving, press, pick, qtbot
):
    section, session = with_behaviour.decode, with_behaviour.session
    rare = behaving.behaviour.assign(rare=np.where(np.arange(N_FRAMES) == 90, "once", "never"))
    session.set_behaviour(replace(behaving, behaviour=rare))
    pick(section.variable, "rare")
    report = press(with_behaviour, section.decode)
    assert report.ending is Ending.ERROR
    assert "rare: of" in report.message
    qtbot.mouseClick(section.more.heading, Qt.MouseButton.LeftButton)
    section.choices.trial_from.setValue(5.0)
    section.choices.trial_to.setValue(2.0)
    pick(section.variable, "side")
    qtbot.mouseClick(section.decode, Qt.MouseButton.LeftButton)
    assert "trial window goes from 5 s to 2.0" in section.result.text()
    session.set_recording(replace(behaving, behaviour=None, trials=None))
    assert not section.decode.isEnabled()
    assert "no behaviour" in section.result.text()


@pytest.mark.usefixtures("decoded_before")
def test_other_behaviour_drops_what_was_decoded(with_behaviour, behaving, press, pick):
    pick(with_behaviour.decode.variable, "state")
    press(with_behaviour, with_behaviour.decode.decode)
    session = with_behaviour.session
    states = session.states_of(session.model, session.in_use.part)
    assert states is not None
    session.set_behaviour(replace(behaving, behaviour=behaving.behaviour[["speed"]]))
    assert session.decoded is None
    assert not session.decodings
    assert session.states_of(session.model, session.in_use.part) is states


@pytest.mark.usefixtures("decoded_before")
def test_the_colours_of_another_decoder_go_where_the_applied_one_has_no_weights(
    viewer, with_behaviour, press, pick
):
    panel, session = with_behaviour, with_behaviour.session
    pick(panel.decode.variable, "speed")
    press(panel, panel.decode.decode)
    decoder = session.decoding.decoder
    mute = replace(decoder, fitted=replace(decoder.fitted, readouts={}, shares={}))
    states = session.states_of(session.model, session.in_use.part)
    session.set_applied(Applied.of(mute, session.recording, states))
    assert "No neuron has a weight" in panel.decode.result.text()
    assert session.colour_by == "cluster"
    (layer,) = [each for each in viewer.layers if each.name.startswith("CalM clusters")]
    labels = session.recording.footprints.label_values
    assert len({tuple(layer.colormap.map(label)) for label in labels}) == 1


def test_decode_uses_the_adapted_model_and_its_decoder_only_that(
    with_behaviour, behaving, small_model, press, pick, qtbot, tmp_path, monkeypatch
):
    import torch

    from napari_calm.widgets import decode_section

    panel, session = with_behaviour, with_behaviour.session
    rng = np.random.default_rng(0)
    width = small_model.config.dynamics.width
    rows = {"neuron_rows": (N_NEURONS, width), "session_row": (width,)}
    weights = {
        name: torch.as_tensor(rng.normal(size=shape), dtype=torch.float32)
        for name, shape in rows.items()
    }
    session.set_adaptation(
        Adaptation("random", "behaving", N_FRAMES, behaving.roi_labels, weights, 1.0, 0.5)
    )
    assert panel.adapt.adapted.isChecked()
    qtbot.mouseClick(panel.decode.more.heading, Qt.MouseButton.LeftButton)
    pick(panel.decode.choices.head, "linear")
    pick(panel.decode.variable, "speed")
    assert press(panel, panel.decode.decode).ending is Ending.DONE
    adapted = session.adaptation.apply(small_model)
    expected = decode(adapted, behaving, "speed", head="linear", shifts=3, folds=2)
    np.testing.assert_allclose(session.decoding.outputs, expected.outputs, rtol=1e-3, atol=1e-4)
    assert session.decoding.model_name == "random (adapted to behaving)"
    panel.decode.keep_decoder(tmp_path / "speed.safetensors")
    monkeypatch.setattr(
        decode_section.QFileDialog,
        "getOpenFileName",
        lambda *_: (str(tmp_path / "speed.safetensors"), ""),
    )
    assert press(panel, panel.decode.apply).ending is Ending.DONE
    qtbot.mouseClick(panel.adapt.zero_shot, Qt.MouseButton.LeftButton)
    report = press(panel, panel.decode.apply)
    assert report.ending is Ending.ERROR
    assert "reads hidden states of random (adapted to behaving); found random" in report.message
    assert not report.details
