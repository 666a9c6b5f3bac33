"""Keys that scroll the rows of a stack and change their height."""

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Qt

from .row_window import RowWindow

TALLER = 1.25
_Key = Qt.Key
_CHANGES: dict[Qt.Key, Callable[[RowWindow], RowWindow]] = {
    _Key.Key_PageDown: lambda window: window.paged(1),
    _Key.Key_PageUp: lambda window: window.paged(-1),
    _Key.Key_Down: lambda window: window.scrolled(1),
    _Key.Key_Up: lambda window: window.scrolled(-1),
    _Key.Key_Home: lambda window: window.scrolled(-np.inf),
    _Key.Key_End: lambda window: window.scrolled(np.inf),
    _Key.Key_Plus: lambda window: window.scaled(TALLER),
    _Key.Key_Equal: lambda window: window.scaled(TALLER),
    _Key.Key_Minus: lambda window: window.scaled(1 / TALLER),
    _Key.Key_0: lambda window: window.fitted(not window.fits_all),
}


def window_after(window: RowWindow, event) -> RowWindow | None:
    """Return what a key makes of a window; None if it is no key for that."""
    modifiers = Qt.KeyboardModifier
    if event.modifiers() & (modifiers.ControlModifier | modifiers.AltModifier):
        return None
    change = _CHANGES.get(event.key())
    return None if change is None else change(window)
