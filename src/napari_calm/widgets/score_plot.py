"""The score of a decoder beside what costs nothing and what chance would reach."""

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy

from .decoded_plot import DECODED_RGB
from .drawing_pen import drawing_pen, follow_letters
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours

_POINT_PX = 9
_NAMES = ("model", "no states", "reference", "shifted")
_FAINT_ALPHA = 130


class ScorePlot(pg.PlotWidget):
    """One row a decoder: mean over held-out folds, its 95 % interval, and every fold.

    For shifted behaviour every shift is a point.
    """

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        # Scores have no unit that thousandths could be written in.
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setMinimumHeight(LEAST_HEIGHT_PX)
        self.setMinimumWidth(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        follow_letters(self)
        self.setMouseEnabled(x=False, y=False)
        self._colours: ThemeColours | None = None
        self._decoding = None
        self.rows: dict[str, float] = {}

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.setBackground(colours.background)
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setTextPen(colours.text)
            axis.setPen(colours.muted)
        if self._decoding is not None:
            self.show_decoding(self._decoding)

    def show_decoding(self, decoding) -> None:
        """Draw the scores of a decoding."""
        self._decoding = decoding
        self.clear()
        text = self._colours.text if self._colours is not None else "#808080"
        faint = pg.mkColor(text)
        faint.setAlpha(_FAINT_ALPHA)
        found = [(_NAMES[0], decoding.score, decoding.fold_scores(decoding.outputs))]
        if decoding.without_model is not None:
            folds = decoding.fold_scores(decoding.without_model_outputs)
            found.append((_NAMES[1], decoding.without_model, folds))
        folds = decoding.fold_scores(decoding.reference_outputs)
        found.append((_NAMES[2], decoding.reference, folds))
        self.rows = {name: score.mean for name, score, _ in found}
        ticks, everything = [], []
        for row, (name, score, values) in enumerate(found):
            y = len(found) - row
            colour = DECODED_RGB if row == 0 else text
            self._points(values, y, faint, 4)
            self._interval(score, y, colour)
            self._points(np.array([score.mean]), y, colour, _POINT_PX)
            ticks.append((y, name))
            # Intervals of few folds are wide; what is drawn of them ends with the view.
            everything += [*values, score.mean]
        if decoding.null.size:
            self._points(decoding.null, 0, faint, 4)
            self._points(np.array([decoding.null.mean()]), 0, text, _POINT_PX)
            ticks.append((0, _NAMES[3]))
            everything += list(decoding.null)
            self.rows[_NAMES[3]] = float(decoding.null.mean())
        self.getAxis("left").setTicks([ticks])
        self.setLabel("bottom", decoding.measure, color=text)
        low, high = _view(np.array(everything), decoding.measure)
        self.getViewBox().setRange(
            xRange=(low, high), yRange=(-0.5, len(found) + 0.5), padding=0.02
        )
        self.setToolTip(
            f"Large: mean over held-out folds with its 95 % interval (folds share training "
            f"data, which is counted); small: every fold, or every shift. 'reference' is "
            f"{decoding.reference_name}; 'no states' the same decoder without the model's "
            "hidden states."
        )

    def _points(self, values: np.ndarray, y: float, colour, size: int) -> None:
        brush = pg.mkBrush(colour)
        points = pg.ScatterPlotItem(
            x=values, y=np.full(len(values), y), size=size, brush=brush, pen=None
        )
        self.addItem(points)

    def _interval(self, score, y: float, colour) -> None:
        if np.isfinite([score.low, score.high]).all():
            line = pg.PlotDataItem(
                [score.low, score.high], [y, y], pen=drawing_pen(colour, width=2)
            )
            self.addItem(line)


def _view(values: np.ndarray, measure: str) -> tuple[float, float]:
    """Limits of the axis: where the scores lie, R2 far below 0 left out."""
    if measure == "R2":
        return max(-1.0, float(values.min())), min(1.0, max(0.2, 1.1 * float(values.max())))
    return float(min(values.min(), 0.5)), 1.0
