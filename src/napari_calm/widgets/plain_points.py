"""Points of a plot that do not take clicks for themselves."""

import pyqtgraph as pg


class PlainPoints(pg.ScatterPlotItem):
    """Points that leave clicks to the plot, which knows the nearest one."""

    def mouseClickEvent(self, event) -> None:
        """Let the plot have it."""
        event.ignore()
