"""Which of our docks are open, which view is in front, and where all docks are."""

import base64
import binascii
from collections.abc import Callable, Mapping

from qtpy.QtCore import QByteArray
from qtpy.QtWidgets import QMainWindow

_OPEN, _TAB, _WINDOW = "open", "tab", "window"


class Docks:
    """The docks of one napari window, described in words that json knows.

    Parameters
    ----------
    window : napari.window.Window
    main_window : callable
        Returns Qt's window of it.
    show : dict of callable
        Opens each of our docks, by its name.
    tabs : callable
        Returns the tabs of views (QTabWidget), or None while they are not open.
    """

    def __init__(
        self,
        window,
        main_window: Callable,
        show: dict[str, Callable[[], object]],
        tabs: Callable,
    ) -> None:
        self._window, self._main_window = window, main_window
        self._show, self._tabs = show, tabs

    def now(self) -> dict:
        """Say which docks are open, which tab is in front, and where all are."""
        tabs, docks = self._tabs(), self._window.dock_widgets
        return {
            _OPEN: [
                name
                for name in self._show
                if name in docks and not docks[name].parentWidget().isHidden()
            ],
            _TAB: "" if tabs is None else tabs.tabText(tabs.currentIndex()),
            _WINDOW: self._state(),
        }

    def _state(self) -> str:
        main_window = self._main_window()
        if not isinstance(main_window, QMainWindow):
            return ""
        return base64.b64encode(main_window.saveState().data()).decode()

    def restore(self, kept: Mapping) -> None:
        """Open, close and place docks as they were; what makes no sense is left as it is."""
        wanted = kept.get(_OPEN)
        if not isinstance(wanted, list | tuple):
            return
        for name, show in self._show.items():
            if name in wanted:
                show()
            elif name in self._window.dock_widgets:
                self._window.remove_dock_widget(self._window.dock_widgets[name])
        try:
            state = base64.b64decode(str(kept.get(_WINDOW, "")), validate=True)
        except (binascii.Error, ValueError):
            state = b""
        main_window = self._main_window()
        if state and isinstance(main_window, QMainWindow):
            # Docks that the other window did not have stay where they are.
            main_window.restoreState(QByteArray(state))
        tabs = self._tabs()
        for place in range(0 if tabs is None else tabs.count()):
            if tabs.tabText(place) == kept.get(_TAB):
                tabs.setCurrentIndex(place)
