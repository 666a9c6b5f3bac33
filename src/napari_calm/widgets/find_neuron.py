"""Selecting neurons by their numbers."""

import re

import numpy as np
from qtpy.QtWidgets import QLineEdit

from .geometry import Geometry
from .session import Session

_PART = re.compile(r"(\d+)(?:-(\d+))?")


class FindNeuron(QLineEdit):
    """Takes numbers and ranges of ROIs; Enter selects them and brings the first into view."""

    def __init__(self, viewer, session: Session) -> None:
        super().__init__(objectName="calm_find")
        self._viewer, self._session = viewer, session
        self.setPlaceholderText("Find ROI ...")
        self.setMaximumWidth(110)
        self.setClearButtonEnabled(True)
        self.setToolTip(
            "Numbers of ROIs, such as 17 or 3, 8, 20-25; Enter selects them. Ctrl+F comes here."
        )
        self.returnPressed.connect(self._find)

    def _find(self) -> None:
        recording = self._session.recording
        if recording is None:
            return
        numbers = numbers_in(self.text())
        labels = recording.roi_labels
        neurons = [int(n) for number in numbers for n in np.flatnonzero(labels == number)]
        if not neurons:
            said = "There are no traces with such numbers" if numbers else "No number found"
            self.setToolTip(f"{said}: ROIs go from {labels.min()} to {labels.max()}.")
            self.setStyleSheet("border: 1px solid #d55e00;")
            return
        self.setStyleSheet("")
        self._session.select(tuple(neurons))
        self._bring_into_view(neurons[0])

    def _bring_into_view(self, neuron: int) -> None:
        recording = self._session.recording
        if recording.footprints is None:
            return
        scale = Geometry(recording.frame_rate_hz, self._session.pixel_size_um).of_image()[
            "scale"
        ]
        y, x = recording.footprints.centroids_px[neuron] * scale
        # napari 0.9 moved the camera to the viewer's scene.
        camera = getattr(self._viewer, "scene", self._viewer).camera
        camera.center = (*camera.center[:-2], y, x)


def numbers_in(text: str) -> list[int]:
    """Return the numbers in a text, ranges written out, each once and in order.

    Examples
    --------
    >>> numbers_in("3, 8 20-22")
    [3, 8, 20, 21, 22]
    """
    numbers: list[int] = []
    for first, last in _PART.findall(text):
        stop = min(int(last or first), int(first) + 10_000)
        numbers += range(int(first), stop + 1)
    return list(dict.fromkeys(numbers))
