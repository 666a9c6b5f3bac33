"""What the rows of the raster are sorted by, and the sorting itself."""

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from .colouring import colouring_names, colouring_of
from .explored_results import CLUSTER
from .job import Ending, Job, JobReport
from .raster_plot import SortedNeurons, sorted_by
from .session import Session

BY_COLOUR, BY_SIMILARITY, AS_FOUND = "colour", "similar activity", "nothing"
_OWN = {
    BY_COLOUR: "By what 'Colour by' says.",
    BY_SIMILARITY: "Neurons that are active together stand beside each other; found by "
    "k-means and the best line through its groups, of the activity alone.",
    AS_FOUND: "In the order of the file.",
}


class RowSorting(QWidget):
    """A choice of orders; the one by similar activity is computed in a worker, once.

    Signals
    -------
    changed
        Another order was chosen, or the one that was waited for is there.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._job = Job(self)
        self._job.ended.connect(self._on_ended)
        self._similar = self._similar_of = None
        self.by = QComboBox(objectName="calm_sort_by")
        self.by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.by.setMaximumWidth(170)
        self.by.setToolTip(
            "Sort the rows by what they are coloured by, so that neurons of similar activity "
            "stand beside each other, or by any feature."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(QLabel("Sort by"))
        layout.addWidget(self.by)
        self.offer()
        self.by.activated.connect(lambda _row: session.set_sort_by(self.by.currentText()))
        session.sort_changed.connect(self._on_sort)

    def release(self) -> None:
        """Stop following the session, and what is being computed."""
        self._session.sort_changed.disconnect(self._on_sort)
        self._job.abandon()

    def offer(self) -> None:
        """Fill the choice with what there is to sort by; show what was chosen if it can be."""
        names = [*_OWN, *colouring_names(self._session)]
        if [self.by.itemText(row) for row in range(self.by.count())] != names:
            self.by.clear()
            self.by.addItems(names)
            for row, told in enumerate(_OWN.values()):
                self.by.setItemData(row, told, Qt.ItemDataRole.ToolTipRole)
        self.by.setCurrentIndex(max(0, self.by.findText(self._session.sort_by)))

    def _on_sort(self) -> None:
        self.offer()
        self.changed.emit()

    def rows(self) -> tuple[SortedNeurons, str]:
        """Return the rows and how they are sorted, in words."""
        session, by = self._session, self.by.currentText()
        colours = colouring_of(session).colours
        n_neurons = session.recording.n_neurons
        as_found = SortedNeurons(np.arange(n_neurons), colours)
        if by == AS_FOUND:
            return as_found, "in their own order"
        if by == BY_SIMILARITY:
            order = self._similar_order()
            if order is None:
                return as_found, "(sorting by similar activity ...)"
            return SortedNeurons(order, colours[order]), "by similar activity"
        name = session.colour_by if by == BY_COLOUR else by
        values = colouring_of(session, name)
        by_cluster = session.clusters is not None and name == CLUSTER
        order = session.clusters.order() if by_cluster else None
        rows = sorted_by(values.values, colours, values.categories, order)
        return rows, f"by {values.name}" if values.name else "in their own order"

    def _similar_order(self):
        traces = self._session.recording.traces
        if self._similar_of is not traces:
            self._job.abandon()
            self._similar, self._similar_of = None, traces
            self._job.start(
                _steps(traces), title="Sort by similar activity", on_done=self._on_sorted
            )
        return self._similar

    def _on_sorted(self, found: tuple) -> None:
        traces, order = found
        if traces is self._similar_of:
            self._similar = order
            self.changed.emit()

    def _on_ended(self, report: JobReport) -> None:
        if report.ending is not Ending.DONE:
            # napari has told why; choosing it again tries again.
            self._similar_of = None
            self._session.set_sort_by(AS_FOUND)


def _steps(traces):
    from ..explore.similar_order import order_by_similarity_steps

    order = yield from order_by_similarity_steps(traces)
    return traces, order
