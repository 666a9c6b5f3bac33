"""All neurons over time, sorted, in step with the session."""

from qtpy.QtWidgets import QVBoxLayout

from .raster_plot import RasterPlot
from .row_sorting import RowSorting
from .session import Session
from .session_view import SessionView
from .shared_levels import levels_of
from .theme import ThemeColours
from .trace_levels import HIGH_Z, LOW_Z

_EMPTY_HINT = "No traces yet: extract them, or open a suite2p folder."
_USE_HINT = (
    "Each row is a neuron; the band has the colours that 'Colour by' says. Click to "
    "move in time and select the neuron (Shift adds), drag to scrub. The wheel zooms in time, "
    "with Ctrl it zooms neurons; the middle button shifts."
)


class RasterView(SessionView):
    """Prepares the traces once in a worker, then draws what is in view."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._levels = None
        self._shown_levels = None
        self._shared = levels_of(session)
        self._shared.ready.connect(self.redraw_soon)
        self._shared.failed.connect(self._on_failed)
        self.sorting = self.controls = RowSorting(session)
        self.sorting.changed.connect(self.redraw_soon)
        self.plot = RasterPlot()
        self.plot.setToolTip(_USE_HINT)
        self.plot.sought.connect(self.seek_soon)
        self.plot.picked.connect(self.select)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        self.follow(
            session.recording_changed,
            session.clusters_changed,
            session.selectivity_changed,
            session.decoding_changed,
            session.colour_changed,
            session.accepted_changed,
            session.palette_changed,
        )
        session.selection_changed.connect(self._on_selection)

    def release(self) -> None:
        """Stop following the session."""
        super().release()
        self._session.selection_changed.disconnect(self._on_selection)
        self._shared.ready.disconnect(self.redraw_soon)
        self._shared.failed.disconnect(self._on_failed)
        self._shared.leave(self)
        self.sorting.release()
        self._levels = self._shown_levels = None

    @property
    def is_preparing(self) -> bool:
        """Whether the traces are still prepared."""
        return self._session.recording is not None and self._levels is None

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self.plot.set_colours(colours)

    def refresh(self) -> None:
        """Draw the rows, or prepare the traces first."""
        recording = self._session.recording
        before = self._levels
        if recording is None:
            self._shared.leave(self)
            self._levels = None
        else:
            self._levels = self._shared.want(self, recording.traces)
        if self._levels is None:
            if before is not None or recording is None:
                self.plot.clear_rows()
            self._shown_levels = None
            self.tell(_EMPTY_HINT if recording is None else "Preparing the traces ...")
            return
        self.sorting.offer()
        rows, order = self.sorting.rows()
        anew = self._levels is not self._shown_levels
        self._shown_levels = self._levels
        self.plot.show_rows(self._levels, rows, recording.frame_rate_hz, anew=anew)
        self.plot.show_selection(self._session.selection)
        scale = f"z-scored dF/F ({LOW_Z:g} to {HIGH_Z:g})"
        self.tell(f"{recording.n_neurons} neurons {order}, {scale}")

    def draw_now(self) -> None:
        """Draw all that there is to draw, what waits for the event loop too."""
        super().draw_now()
        self.plot.draw_now()

    def move_to(self, time_s: float) -> None:
        """Draw the cursor."""
        self.plot.move_cursor(time_s)

    def _on_failed(self, why: str) -> None:
        self.tell(f"The traces could not be prepared: {why}")

    def _on_selection(self) -> None:
        if self.is_up_to_date() and self._shown_levels is not None:
            self.plot.show_selection(self._session.selection)
        else:
            self.redraw_soon()
