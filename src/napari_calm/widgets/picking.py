"""Choosing neurons by clicking them on the canvas."""

import numpy as np

from ..core.footprints import Footprints
from .layers import ROIS, SessionLayers, role_of
from .session import Session

_CLICK_MOVES_LESS_THAN_PX = 4


class RoiPicking:
    """A click on an ROI selects its neuron, shift-click adds or takes away.

    Where ROIs overlap, clicking the same place again goes on to the next of them. Listens
    at the viewer, so that it works whichever layer is active, and stays out of the way while
    a layer is being painted or edited. A neuron chosen in napari's features table of the ROIs
    is selected as well.
    """

    def __init__(self, viewer, session: Session, layers: SessionLayers) -> None:
        self._viewer, self._session, self._layers = viewer, session, layers
        self._callback = self._on_press
        self._followed: list = []
        self._label = 0
        viewer.mouse_drag_callbacks.append(self._callback)
        viewer.layers.events.inserted.connect(self._follow_rows)
        self._follow_rows()

    def close(self) -> None:
        """Stop listening."""
        self._viewer.mouse_drag_callbacks.remove(self._callback)
        self._viewer.layers.events.inserted.disconnect(self._follow_rows)
        for layer in self._followed:
            layer.events.selected_label.disconnect(self._on_label)
        self._followed.clear()

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
        recording = self._session.recording
        if (
            recording is None
            or recording.footprints is None
            or not any(layer.visible and role_of(layer) for layer in self._viewer.layers)
        ):
            return
        scale = np.array(self._layers.geometry.of_image()["scale"])
        y, x = np.round(np.asarray(world_position[-2:]) / scale).astype(int)
        neurons = neurons_at(recording.footprints, y, x)
        if not neurons:
            return
        before = self._session.selection
        if adding:
            # Of overlapping ones the first that is not selected yet, or else the first.
            neuron = next((each for each in neurons if each not in before), neurons[0])
            self._session.toggle(neuron)
        else:
            last = before[0] if len(before) == 1 else None
            place = (neurons.index(last) + 1) % len(neurons) if last in neurons else 0
            self._session.select((neurons[place],))

    def _follow_rows(self, _event=None) -> None:
        for layer in self._viewer.layers:
            if role_of(layer) == ROIS and layer not in self._followed:
                layer.events.selected_label.connect(self._on_label)
                self._followed.append(layer)
                self._label = layer.selected_label

    def _on_label(self, _event) -> None:
        """Select the neuron of the label, unless the selection itself has set it."""
        session, layer = self._session, self._layers.find(ROIS)
        # napari tells of the label whenever colours change, too.
        if layer is None or layer.selected_label == self._label:
            return
        self._label = layer.selected_label
        if session.recording is None or session.recording.footprints is None:
            return
        labels = session.recording.footprints.label_values
        neurons = np.flatnonzero(labels == layer.selected_label)
        if neurons.size and int(neurons[0]) != session.pointed_at:
            session.select((int(neurons[0]),))


def neurons_at(footprints: Footprints, y: int, x: int) -> list[int]:
    """Return the neurons whose ROI covers a pixel, the one with most of its weight first."""
    height, width = footprints.image_shape
    if not (0 <= y < height and 0 <= x < width):
        return []
    covering = footprints.weights[:, [y * width + x]].tocoo()
    neurons, weights = covering.coords[0], covering.data
    peaks = footprints.weights[neurons].max(axis=1).toarray().ravel() if neurons.size else 1.0
    return neurons[np.argsort(-weights / peaks, kind="stable")].tolist()
