"""One row a cluster: what it is like; a click selects its neurons."""

import math

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from .palette import cluster_colours
from .session import Session
from .session_view import LEAST_HEIGHT_PX, SessionView

_EMPTY_HINT = "No clusters yet: press Cluster in the CalM panel."
_SWATCH_PX = 12
_COLUMNS = {
    "Cluster": "Number of the cluster, the largest first, and its colour everywhere.",
    "Neurons": "Members.",
    "Confidence": "How often members come back with the rest of their cluster in random "
    "halves of the recording, mean over members; 1 is always.",
    "Spread": "Mean distance between members over that of as many random neurons: below 1 they "
    "lie together. p is the share of random sets that lie as close.",
    "Tokens": "Tokens that members say more often than other neurons, and how many times "
    "(false discovery rate 5 %).",
}
_OF_COLUMN = (
    "Mean share of the members' variance that {name} explains, less chance, and in brackets "
    "the share of members that follow it (false discovery rate 5 %)."
)


class ClusterTable(SessionView):
    """The summary of the clusters, in step with the session."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.hint = QLabel(_EMPTY_HINT)
        self.hint.setWordWrap(True)
        self.table = QTableWidget(objectName="calm_cluster_table")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.verticalHeader().hide()
        self.table.setMinimumHeight(LEAST_HEIGHT_PX)
        self.table.setToolTip("Click a row to select its neurons; Shift adds them.")
        self.table.cellClicked.connect(self._on_cell)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.hint)
        layout.addWidget(self.table, 1)
        self.follow(session.clusters_changed, session.palette_changed)

    def refresh(self) -> None:
        """Fill the table."""
        clusters = self._session.clusters
        self.hint.setVisible(clusters is None)
        self.table.setVisible(clusters is not None)
        if clusters is None:
            self.table.setRowCount(0)
            return
        summary = clusters.summary()
        headers = {
            **_COLUMNS,
            **{name: _OF_COLUMN.format(name=name) for name in clusters.columns},
        }
        self.table.setColumnCount(len(headers))
        self.table.setRowCount(len(summary))
        for column, (name, told) in enumerate(headers.items()):
            item = QTableWidgetItem(name)
            item.setToolTip(told)
            self.table.setHorizontalHeaderItem(column, item)
        colours = cluster_colours(max(1, clusters.n_clusters))
        for row, one in enumerate(summary.to_dict("records")):
            for column, text in enumerate(_cells(one, clusters.columns)):
                item = QTableWidgetItem(text)
                if column == 0:
                    item.setData(Qt.ItemDataRole.DecorationRole, _swatch(colours[row]))
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()
        self.table.resizeRowsToContents()

    def _on_cell(self, row: int, _column: int) -> None:
        clusters = self._session.clusters
        if clusters is None:
            return
        order = clusters.order()
        members = order[clusters.labels[order] == row]
        held = QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier
        self.select_all(tuple(members.tolist()), bool(held))


def _cells(one: dict, columns: tuple[str, ...]) -> list[str]:
    """Return the texts of a row of the summary."""
    spread = _number(one["spread"])
    if spread:
        spread += f" (p {_number(one['spread_p'], 3)})"
    followed = [f"{_number(one[name])} ({one[f'{name}_selective']:.0%})" for name in columns]
    return [
        str(one["cluster"]),
        str(one["neurons"]),
        _number(one["confidence"]),
        spread,
        one["tokens"],
        *followed,
    ]


def _number(value: float, digits: int = 2) -> str:
    return "" if math.isnan(value) else f"{value:z.{digits}f}"


def _swatch(colour: np.ndarray) -> QPixmap:
    pixmap = QPixmap(_SWATCH_PX, _SWATCH_PX)
    pixmap.fill(QColor(*colour.tolist()))
    return pixmap
