"""The time axis of a plot, with the unit at its numbers, which takes less room than a title."""

import pyqtgraph as pg


class TimeAxis(pg.AxisItem):
    """Seconds along the bottom of a plot."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.enableAutoSIPrefix(False)

    def tickStrings(self, values: list, scale: float, spacing: float) -> list[str]:
        """Return the seconds with their unit."""
        return [f"{text} s" for text in super().tickStrings(values, scale, spacing)]
