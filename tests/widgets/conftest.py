import numpy as np
import pytest

from napari_calm.core.footprints import Footprints
from napari_calm.core.recording import Recording
from napari_calm.widgets import model_section
from napari_calm.widgets.model_source import Environment
from napari_calm.widgets.panel import CalmPanel

RATE_HZ = 6.0


def square_rois(n_neurons=4, image_shape=(40, 40)):
    """Return footprints of squares in a row, the last two overlapping by one column."""
    labels = [np.divmod(np.arange(64), 8) for _ in range(n_neurons)]
    pixels = []
    for number, (y, x) in enumerate(labels):
        left = min(2 + 9 * number, image_shape[1] - 8)
        pixels.append((y + 4, x + left, np.ones(64)))
    return Footprints.from_pixels(pixels, image_shape, source="squares")


def random_recording(n_neurons=4, n_frames=400, seed=0, **companions):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_neurons, n_frames)), axis=1)
    traces = np.abs(walk) * 0.05 * np.arange(1, n_neurons + 1)[:, None]
    return Recording(traces, RATE_HZ, name="test", **companions)


@pytest.fixture
def recording():
    return random_recording(footprints=square_rois())


@pytest.fixture
def no_looking_around(monkeypatch):
    """Spare each panel the import of torch in a thread."""

    def steps():
        yield from ()
        return Environment([], ["cpu"])

    monkeypatch.setattr(model_section, "look_around_steps", steps)


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def panel(viewer, qtbot, no_looking_around):
    """Return a docked panel that offers one tiny model with random weights."""
    from napari_calm.model.calm import CalmModel

    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.model.source.put(CalmModel.random(seed=0), "tiny", "auto")
    panel.model.choose("tiny")
    yield panel
    panel.release_once()
    qtbot.waitUntil(lambda: not panel.job.running)


@pytest.fixture
def press(qtbot):
    """Return a function that clicks a button and waits for its job's report."""
    from qtpy.QtCore import Qt

    def press(panel, button, timeout=30_000):
        assert button.isEnabled(), button.toolTip()
        with qtbot.waitSignal(panel.job.ended, timeout=timeout) as ended:
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        return ended.args[0]

    return press
