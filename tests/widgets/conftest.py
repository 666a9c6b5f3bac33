import gc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from napari.settings import get_settings

from napari_calm.core.footprints import Footprints
from napari_calm.core.recording import Recording
from napari_calm.widgets import model_section
from napari_calm.widgets.model_source import Environment
from napari_calm.widgets.panel import CalmPanel

from .windows import Windows

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


@pytest.fixture(autouse=True, scope="session")
def log_apart():
    """Keep the user's own log of problems free of what tests provoke."""
    from qtpy.QtCore import QStandardPaths

    QStandardPaths.setTestModeEnabled(True)
    yield
    QStandardPaths.setTestModeEnabled(False)


@pytest.fixture(autouse=True, scope="session")
def warmed_up():
    """Let no test share Python's list of warnings with the thread that compiles."""
    from napari_calm.widgets.warm_up import warm_up

    warm_up().join()


@pytest.fixture(autouse=True, scope="session")
def libraries(warmed_up):
    """Load what is large before it is set aside."""
    import sklearn.cluster  # noqa: F401
    import torch  # noqa: F401

    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def what_stays_is_not_searched(libraries):
    """Spare Python's garbage collector, which each removed layer calls, what is loaded."""
    gc.collect()
    gc.freeze()


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
    monkeypatch.setattr(model_section, "_FIRST_DRAWING_MS", 0)


@pytest.fixture(scope="module")
def windows_of_module(qapp):
    windows = Windows()
    yield windows
    windows.close()


@pytest.fixture
def windows(windows_of_module):
    """Return what lends windows to a test; each is empty, as when it was opened."""
    get_settings().reset()
    with windows_of_module.application():
        yield windows_of_module
        get_settings().reset()
        windows_of_module.take_back()


@pytest.fixture
def viewer(windows):
    """Return an empty viewer, which is not on the screen."""
    return windows.lend()


@pytest.fixture
def shown_viewer(windows):
    """Return an empty viewer in a window on the screen."""
    return windows.lend(shown=True)


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


@pytest.fixture(scope="session")
def task():
    """Two groups of six neurons, each with a drive of its own; 12 trials of two cues."""
    rng = np.random.default_rng(2)
    n_trials, trial_frames = 12, 40
    n_frames = n_trials * trial_frames
    cue = rng.permutation(np.arange(n_trials) % 2)
    side = np.repeat(2.0 * cue - 1, trial_frames)
    drives = np.cumsum(rng.normal(0, 0.3, (2, n_frames)), axis=1)
    drives -= drives.mean(axis=1, keepdims=True)
    traces = np.repeat(drives, 6, axis=0) + rng.normal(0, 0.3, (12, n_frames))
    traces[:3] += 2 * side
    starts = np.arange(n_trials) * trial_frames
    return Recording(
        traces,
        RATE_HZ,
        name="task",
        footprints=square_rois(12, (40, 112)),
        behaviour=pd.DataFrame({"position_cm": np.tile(np.linspace(0, 90, 40), n_trials)}),
        trials=pd.DataFrame(
            {
                "start_frame": starts,
                "stop_frame": starts + trial_frames,
                "cue": np.array(["left", "right"])[cue],
            }
        ),
    )


@pytest.fixture(scope="session")
def small_model():
    from napari_calm.model.calm import CalmModel

    return CalmModel.random(seed=3, context_frames=16, max_frames=64)


@pytest.fixture(scope="session")
def explored(task, small_model):
    """Return what the library finds in the task recording, as a session holds it."""
    from napari_calm.explore.cluster import cluster
    from napari_calm.explore.embed import embed
    from napari_calm.explore.neuron_map import pca_map
    from napari_calm.explore.trajectories import trajectories

    embedding = embed(small_model, task, source="coactivity", resamplings=2)
    return SimpleNamespace(
        embedding=embedding,
        neuron_map=pca_map(embedding),
        clusters=cluster(small_model, task, embedding=embedding, n_clusters=2, resamplings=2),
        trajectories=trajectories(small_model, task, by="cue"),
    )


@pytest.fixture
def with_task(panel, small_model, task):
    """Return a panel with the task recording and a model that is quick to run."""
    panel.model.source.put(small_model, "tiny", "auto")
    panel.session.set_recording(task, pixel_size_um=1.0)
    panel.embedding.choices.setting.setValue(2)
    panel.embedding.choices.resamplings.setValue(2)
    panel.embedding.column.draws.setValue(20)
    return panel


@pytest.fixture
def from_folder(with_task, small_model, tmp_path):
    """Return the panel with a model that can be loaded again."""
    from napari_calm.model.checkpoint import save_model

    save_model(small_model, tmp_path / "small")
    with_task.model.choose(str(tmp_path / "small"))
    return with_task


@pytest.fixture
def choose(qtbot):
    """Return a function that chooses an entry of a combo box with the keyboard."""
    from qtpy.QtCore import Qt

    def choose(combo, text):
        row = combo.findText(text)
        assert row >= 0, [combo.itemText(i) for i in range(combo.count())]
        combo.setFocus()
        qtbot.keyClick(combo, Qt.Key.Key_Home)
        for _ in range(row):
            qtbot.keyClick(combo, Qt.Key.Key_Down)
        assert combo.currentText() == text

    return choose


@pytest.fixture
def drag(qtbot):
    """Return a function that drags with the left mouse button along places of a widget."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    def drag(widget, places, modifiers=Qt.KeyboardModifier.NoModifier):
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        kinds = [QEvent.Type.MouseButtonPress]
        kinds += [QEvent.Type.MouseMove] * (len(places) - 1) + [QEvent.Type.MouseButtonRelease]
        for kind, place in zip(kinds, [*places, places[-1]], strict=True):
            at = QPointF(place)
            event = QMouseEvent(
                kind,
                at,
                QPointF(widget.mapToGlobal(at.toPoint())),
                none if kind == QEvent.Type.MouseMove else left,
                none if kind == QEvent.Type.MouseButtonRelease else left,
                modifiers,
            )
            QApplication.sendEvent(widget, event)
            # Plots leave out moves that follow each other within 10 ms.
            qtbot.wait(15)

    return drag


@pytest.fixture
def place_in_plot():
    """Return a function that gives the pixel of a plot's viewport at (x, y) of its axes."""
    from qtpy.QtCore import QPointF

    def place(plot, x, y):
        scene = plot.getViewBox().mapViewToScene(QPointF(x, y))
        return plot.mapFromScene(scene)

    return place


@pytest.fixture
def canvas_of():
    """Return a function that finds the canvas that is on the screen."""
    from qtpy.QtWidgets import QApplication

    def canvas_of():
        return next(
            widget
            for widget in QApplication.allWidgets()
            if type(widget).__name__ == "CanvasBackendDesktop" and widget.isVisible()
        )

    return canvas_of
