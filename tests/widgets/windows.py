"""napari windows that the tests of a module use in turn; opening each anew takes long.

napari's own `make_napari_viewer_proxy` opens one for each test. Here a window is emptied
between two tests of a module. One that something still follows then is closed, so that no test
hears of another. All are closed at the end of a module as napari closes its own, and one that
is kept alive is an error.
"""

import gc
import weakref
from contextlib import ExitStack
from unittest.mock import patch

from napari import Viewer
from napari._app_model._app import NapariApplication, _napari_names
from napari._qt._qapp_model.qactions import init_qactions
from napari._qt.qt_viewer import QtViewer
from napari._qt.threads.status_checker import StatusChecker
from napari.plugins import _initialize_plugins
from napari.settings import get_settings
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QApplication, QWidget

from napari_calm.widgets.session import _sessions

APPLICATION = "napari-calm tests"


class Windows:
    """Lends viewers, on the screen or not, and takes them back empty."""

    def __init__(self) -> None:
        self._patches = ExitStack()
        # By their id: viewers that show the same are equal.
        self._viewers: dict[int, Viewer] = {}
        self._shown: dict[int, QSize] = {}
        self._lent: list[int] = []
        self._followed: dict[int, dict] = {}
        self._seen: list[weakref.ref] = []
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        self._app = NapariApplication(APPLICATION)
        self._app.injection_store.namespace = _napari_names
        for target, name, value in (
            (StatusChecker, "start", lambda _checker: None),
            (QtViewer, "_get_console", _no_console),
        ):
            self._patches.enter_context(patch.object(target, name, value))

    def lend(self, *, shown: bool = False) -> PublicOnlyProxy:
        """Return an empty viewer, as plugins see it; it is on the screen if `shown`."""
        free = (each for each in self._viewers if each not in self._lent)
        number = next((each for each in free if (each in self._shown) == shown), None)
        if number is None:
            number = self._open(shown)
        elif shown:
            window = self._viewers[number].window._qt_window
            window.resize(self._shown[number])
            window.show()
        self._lent.append(number)
        return PublicOnlyProxy(self._viewers[number])

    def take_back(self) -> None:
        """Empty what was lent; what cannot be emptied, or was closed, is forgotten."""
        while self._lent:
            number = self._lent.pop()
            viewer = self._viewers[number]
            if hasattr(viewer.window, "_qt_window"):
                _empty(viewer)
                if number in self._shown:
                    viewer.window._qt_window.hide()
                if _followed(viewer) == self._followed[number]:
                    continue
                _close(viewer)
            del self._viewers[number]
            self._shown.pop(number, None)

    def application(self):
        """Let napari find the application that these windows belong to."""
        return patch.object(NapariApplication, "get_app_model", return_value=self._app)

    def close(self) -> None:
        """Close all; complain of any that is kept alive."""
        from app_model import Application

        with self.application():
            while self._viewers:
                _close(self._viewers.popitem()[1])
        self._patches.close()
        Application.destroy(APPLICATION)
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        gc.collect()
        assert not [seen() for seen in self._seen if seen() is not None]

    def _open(self, shown: bool) -> int:
        viewer = Viewer(show=shown, show_welcome_screen=False)
        self._viewers[id(viewer)] = viewer
        if shown:
            self._shown[id(viewer)] = viewer.window._qt_window.size()
        shown = viewer.window._qt_viewer
        self._seen.append(weakref.ref(shown))
        self._followed[id(viewer)] = _followed(viewer)
        # napari's own fixtures complain of windows that they did not open.
        QtViewer._instances.discard(shown)
        return id(viewer)


def _no_console(*_args) -> QWidget:
    console = QWidget()
    console._update_theme = lambda *_args: None
    return console


def _empty(viewer: Viewer) -> None:
    """Make a viewer what it was when it was opened."""
    viewer.window.remove_dock_widget("all")
    viewer.layers.clear()
    _sessions.pop(viewer, None)
    canvas = viewer.canvas
    overlays = (canvas.overlays.scale_bar, canvas.overlays.text)
    for part in (viewer.scene.camera, viewer.cursor, viewer.dims, canvas.grid, *overlays):
        part.reset()
    viewer.theme = get_settings().appearance.theme
    QApplication.processEvents()


def _close(viewer: Viewer) -> None:
    with patch.object(viewer.window._qt_window, "_save_current_window_settings"):
        viewer.close()


def _followed(viewer: Viewer) -> dict:
    """Tell how many listen to what a viewer tells, and which keys it knows."""
    told = {
        f"{name}.{event}": len(emitter.callbacks)
        for name, events in (
            ("viewer", viewer.events),
            ("layers", viewer.layers.events),
            ("dims", viewer.dims.events),
        )
        for event, emitter in events.emitters.items()
    }
    return told | {
        "mouse": [len(viewer.mouse_drag_callbacks), len(viewer.mouse_move_callbacks)],
        "keys": sorted(map(str, viewer.keymap)),
    }
