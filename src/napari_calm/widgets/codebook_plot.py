"""Small waveforms in a grid, one for each code, with a bar for how often it is spoken."""

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtWidgets import QSizePolicy

from ..explore.token_shapes import TokenShapes
from .drawing_pen import drawing_pen, follow_letters
from .palette import token_colours
from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours

# A cell is so many times as wide as it is high, about.
_ASPECT = 1.5
# Of a cell: how much of it the waveform and the bar below it take.
_WIDE, _HIGH, _BAR = 0.8, 0.62, 0.14


class _CellBox(pg.ViewBox):
    """Left click tells where; the view stays as it is."""

    clicked = Signal(QPointF)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=False, y=False)

    def mouseClickEvent(self, event) -> None:
        """Tell where the left button was clicked."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.clicked.emit(self.mapSceneToView(event.scenePos()))


class CodebookPlot(pg.PlotWidget):
    """The grid; a click chooses a code.

    Signals
    -------
    chosen : int
        The code that was clicked.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        self._box = _CellBox()
        super().__init__(viewBox=self._box)
        self._shapes: TokenShapes | None = None
        self._colours: ThemeColours | None = None
        self._columns = 16
        self._code: int | None = None
        self.frame = pg.QtWidgets.QGraphicsRectItem()
        # The plot of when a code is spoken stands below it.
        self.setMinimumHeight(LEAST_HEIGHT_PX - 20)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.hideButtons()
        follow_letters(self)
        self.hideAxis("left")
        self.hideAxis("bottom")
        self.invertY(True)
        self._box.clicked.connect(self._on_click)
        self._box.sigResized.connect(self._on_resized)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        self.setBackground(colours.background)

    def show_shapes(self, shapes: TokenShapes, code: int | None) -> None:
        """Draw the waveforms of all codes that are spoken, and a frame around one of them."""
        self._shapes, self._code, self._columns = shapes, code, self._best_columns(shapes)
        self.clear()
        n_rows = max(1, -(-len(shapes.order) // self._columns))
        low, high = (
            np.percentile(shapes.waveforms[shapes.order], (1, 99))
            if len(shapes.order)
            else (0, 1)
        )
        height = max(high - low, 1e-6)
        time = np.linspace(0.1, 0.1 + _WIDE, shapes.waveforms.shape[1])
        colours = (token_colours(len(shapes.counts)) * 255).astype(int)
        most = max(1, int(shapes.counts.max()))
        for place, number in enumerate(shapes.order.tolist()):
            row, column = divmod(place, self._columns)
            shown = np.clip((high - shapes.waveforms[number]) / height, 0, 1)
            pen = drawing_pen(colours[number], width=2)
            self.addItem(pg.PlotCurveItem(column + time, row + 0.06 + _HIGH * shown, pen=pen))
            bar = pg.QtWidgets.QGraphicsRectItem(
                QRectF(column + 0.1, row + 0.8, _WIDE * shapes.counts[number] / most, _BAR)
            )
            bar.setPen(pg.mkPen(None))
            bar.setBrush(pg.mkBrush(self._colours.muted if self._colours else "#808080"))
            self.addItem(bar)
        self._frame(code)
        self._box.setRange(QRectF(0, 0, self._columns, n_rows), padding=0)

    def _best_columns(self, shapes: TokenShapes) -> int:
        """Return how many columns give cells of a good shape in the room that there is."""
        ratio = self._box.width() / max(1.0, self._box.height())
        return max(4, round((max(1, len(shapes.order)) * ratio / _ASPECT) ** 0.5))

    def _on_resized(self) -> None:
        shapes = self._shapes
        if shapes is not None and self._best_columns(shapes) != self._columns:
            self.show_shapes(shapes, self._code)

    def _frame(self, code: int | None) -> None:
        place = self.place_of(code)
        self.frame = pg.QtWidgets.QGraphicsRectItem()
        if place is not None:
            row, column = divmod(place, self._columns)
            self.frame.setRect(QRectF(column + 0.03, row + 0.02, 0.94, 0.96))
            self.frame.setPen(
                drawing_pen(self._colours.text if self._colours else "w", width=2)
            )
            self.addItem(self.frame)

    def place_of(self, code: int | None) -> int | None:
        """Return which cell of the grid shows a code, row by row; None if none does."""
        if code is None or self._shapes is None:
            return None
        found = np.flatnonzero(self._shapes.order == code)
        return int(found[0]) if found.size else None

    def _on_click(self, at: QPointF) -> None:
        if self._shapes is None:
            return
        place = int(np.floor(at.y())) * self._columns + int(np.floor(at.x()))
        if 0 <= at.x() < self._columns and 0 <= place < len(self._shapes.order):
            self.chosen.emit(int(self._shapes.order[place]))
