"""The mean trace of each cluster, in step with the session."""

import numpy as np
from qtpy.QtWidgets import QVBoxLayout

from .palette import cluster_colours
from .session import Session
from .session_view import LEAST_HEIGHT_PX, SessionView
from .theme import ThemeColours
from .trace_plot import TracePlot
from .trace_rows import Picture, Row

_EMPTY_HINT = "No clusters yet: press Cluster in the CalM panel."
_FIRST_VIEW_S = 120.0


class MeanTracesView(SessionView):
    """Mean of the members' z-scored traces, one row a cluster in its colour."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._shown = None
        self.plot = TracePlot(unit="z")
        self.plot.setMinimumHeight(LEAST_HEIGHT_PX)
        self.plot.setToolTip(
            "Click or drag to move in time, turn the wheel to zoom, with Shift to scroll rows, "
            "with Ctrl to make them taller, drag with the middle button to shift."
        )
        self.plot.sought.connect(self.seek_soon)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        self.follow(session.clusters_changed, session.palette_changed)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self.plot.set_colours(colours)

    def refresh(self) -> None:
        """Draw the mean traces."""
        clusters = self._session.clusters
        if clusters is None or clusters.n_clusters == 0:
            self._shown = None
            self.plot.show_picture(Picture())
            self.tell(_EMPTY_HINT if clusters is None else clusters.verdict())
            return
        n_frames = clusters.mean_traces.shape[1]
        time_s = np.arange(n_frames) / clusters.frame_rate_hz
        end_s = n_frames / clusters.frame_rate_hz
        colours = cluster_colours(clusters.n_clusters).tolist()
        rows = [
            Row(f"{cluster} ({size})", tuple(colour), time_s, trace)
            for cluster, (size, colour, trace) in enumerate(
                zip(clusters.sizes, colours, clusters.mean_traces, strict=True)
            )
        ]
        view_s = (0.0, min(end_s, _FIRST_VIEW_S)) if clusters is not self._shown else None
        self._shown = clusters
        self.plot.show_picture(Picture(rows, end_s=end_s), view_s)
        self.tell("mean z-scored dF/F of each cluster (its size)")

    def move_to(self, time_s: float) -> None:
        """Draw the cursor."""
        self.plot.move_cursor(time_s)
