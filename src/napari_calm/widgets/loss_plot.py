"""The learning curve, drawn while it grows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy

from .drawing_pen import drawing_pen, follow_letters
from .palette import neuron_colour
from .theme import ThemeColours

HEIGHT_PX = 110
_RAW_ALPHA = 50
# The training loss is drawn as the median of so many parts of the curve, and as it is.
_PARTS = 40
_LEAST_WIDTH = 5  # steps of such a part
_SHOWN_PERCENT = (2, 95)
_WARM_UP = 0.1  # of the curve
_LEAST_CURVE = 30  # steps of one that is taken to have a warm-up


class LossPlot(pg.PlotWidget):
    """Training loss thin, validation loss thick, the model before the fit dashed.

    Single training steps are faint: what a batch holds matters more than the step does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        follow_letters(self)
        self.training = pg.PlotDataItem()
        self.smoothed = pg.PlotDataItem()
        self.validation = pg.PlotDataItem()
        self.zero_shot = pg.InfiniteLine(angle=0)
        for item in (self.training, self.smoothed, self.validation, self.zero_shot):
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
        faint = QColor(colours.text)
        faint.setAlpha(_RAW_ALPHA)
        self.training.setPen(drawing_pen(faint, width=1))
        self.smoothed.setPen(drawing_pen(colours.text, width=1.5))
        self.validation.setPen(drawing_pen(neuron_colour(1), width=3))
        self.zero_shot.setPen(drawing_pen(colours.text, width=1, style=Qt.PenStyle.DashLine))

    def show_curve(
        self, curve: Sequence[dict[str, float]], *, validation: str = "validation_loss"
    ) -> None:
        """Draw the rows of a learning curve; a validation at step 0 is the dashed level.

        What is seen is how the losses go once they have come down: single spikes and the
        first steps reach out of the picture.

        Parameters
        ----------
        curve : sequence of dict
            Each with ``step`` and what was measured then.
        validation : str
            What is drawn thick.
        """
        steps, losses = _series(curve, "loss")
        running = running_median(losses)
        self.training.setData(steps, losses)
        self.smoothed.setData(steps, running)
        judged_steps, judged = _series(curve, validation)
        self.validation.setData(judged_steps, judged)
        before = judged[judged_steps == 0]
        self.zero_shot.setVisible(bool(before.size))
        if before.size:
            self.zero_shot.setValue(float(before[0]))
        shown = [
            before,
            *(_settled(*each) for each in ((steps, running), (judged_steps, judged))),
        ]
        values = np.concatenate(shown)
        values = values[np.isfinite(values)]
        if values.size:
            self.setYRange(values.min(), values.max())


def running_median(losses: np.ndarray) -> np.ndarray:
    """Return the median of each loss and its neighbours, a fortieth of the curve together."""
    width = max(1, min(_LEAST_WIDTH, len(losses) // _LEAST_WIDTH), len(losses) // _PARTS)
    centred = pd.Series(losses).rolling(width, min_periods=1, center=True)
    return np.asarray(centred.median(), float)


def _series(curve: Sequence[dict[str, float]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return at which steps something was measured, and what."""
    rows = [row for row in curve if key in row]
    return (
        np.array([row["step"] for row in rows], float),
        np.array([row[key] for row in rows], float),
    )


def _settled(steps: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Return the losses after the warm-up, of a curve that is long enough to have one."""
    if not len(steps) or steps[-1] < _LEAST_CURVE:
        return losses
    return losses[steps >= _WARM_UP * steps[-1]]
