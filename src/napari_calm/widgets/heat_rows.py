"""Rows too low for lines: their activity as shades of a colour."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor

from .row_window import ABOVE
from .theme import ThemeColours
from .trace_levels import HIGH_Z, LOW_Z, TraceLevels

_SHADES = 256


@dataclass(frozen=True, eq=False)
class HeatSource:
    """All traces, and which of them are rows.

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
    neurons : numpy.ndarray of int, (rows,)
    frame_rate_hz : float
    """

    traces: np.ndarray
    neurons: np.ndarray
    frame_rate_hz: float


class HeatRows(pg.ImageItem):
    """Draws z-scored rows in as many pixels as there are; row i reaches from 0.35 below -i."""

    def __init__(self) -> None:
        super().__init__(axisOrder="row-major")
        self.setLevels((LOW_Z, HIGH_Z))

    def set_colours(self, colours: ThemeColours) -> None:
        """Let activity go from the theme's background to its text."""
        ends = [QColor(name).getRgb()[:3] for name in (colours.background, colours.text)]
        self.setLookupTable(np.linspace(*ends, _SHADES).round().astype(np.uint8))

    def draw(
        self,
        source: HeatSource,
        levels: TraceLevels | None,
        rows: range,
        view_s: tuple[float, float],
        size: tuple[int, int],
    ) -> None:
        """Draw `rows` of `source` in `view_s`, in (width, height) pixels.

        Without levels, which take a while to prepare, few values stand for all.
        """
        neurons, rate = source.neurons[rows.start : rows.stop], source.frame_rate_hz
        start, stop = int(np.floor(view_s[0] * rate)), int(np.ceil(view_s[1] * rate))
        start, stop = max(0, start), min(source.traces.shape[1], stop)
        if not len(neurons) or start >= stop:
            self.clear()
            return
        width, height = (max(1, side) for side in size)
        if levels is None or levels.traces is not source.traces:
            picture = glanced_picture(source.traces, neurons, start, stop, width, height)
            first, last = start, stop
        else:
            picture, first, last = levels.view(neurons, start, stop, width, height)
        # The first row is the highest.
        self.setImage(picture[::-1], autoLevels=False)
        bottom = ABOVE - rows.stop
        self.setRect(QRectF(first / rate, bottom, (last - first) / rate, len(rows)))


def glanced_picture(
    traces: np.ndarray, neurons: np.ndarray, start: int, stop: int, width: int, height: int
) -> np.ndarray:
    """Return a picture made of single values: at once, but with all their noise.

    Returns
    -------
    numpy.ndarray, (at most height, at most width)
        Values less the mean of what is seen of their row, in its standard deviations.
    """
    rows = neurons[np.linspace(0, len(neurons) - 1, min(height, len(neurons))).astype(int)]
    frames = np.linspace(start, stop - 1, min(width, stop - start)).astype(int)
    part = traces[rows[:, None], frames].astype(np.float32)
    part -= part.mean(axis=1, keepdims=True)
    deviation = np.maximum(part.std(axis=1, keepdims=True), 1e-12)
    return np.asarray(part / deviation)
