"""Showing a result piece by piece, so that the window draws and answers in between."""

from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

# Qt waits 5 ms before it draws what has changed; this leaves it the time to.
_PAUSE_MS = 15


class Turns(QObject):
    """Lets the pieces of one result take turns with the window.

    A new layer or dock stops the window for a third of a second where OpenGL is software; one
    result brings several. Views hand what draws such a piece to `take`. While a result is
    delivered by `deliver` the pieces queue up, and one is drawn at each turn of the event loop;
    at any other time they are drawn at once.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pieces: deque[Callable[[], object]] = deque()
        self._queues = False
        self._then: Callable[[Exception | None], object] | None = None
        self._error: Exception | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._draw_next)

    @property
    def waiting(self) -> bool:
        """Whether pieces of a result are still to be drawn."""
        return self._then is not None

    def take(self, piece: Callable[[], object]) -> None:
        """Draw `piece` when its turn comes: now, or after what was taken before it.

        It reads what to draw when it is called; one that waits already is not taken twice.
        """
        if not self._queues:
            piece()
        elif piece not in self._pieces:
            self._pieces.append(piece)

    def deliver(
        self, result: Callable[[], object], then: Callable[[Exception | None], object]
    ) -> None:
        """Call `result`, draw what that brings piece by piece, and call `then`.

        Without pieces all of it happens at once. `then` gets the first error, or None; after
        an error the other pieces are drawn nevertheless.
        """
        self._error = None
        self._draw(result)
        self._then = then
        self._go_on()

    def stop(self) -> None:
        """Draw nothing more, without a word: there is nobody to see it."""
        self._timer.stop()
        self._pieces.clear()
        self._then = self._error = None

    def _draw(self, piece: Callable[[], object]) -> None:
        self._queues = True
        try:
            piece()
        except Exception as error:
            self._error = self._error or error
        finally:
            self._queues = False

    def _draw_next(self) -> None:
        self._draw(self._pieces.popleft())
        self._go_on()

    def _go_on(self) -> None:
        if self._pieces:
            self._timer.start()
        elif self._then is not None:
            then, error = self._then, self._error
            self._then = self._error = None
            then(error)
