"""What is written on the canvas: the moment, what the colours mean, what is decoded."""

from .layers import ACTIVITY, FORECAST, FORECAST_ERROR, SessionLayers
from .session import Session
from .turns import Turns

# Of a layer or of the list of layers: what changes that colours mean something else.
_TELLING = frozenset({"visible", "colormap", "inserted", "removed"})
# napari measures text a letter or two too narrow: the box behind it, and the canvas, would cut
# the first letters off.
_INDENT = "   "


class CanvasText:
    """Keeps the text in a corner of the canvas in step with session and layers.

    napari's colour bars have no room for a unit: each is named here by its colour, as long as
    its layer is seen.
    """

    def __init__(
        self, viewer, session: Session, layers: SessionLayers, turns: Turns | None = None
    ) -> None:
        self._viewer, self._session, self._layers = viewer, session, layers
        self._turns = Turns() if turns is None else turns
        self._signals = (
            session.time_changed,
            session.recording_changed,
            session.forecast_changed,
            session.decoding_changed,
            session.palette_changed,
        )
        for signal in self._signals:
            signal.connect(self._write_in_turn)
        viewer.layers.events.connect(self._on_layers)
        self._write()

    def close(self) -> None:
        """Follow nothing any more."""
        for signal in self._signals:
            signal.disconnect(self._write_in_turn)
        self._viewer.layers.events.disconnect(self._on_layers)

    def _on_layers(self, event) -> None:
        if event.type in _TELLING:
            self._write_in_turn()

    def _write_in_turn(self) -> None:
        # Letters that the canvas has not drawn before take it a hundredth of a second each.
        self._turns.take(self._write)

    def _write(self) -> None:
        overlay = _text_overlay(self._viewer)
        if self._session.recording is None:
            # Of a movie alone napari's slider tells the time.
            overlay.visible = False
            return
        # At once: whatever changes is laid out anew.
        overlay.text = "\n".join(_INDENT + line for line in self._lines())
        overlay.visible = True

    def _lines(self) -> list[str]:
        session = self._session
        ahead_s = _ahead_s(session)
        ahead = "" if ahead_s is None else f" ({ahead_s:z.1f} s ahead)"
        lines = [f"t = {session.time_s:.1f} s{ahead}"]
        told = [(ACTIVITY, "measured dF/F")]
        if ahead_s is not None:
            told += [
                (FORECAST, f"{session.forecast_kind} forecast, dF/F"),
                (FORECAST_ERROR, "its error, dF/F"),
            ]
        for role, meaning in told:
            layer = self._layers.find(role)
            if layer is not None and layer.visible:
                lines.append(f"{layer.colormap.name}: {meaning}")
        if session.decoded is not None:
            frame = round(session.time_s * session.recording.frame_rate_hz)
            # Moments of which nothing is said keep their line, so that the text does not jump.
            said = session.decoded.text_at(frame) or f"{session.decoded.name}: -"
            lines.append(f"decoded {said}")
        return lines


def _ahead_s(session: Session) -> float | None:
    """Return how far into the forecast the session's moment is; None outside of it."""
    forecast = session.forecast
    if forecast is None:
        return None
    ahead_s = session.time_s - forecast.start_s
    horizon_s = forecast.horizon_frames / forecast.frame_rate_hz
    return ahead_s if -0.5 / forecast.frame_rate_hz <= ahead_s < horizon_s else None


def _text_overlay(viewer):
    # napari 0.9 moved the overlay from the viewer to its canvas.
    canvas = getattr(viewer, "canvas", None)
    return viewer.text_overlay if canvas is None else canvas.overlays.text
