"""One cursor: napari's time slider and the session's time are the same moment."""

from .session import Session


class TimeCursor:
    """Couples the session's `time_s` with the slider."""

    def __init__(self, viewer, session: Session) -> None:
        self._viewer, self._session = viewer, session
        viewer.dims.events.current_step.connect(self._from_slider)
        session.time_changed.connect(self._to_slider)
        session.recording_changed.connect(self._from_slider)
        self._from_slider()

    def close(self) -> None:
        """Uncouple the two."""
        self._viewer.dims.events.current_step.disconnect(self._from_slider)
        self._session.time_changed.disconnect(self._to_slider)
        self._session.recording_changed.disconnect(self._from_slider)

    @property
    def _time_axis(self) -> int | None:
        # Layers are aligned at their last axis: (time, y, x) end every viewer's axes.
        axis = self._viewer.dims.ndim - 3
        return axis if axis >= 0 else None

    def _from_slider(self, _event=None) -> None:
        axis = self._time_axis
        if axis is not None and self._session.recording is not None:
            self._session.seek(float(self._viewer.dims.point[axis]))

    def _to_slider(self) -> None:
        axis = self._time_axis
        if axis is None:
            return
        dims = self._viewer.dims
        step = dims.range[axis].step or 1.0
        if abs(dims.point[axis] - self._session.time_s) > step / 2:
            dims.set_point(axis, self._session.time_s)
