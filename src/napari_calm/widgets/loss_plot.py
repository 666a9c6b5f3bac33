"""The learning curve, drawn while it grows."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QSizePolicy

from .drawing_pen import drawing_pen, follow_letters
from .palette import neuron_colour
from .theme import ThemeColours

HEIGHT_PX = 110


class LossPlot(pg.PlotWidget):
    """Training loss thin, validation loss thick, the model before the fit dashed."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        follow_letters(self)
        self.training = pg.PlotDataItem()
        self.validation = pg.PlotDataItem()
        self.zero_shot = pg.InfiniteLine(angle=0)
        for item in (self.training, self.validation, self.zero_shot):
            self.addItem(item)
        self.zero_shot.hide()

    def sizeHint(self) -> QSize:
        """Ask for a strip: the panel holds more than this."""
        return QSize(200, HEIGHT_PX)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        self.training.setPen(drawing_pen(colours.text, width=1))
        self.validation.setPen(drawing_pen(neuron_colour(1), width=3))
        self.zero_shot.setPen(drawing_pen(colours.text, width=1, style=Qt.PenStyle.DashLine))

    def show_curve(
        self, curve: Sequence[dict[str, float]], *, validation: str = "validation_loss"
    ) -> None:
        """Draw the rows of a learning curve; a validation at step 0 is the dashed level.

        Spikes of the training loss reach out of the picture, so that the rest can be seen.

        Parameters
        ----------
        curve : sequence of dict
            Each with ``step`` and what was measured then.
        validation : str
            What is drawn thick.
        """
        shown = []
        for item, key in ((self.training, "loss"), (self.validation, validation)):
            rows = [row for row in curve if key in row]
            losses = [row[key] for row in rows]
            item.setData([row["step"] for row in rows], losses)
            if losses:
                shown += [min(losses), np.percentile(losses, 95), losses[-1]]
        before = [row[validation] for row in curve if row["step"] == 0]
        self.zero_shot.setVisible(bool(before))
        if before:
            self.zero_shot.setValue(before[0])
        if shown:
            self.setYRange(min(shown), max(shown))
