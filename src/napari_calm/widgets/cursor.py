"""One cursor: napari's time slider and the session's time are the same moment."""

from .palette import overlay_words
from .session import Session


class TimeCursor:
    """Couples the session's `time_s` with the slider and writes it on the canvas."""

    def __init__(self, viewer, session: Session) -> None:
        self._viewer, self._session = viewer, session
        viewer.dims.events.current_step.connect(self._from_slider)
        session.time_changed.connect(self._to_slider)
        session.recording_changed.connect(self._from_slider)
        session.forecast_changed.connect(self._write)
        session.decoding_changed.connect(self._write)
        session.palette_changed.connect(self._write)
        self._from_slider()

    def close(self) -> None:
        """Uncouple the two."""
        self._viewer.dims.events.current_step.disconnect(self._from_slider)
        self._session.time_changed.disconnect(self._to_slider)
        self._session.recording_changed.disconnect(self._from_slider)
        self._session.forecast_changed.disconnect(self._write)
        self._session.decoding_changed.disconnect(self._write)
        self._session.palette_changed.disconnect(self._write)

    @property
    def _time_axis(self) -> int | None:
        # Layers are aligned at their last axis: (time, y, x) end every viewer's axes.
        axis = self._viewer.dims.ndim - 3
        return axis if axis >= 0 else None

    def _from_slider(self, _event=None) -> None:
        axis = self._time_axis
        if axis is not None and self._session.recording is not None:
            self._session.seek(float(self._viewer.dims.point[axis]))
            self._write()

    def _to_slider(self) -> None:
        axis = self._time_axis
        if axis is None:
            return
        dims = self._viewer.dims
        step = dims.range[axis].step or 1.0
        if abs(dims.point[axis] - self._session.time_s) > step / 2:
            dims.set_point(axis, self._session.time_s)

    def _write(self) -> None:
        """Write the moment, what is decoded there, and within a forecast what colours mean."""
        text = _text_overlay(self._viewer)
        if self._session.recording is None:
            # Of a movie alone napari's slider tells the time.
            text.visible = False
            return
        time_s, forecast = self._session.time_s, self._session.forecast
        # Written at once: each change of it is laid out anew.
        written = f"t = {time_s:.1f} s"
        decoded, recording = self._session.decoded, self._session.recording
        if forecast is not None:
            ahead_s = time_s - forecast.start_s
            horizon_s = forecast.horizon_frames / forecast.frame_rate_hz
            if -0.5 / forecast.frame_rate_hz <= ahead_s < horizon_s:
                measured, said, _ = overlay_words(self._session.forecast_kind)
                written += f" ({ahead_s:z.1f} s ahead)\n{measured}\n{said}"
        if decoded is not None and recording is not None:
            said = decoded.text_at(round(time_s * recording.frame_rate_hz))
            # Moments of which nothing is said keep their line, so that the text does not jump.
            written += f"\ndecoded {said or f'{decoded.name}: -'}"
        text.text = written
        text.visible = True


def _text_overlay(viewer):
    # napari 0.9 moved the overlay from the viewer to its canvas.
    canvas = getattr(viewer, "canvas", None)
    return viewer.text_overlay if canvas is None else canvas.overlays.text
