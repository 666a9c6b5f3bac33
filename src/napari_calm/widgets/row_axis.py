"""Names at the side of a plot, as many as there is room for."""

import pyqtgraph as pg
from qtpy.QtGui import QFontMetricsF

_LEAST_APART_PX = 11.0
_LEAST_APART_LINES = 0.75  # of a line of the axis' font, where that is larger


class RowAxis(pg.AxisItem):
    """A left axis with a name at each row; names that would overlap are left out."""

    def __init__(self) -> None:
        super().__init__("left")
        self._names: dict[float, str] = {}
        self.setStyle(tickLength=0)

    def set_names(self, names: dict[float, str]) -> None:
        """Take the names by where they stand, in the plot's coordinates."""
        self._names = names
        self.picture = None
        self.update()

    def tickValues(self, low: float, high: float, size: float) -> list:
        """Return places that are in view and far enough from one another."""
        pixels = size / max(high - low, 1e-9)
        least = _LEAST_APART_PX
        if self.style["tickFont"] is not None:
            line = QFontMetricsF(self.style["tickFont"]).height()
            least = max(least, _LEAST_APART_LINES * line)
        shown: list[float] = []
        for place in sorted(self._names, reverse=True):
            is_free = not shown or (shown[-1] - place) * pixels >= least
            if low <= place <= high and is_free:
                shown.append(place)
        return [(1.0, shown)]

    def tickStrings(self, values: list, *_scale_and_spacing) -> list[str]:
        """Return the names at these places."""
        return [self._names[value] for value in values]
