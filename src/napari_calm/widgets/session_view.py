"""What the views of a session have in common: they draw while they are seen."""

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QWidget

from .dock_content import is_seen
from .session import Session
from .theme import ThemeColours

# Plots may become so small that all docks fit a window of 1280 x 800.
LEAST_HEIGHT_PX = 60
_SCRUB_INTERVAL_MS = 30


class SessionView(QWidget):
    """A view that follows signals of a session.

    Several signals at once give one redraw. While hidden, or behind another dock, it draws
    nothing and catches up when it is seen. Subclasses implement `refresh` and, where they show
    it, `move_to`.

    Signals
    -------
    told : str
        One line on what is shown, for whoever has room for it.
    """

    told = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._followed: list = []
        self.caption = ""
        # Choices of this view, for whoever has room for them.
        self.controls: QWidget | None = None
        self._is_stale = True
        self._sought_s: float | None = None
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(0)
        self._redraw.timeout.connect(self._refresh_if_seen)
        self._scrub = QTimer(self)
        self._scrub.setSingleShot(True)
        self._scrub.setInterval(_SCRUB_INTERVAL_MS)
        self._scrub.timeout.connect(self._seek)
        session.time_changed.connect(self._on_time)

    @property
    def is_preparing(self) -> bool:
        """Whether what is to be drawn is still worked out."""
        return False

    def follow(self, *signals) -> None:
        """Redraw when one of these signals is sent."""
        for signal in signals:
            signal.connect(self.redraw_soon)
            self._followed.append(signal)

    def release(self) -> None:
        """Stop following the session."""
        for signal in self._followed:
            signal.disconnect(self.redraw_soon)
        self._followed.clear()
        self._session.time_changed.disconnect(self._on_time)
        self._redraw.stop()
        self._scrub.stop()

    def refresh(self) -> None:
        """Draw what the session holds; called only while the view is seen."""

    def move_to(self, time_s: float) -> None:
        """Show the moment looked at; called only while the view is seen."""

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""

    def tell(self, text: str) -> None:
        """Say in one line what is shown."""
        self.caption = text
        self.told.emit(text)

    def redraw_soon(self) -> None:
        """Draw when all that changes at this moment has changed."""
        self._is_stale = True
        self._redraw.start()

    def seek_soon(self, time_s: float) -> None:
        """Move the session to a moment; of many in a drag only the latest."""
        self._sought_s = time_s
        if not self._scrub.isActive():
            self._scrub.start()

    def select(self, neuron: int, adding: bool) -> None:
        """Select a neuron, or add it to the selection."""
        if adding:
            self._session.toggle(neuron)
        else:
            self._session.select((neuron,))

    def select_all(self, neurons: tuple[int, ...], adding: bool) -> None:
        """Select neurons, or add them to the selection."""
        before = self._session.selection if adding else ()
        self._session.select((*before, *neurons))

    def showEvent(self, event) -> None:
        """Draw what was missed while hidden."""
        super().showEvent(event)
        self.catch_up()

    def catch_up(self) -> None:
        """Draw what was missed while nobody saw it."""
        if self._is_stale:
            self._is_stale = False
            self.refresh()
        self.move_to(self._session.time_s)

    def draw_now(self) -> None:
        """Draw all that there is to draw, to be looked at as it is; called while it is seen."""
        self.catch_up()

    def is_up_to_date(self) -> bool:
        """Tell whether it is seen, and all that was missed is drawn."""
        return not self._is_stale and is_seen(self)

    def _refresh_if_seen(self) -> None:
        if is_seen(self):
            self.catch_up()

    def _on_time(self) -> None:
        if self.is_up_to_date():
            self.move_to(self._session.time_s)

    def _seek(self) -> None:
        recording = self._session.recording
        if self._sought_s is not None and recording is not None:
            last_s = (recording.n_frames - 1) / recording.frame_rate_hz
            self._session.seek(min(max(self._sought_s, 0.0), last_s))
        self._sought_s = None
