"""What a user does with a plot, and how long it takes until all that it changes is painted."""

import time
from collections.abc import Callable, Iterable

import numpy as np
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_calm.widgets.demo import settle

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
CTRL, PLAIN = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


class Paints(QObject):
    """Counts how often a widget was painted."""

    def __init__(self, widget) -> None:
        super().__init__()
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _watched, event) -> bool:
        """Count."""
        self.count += event.type() == QEvent.Type.Paint
        return False


def took_ms(plot, acts: Iterable[Callable[[], object]]) -> dict[str, float]:
    """Do things one by one; each is over when `plot` is painted and nothing is left to do."""
    paints, took = Paints(plot.viewport()), []
    for act in acts:
        settle(0.3)
        before, began = paints.count, time.perf_counter()
        act()
        while paints.count == before and time.perf_counter() - began < 5:
            QApplication.processEvents()
        # What the painting itself asked for.
        QApplication.processEvents()
        took.append((time.perf_counter() - began) * 1000)
    plot.viewport().removeEventFilter(paints)
    return {
        "times": len(took),
        "median_ms": round(float(np.median(took)), 1),
        "longest_ms": round(max(took), 1),
    }


def wheel(plot, steps: int, modifiers=PLAIN) -> Callable[[], object]:
    """Return an act that turns the wheel over the middle of the plot."""

    def act() -> None:
        view = plot.viewport()
        at = QPointF(view.rect().center())
        event = QWheelEvent(
            at,
            QPointF(view.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, 120 * steps),
            NONE,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view, event)

    return act


def move(plot, at: QPointF, kind=QEvent.Type.MouseMove, buttons=NONE) -> None:
    """Send one event of the mouse to a plot."""
    view = plot.viewport()
    button = NONE if kind == QEvent.Type.MouseMove else LEFT
    place = QPointF(view.mapToGlobal(at.toPoint()))
    QApplication.sendEvent(view, QMouseEvent(kind, at, place, button, buttons, PLAIN))


def once(began: float) -> dict[str, float]:
    """Return how long something took that is done once."""
    took = round((time.perf_counter() - began) * 1000, 1)
    return {"times": 1, "median_ms": took, "longest_ms": took}
