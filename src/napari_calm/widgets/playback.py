"""Playing at the speed of the recording, however long the window takes to draw a frame."""

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

from .session import Session

# Between two frames the window hears its user.
_LEAST_PAUSE_MS = 5
# What a standstill of the machine or of the window leaves out is not caught up.
_STANDSTILL_S = 3.0
_COUNTED_S = 2.0
# A picture that shows fewer of the frames that are due does not keep up.
_KEEPS_UP = 0.9


class Playback(QObject):
    """Moves a session's time on with the clock; frames that come too late are left out.

    napari's own button draws every frame, however long that takes. Here a second of the
    recording lasts a second, or what `speed` makes of it. Whoever moves in time meanwhile is
    followed from there.

    Parameters
    ----------
    session : Session
    parent : QObject, optional
        It plays no longer than this lives.
    clock_s : callable
        Returns the time now, seconds.

    Attributes
    ----------
    loops : bool
        Begin again at the end of what is in view, rather than stop at the last frame.
    view_s : tuple of two float or None
        What of the time is in view, seconds.

    Signals
    -------
    changed
        It plays or stops, or plays at another speed.
    counted : float, float
        Every two seconds: frames a second that were shown, and that were due.
    """

    changed = Signal()
    counted = Signal(float, float)

    def __init__(
        self,
        session: Session,
        parent: QObject | None = None,
        *,
        clock_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(parent)
        self._session, self._clock_s = session, clock_s
        self.loops = False
        self.view_s: tuple[float, float] | None = None
        self._speed = 1.0
        self._playing = self._moves = False
        # What was shown when the clock said so.
        self._from_s = self._since_s = self._last_s = 0.0
        self._n_shown, self._counted_from_s = 0, 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    @property
    def playing(self) -> bool:
        """Whether time moves."""
        return self._playing

    @property
    def speed(self) -> float:
        """Seconds of the recording that pass in a second."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Play `speed` seconds of the recording in a second."""
        if speed != self._speed:
            self._speed = speed
            self._begin_here()
            self._count_anew()
            self.changed.emit()

    def start(self) -> None:
        """Play from the moment looked at, or from the first if that is the end."""
        session = self._session
        if self._playing or session.recording is None:
            return
        first_s, last_s = self._stretch_s
        if not first_s <= session.time_s < last_s - self._frame_s / 2:
            session.seek(first_s)
        session.time_changed.connect(self._on_time)
        session.recording_changed.connect(self.stop)
        self._playing = True
        self._begin_here()
        self._count_anew()
        self._timer.start(0)
        self.changed.emit()

    def stop(self) -> None:
        """Stay at the moment looked at."""
        if not self._playing:
            return
        self._playing = False
        self._timer.stop()
        self._session.time_changed.disconnect(self._on_time)
        self._session.recording_changed.disconnect(self.stop)
        self.changed.emit()

    def turn(self) -> None:
        """Play, or stop playing."""
        if self._playing:
            self.stop()
        else:
            self.start()

    @property
    def _frame_s(self) -> float:
        return 1.0 / self._session.recording.frame_rate_hz

    @property
    def _stretch_s(self) -> tuple[float, float]:
        """Times between which it plays."""
        end_s = self._session.end_s
        if self.loops and self.view_s is not None:
            first_s, last_s = max(0.0, self.view_s[0]), min(end_s, self.view_s[1])
            if last_s - first_s > self._frame_s:
                return first_s, last_s
        return 0.0, end_s

    def _begin_here(self) -> None:
        self._from_s = self._session.time_s
        self._since_s = self._last_s = self._clock_s()

    def _on_time(self) -> None:
        if not self._moves:
            self._begin_here()

    def _go_on(self) -> None:
        """Show the frame that is due now, and come back when the next one is."""
        now_s = self._clock_s()
        if now_s - self._last_s > _STANDSTILL_S:
            self._begin_here()
        self._last_s = now_s
        first_s, last_s = self._stretch_s
        due_s = self._from_s + (now_s - self._since_s) * self._speed
        if due_s < last_s + self._frame_s:
            self._show(min(due_s, last_s))
        elif self.loops:
            self._show(first_s)
            self._begin_here()
            due_s = self._from_s
        else:
            self._show(last_s)
            self.stop()
        self._count(now_s)
        if self._playing:
            next_s = (self._frame_at(due_s) + 1) * self._frame_s
            wait_s = self._since_s + (next_s - self._from_s) / self._speed - self._clock_s()
            self._timer.start(max(_LEAST_PAUSE_MS, round(wait_s * 1000)))

    def _frame_at(self, time_s: float) -> int:
        # Rounding must not hold a frame back that begins just then.
        return int(time_s / self._frame_s + 1e-6)

    def _show(self, time_s: float) -> None:
        frame = self._frame_at(time_s)
        if frame == round(self._session.time_s / self._frame_s):
            return
        self._moves = True
        try:
            self._session.seek(frame * self._frame_s)
        finally:
            self._moves = False
        self._n_shown += 1

    def _count_anew(self) -> None:
        self._n_shown, self._counted_from_s = 0, self._clock_s()

    def _count(self, now_s: float) -> None:
        passed_s = now_s - self._counted_from_s
        if passed_s >= _COUNTED_S and self._playing:
            shown_per_s = self._n_shown / passed_s
            self._count_anew()
            self.counted.emit(shown_per_s, self._speed / self._frame_s)


def behind_told(shown_per_s: float, due_per_s: float, speed: float) -> str:
    """Say that fewer frames are shown than are due; nothing where all are.

    Examples
    --------
    >>> behind_told(29.8, 30.0, 1.0)
    ''
    >>> behind_told(5.04, 30.0, 1.0)
    'Playing 1x, 5.0 of 30 frames/s: drawing takes longer. Hide layers to see more.'
    """
    if shown_per_s >= _KEEPS_UP * due_per_s:
        return ""
    return (
        f"Playing {speed:g}x, {shown_per_s:.1f} of {due_per_s:.3g} frames/s: drawing takes "
        "longer. Hide layers to see more."
    )
