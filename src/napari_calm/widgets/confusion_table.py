"""Which classes are taken for which."""

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from .session_view import LEAST_HEIGHT_PX
from .theme import ThemeColours


class ConfusionTable(QTableWidget):
    """Rows are true classes, columns decoded ones; cells tell the share of the row."""

    def __init__(self) -> None:
        super().__init__(objectName="calm_confusion")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setMinimumHeight(LEAST_HEIGHT_PX)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            header.setMinimumSectionSize(18)
        self._colours: ThemeColours | None = None
        self._shown: tuple[pd.DataFrame, str] | None = None

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self._colours = colours
        if self._shown is not None:
            self.show_confusion(*self._shown)

    def show_confusion(self, shares: pd.DataFrame, name: str) -> None:
        """Fill in the shares, (true classes, decoded classes)."""
        self._shown = (shares, name)
        self.setRowCount(len(shares))
        self.setColumnCount(shares.shape[1])
        self.setVerticalHeaderLabels([f"true {each}" for each in shares.index])
        self.setHorizontalHeaderLabels([f"read as {each}" for each in shares.columns])
        for row, column in np.ndindex(shares.shape):
            share = float(shares.iloc[row, column])
            item = QTableWidgetItem(f"{share:.0%}")
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            background, text = self._cell_colours(share)
            item.setBackground(background)
            item.setForeground(text)
            item.setToolTip(
                f"{share:.1%} of what was {name} {shares.index[row]} was read as "
                f"{shares.columns[column]} when it was held out."
            )
            self.setItem(row, column, item)

    def _cell_colours(self, share: float) -> tuple[QColor, QColor]:
        """From the theme's background to blue; text that can be read on it."""
        low = QColor(self._colours.background if self._colours is not None else "#ffffff")
        high = QColor(0, 114, 178)
        mixed = QColor(
            *(
                round(a + (b - a) * share)
                for a, b in zip(low.getRgb()[:3], high.getRgb()[:3], strict=True)
            )
        )
        luminance = 0.299 * mixed.red() + 0.587 * mixed.green() + 0.114 * mixed.blue()
        return mixed, QColor("#000000" if luminance > 140 else "#ffffff")
