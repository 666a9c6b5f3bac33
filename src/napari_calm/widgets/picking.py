"""Choosing neurons by clicking them on the canvas."""

import numpy as np

from .layers import ROIS, role_of
from .session import Session

_CLICK_MOVES_LESS_THAN_PX = 4


class RoiPicking:
    """A click on an ROI selects its neuron, shift-click adds or takes away.

    Listens at the viewer, so that it works whichever layer is active, and stays
    out of the way while a layer is being painted or edited.
    """

    def __init__(self, viewer, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self._callback = self._on_press
        viewer.mouse_drag_callbacks.append(self._callback)

    def close(self) -> None:
        """Stop listening."""
        self._viewer.mouse_drag_callbacks.remove(self._callback)

    def _on_press(self, _viewer, event):
        pressed_at = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        moved = np.abs(np.asarray(event.pos) - pressed_at).max()
        if event.button == 1 and moved < _CLICK_MOVES_LESS_THAN_PX:
            self.pick(event.position, adding="Shift" in event.modifiers)

    def pick(self, world_position, *, adding: bool = False) -> None:
        """Select the neuron at `world_position`, if there is one."""
        active = self._viewer.layers.selection.active
        if active is not None and str(getattr(active, "mode", "pan_zoom")) not in (
            "pan_zoom",
            "transform",
        ):
            return
        rois = next((each for each in self._viewer.layers if role_of(each) == ROIS), None)
        recording = self._session.recording
        if (
            rois is None
            or not rois.visible
            or recording is None
            or recording.footprints is None
        ):
            return
        label = rois.get_value(world_position[-2:], world=True)
        neurons = np.flatnonzero(recording.footprints.label_values == (label or 0))
        if neurons.size == 0:
            return
        if adding:
            self._session.toggle(int(neurons[0]))
        else:
            self._session.select((int(neurons[0]),))
