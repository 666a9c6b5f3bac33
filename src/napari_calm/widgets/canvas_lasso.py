"""Choosing neurons by drawing around them on the canvas."""

import time

import numpy as np
from skimage.measure import points_in_poly

from .layers import ROLE_KEY, SessionLayers
from .session import Session

LASSO = "CalM lasso"
_DRAWN_EVERY_S = 0.05
_FEWEST_CORNERS = 3


class CanvasLasso:
    """Ctrl-drag draws a lasso on the movie; the neurons whose centre is inside are selected.

    With Shift as well they are added. The line is a layer while it is drawn.
    """

    def __init__(self, viewer, session: Session, layers: SessionLayers) -> None:
        self._viewer, self._session, self._layers = viewer, session, layers
        self._callback = self._on_press
        viewer.mouse_drag_callbacks.append(self._callback)

    def close(self) -> None:
        """Stop listening."""
        self._viewer.mouse_drag_callbacks.remove(self._callback)

    def _on_press(self, _viewer, event):
        recording = self._session.recording
        if (
            event.button != 1
            or "Control" not in event.modifiers
            or recording is None
            or recording.footprints is None
        ):
            return
        adding = "Shift" in event.modifiers
        corners = [tuple(event.position[-2:])]
        drawn_at = 0.0
        yield
        while event.type == "mouse_move":
            corners.append(tuple(event.position[-2:]))
            if time.monotonic() - drawn_at > _DRAWN_EVERY_S:
                self._draw(corners)
                drawn_at = time.monotonic()
            yield
        self._layers.remove(LASSO)
        self.select(np.array(corners), adding=adding)

    def select(self, corners: np.ndarray, *, adding: bool = False) -> None:
        """Select the neurons inside a polygon, (corners, 2) as y and x in napari's world."""
        if len(corners) < _FEWEST_CORNERS:
            return
        scale = self._layers.geometry.of_image()["scale"]
        centres = self._session.recording.footprints.centroids_px * scale
        inside = np.flatnonzero(points_in_poly(centres, corners))
        if inside.size:
            before = self._session.selection if adding else ()
            self._session.select((*before, *inside.tolist()))

    def _draw(self, corners: list) -> None:
        scale = self._layers.geometry.of_image()["scale"]
        path = np.array([*corners, corners[0]]) / scale
        layer = self._layers.find(LASSO)
        if layer is not None:
            layer.data = [path]
            return
        active = self._viewer.layers.selection.active
        self._viewer.add_shapes(
            [path],
            shape_type="path",
            name=LASSO,
            edge_color="white",
            edge_width=0.3,
            metadata={ROLE_KEY: LASSO},
            **self._layers.geometry.of_image(),
        )
        self._viewer.layers.selection.active = active
