"""The embedding of the neurons in a plane, in step with the session."""

from qtpy.QtWidgets import QLabel, QVBoxLayout

from .colouring import Colouring, colouring_of
from .embedding_plot import EmbeddingPlot
from .mini_trace import Glimpse, MiniTrace, extremes_around
from .selected_rows import neuron_name
from .session import Session
from .session_view import SessionView
from .theme import ThemeColours

_EMPTY_HINT = "No embedding yet: press Cluster in the CalM panel."
_USE_HINT = (
    "Each point is a neuron; those of like function lie close. Click one to select it, Shift "
    "adds; drag to draw a lasso around several. Over a point you see its trace around the "
    "present moment. The wheel zooms, the middle button shifts."
)


class ScatterView(SessionView):
    """Points that are clicked and lassoed; the selection has rings."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._colouring = Colouring()
        self._shown_map = None
        self.hint = QLabel(_EMPTY_HINT)
        self.hint.setWordWrap(True)
        self.plot = EmbeddingPlot(self._look_at)
        self.plot.setToolTip(_USE_HINT)
        self.plot.picked.connect(self.select)
        self.plot.lassoed.connect(self.select_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.hint)
        layout.addWidget(self.plot, 1)
        self.follow(
            session.embedding_changed,
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

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self.plot.set_colours(colours)
        self.redraw_soon()

    def refresh(self) -> None:
        """Draw the map of the embedding."""
        neuron_map = self._session.neuron_map
        self.hint.setVisible(neuron_map is None)
        self.plot.setVisible(neuron_map is not None)
        if neuron_map is None:
            self._shown_map = None
            self.tell("")
            return
        self._colouring = colouring_of(self._session)
        anew = neuron_map is not self._shown_map
        self._shown_map = neuron_map
        self.plot.show_points(
            neuron_map.points[:, :2], self._colouring.colours, _axes(neuron_map), anew=anew
        )
        self.plot.show_selection(self._session.selection)
        dense = f"{len(neuron_map.points):,} points, more opaque where dense"
        self.tell(dense if self.plot.is_dense else "")

    def draw_now(self) -> None:
        """Draw all that there is to draw, what waits for the event loop too."""
        super().draw_now()
        self.plot.draw_now()

    def move_to(self, time_s: float) -> None:  # noqa: ARG002
        """Show the neuron under the mouse at this moment."""
        self.plot.look_again()

    def _on_selection(self) -> None:
        if self.is_up_to_date() and self._shown_map is not None:
            self.plot.show_selection(self._session.selection)
        else:
            self.redraw_soon()

    def _look_at(self, neuron: int) -> Glimpse:
        recording = self._session.recording
        low, high, now = extremes_around(
            recording.traces[neuron],
            recording.frame_rate_hz,
            self._session.time_s,
            MiniTrace.COLUMNS,
        )
        colour = tuple(int(part) for part in self._colouring.colours[neuron])
        return Glimpse(self._lines(neuron), low, high, now, colour)

    def _lines(self, neuron: int) -> list[str]:
        name = neuron_name(self._session, neuron)
        said = [name if self._session.accepted[neuron] else f"{name} (rejected)"]
        clusters = self._session.clusters
        if clusters is not None:
            label, sure = int(clusters.labels[neuron]), clusters.confidence[neuron]
            sure_text = f" (confidence {sure:.2f})" if sure == sure else ""
            said.append(f"cluster {label}{sure_text}" if label >= 0 else "no cluster")
        if self._colouring.name and not self._colouring.name.startswith("cluster"):
            said.append(self._colouring.value_text(neuron))
        return said


def _axes(neuron_map) -> tuple[str, str]:
    shares = [f" ({share:.0%})" for share in neuron_map.explained] or ["", ""]
    letter = "PC" if neuron_map.method == "PCA" else neuron_map.method
    return tuple(f"{letter} {axis + 1}{shares[axis]}" for axis in range(2))
