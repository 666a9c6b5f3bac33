"""The dock widget "CalM": recording, model, adapt, tokens, forecast, embedding, decode."""

import napari
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QFrame, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from .adapt_section import AdaptSection
from .canvas_lasso import CanvasLasso
from .cursor import TimeCursor
from .decode_section import DecodeSection
from .dock_content import DockContent
from .embedding_section import EmbeddingSection
from .explore_panel import EXPLORE_DOCK, ExplorePanel
from .export_section import ExportSection
from .forecast_section import ForecastSection
from .job import Job
from .job_bar import JobBar
from .keys_button import KeysButton
from .label_colours import prepare_label_colours
from .layers import RECORDING_KEY, SessionLayers
from .model_section import ModelSection
from .neuron_colours import NeuronColours
from .picking import RoiPicking
from .recording_section import RecordingSection
from .session import session_of
from .session_keeping import SessionKeeping
from .shortcuts import Shortcuts
from .start_hint import StartHint
from .theme import theme_colours
from .tokens_section import TokensSection
from .trace_panel import TracePanel

TRACES_DOCK = "CalM traces"


class _VerticalScroll(QScrollArea):
    """Scrolls up and down only; as wide as its content needs, whatever the font."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        content.installEventFilter(self)

    def eventFilter(self, watched, event) -> bool:
        """Follow the content's least width, which a style sheet changes late."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(watched.minimumSizeHint().width() + bar)
        return super().eventFilter(watched, event)


class CalmPanel(DockContent):
    """The plugin's panel; opens the docks below the canvas when there is something to show.

    Owns what couples one viewer to its session: layers, time cursor and picking.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        prepare_label_colours()
        self._viewer = viewer
        self.session = session_of(viewer)
        self.job = Job(self)
        self.layers = SessionLayers(viewer, self.session)
        self._neuron_colours = NeuronColours(viewer, self.session, self.layers)
        self._cursor = TimeCursor(viewer, self.session)
        self._picking = RoiPicking(viewer, self.session, self.layers)
        self._lasso = CanvasLasso(viewer, self.session, self.layers)
        self._couplings = (
            self.layers,
            self._neuron_colours,
            self._cursor,
            self._picking,
            self._lasso,
        )
        self.traces: TracePanel | None = None
        self.explore: ExplorePanel | None = None
        self.recording = RecordingSection(viewer, self.session, self.job)
        self.model = ModelSection(self.session, self.job)
        self.adapt = AdaptSection(self.session, self.job, self.model)
        self.tokens = TokensSection(self.session, self.job, self.model)
        self.forecast = ForecastSection(self.session, self.job, self.model)
        self.job_bar = JobBar(self.job)
        self.start_hint = StartHint(self.session, self.recording.open_sample)
        self.embedding = EmbeddingSection(self.session, self.job, self.model)
        self.decode = DecodeSection(self.session, self.job, self.model)
        keeping = SessionKeeping(
            self.session, self.job, self.recording, self.model, lambda: list(self._sections)
        )
        self.export = ExportSection(self.session, self.job, self._figures, keeping)
        self.shortcuts = Shortcuts(
            viewer, self.session, buttons=self._keyed_buttons(), find=self.find_neuron
        )
        self._sections = (
            self.recording,
            self.model,
            self.adapt,
            self.tokens,
            self.forecast,
            self.embedding,
            self.decode,
            self.export,
        )
        self.recording.show_traces.clicked.connect(self.show_traces)
        self.embedding.show_views.clicked.connect(self.show_explore)
        self.tokens.show_codebook.clicked.connect(self.show_codebook)
        self.forecast.error_map.toggled.connect(self.layers.show_error_map)
        self._lay_out()
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self.session.recording_changed.connect(self.show_traces)
        for signal in self._explored():
            signal.connect(self._on_explored)
        self.show_traces()
        self._take_over_opened()

    def _lay_out(self) -> None:
        content = QWidget()
        stack = QVBoxLayout(content)
        stack.setContentsMargins(2, 2, 2, 2)
        stack.setSpacing(2)
        stack.addWidget(self.start_hint)
        for section in self._sections:
            stack.addWidget(section)
        self.keys = KeysButton(self.shortcuts)
        stack.addWidget(self.keys)
        stack.addStretch(1)
        scroll = _VerticalScroll(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 4)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.job_bar)

    def release(self) -> None:
        """Let go of the viewer: the dock was closed. Layers and session stay."""
        self.job.abandon()
        for section in (*self._sections, self.start_hint):
            section.release()
        for coupling in (*self._couplings, self.shortcuts):
            coupling.close()
        for signal in self._explored():
            signal.disconnect(self._on_explored)
        self.session.recording_changed.disconnect(self.show_traces)
        self._viewer.events.theme.disconnect(self._on_theme)

    def window_closed(self) -> None:
        """Stop the job: nobody is left to see its result."""
        self.job.cancel()

    def show_traces(self, _checked: bool = False) -> None:
        """Open the trace panel below the canvas, if there are traces and it is not open."""
        window = self._viewer.window
        if self.session.recording is None or TRACES_DOCK in window.dock_widgets:
            return
        self.traces = TracePanel(self._viewer, self.session)
        self._add_below(self.traces, TRACES_DOCK)

    def find_neuron(self) -> None:
        """Put the cursor where numbers of ROIs are typed."""
        self.show_traces()
        if self.traces is not None:
            dock = self.traces.parentWidget()
            dock.show()
            dock.raise_()
            self.traces.find.setFocus()

    def _keyed_buttons(self) -> dict:
        return {
            "Control-Shift-E": (self.recording.extract, "Ctrl+Shift+E", "extract traces"),
            "Control-Shift-K": (self.tokens.tokenise, "Ctrl+Shift+K", "tokenise"),
            "Control-Shift-F": (self.forecast.forecast, "Ctrl+Shift+F", "forecast"),
            "Control-Shift-L": (self.embedding.cluster, "Ctrl+Shift+L", "cluster"),
            "Control-.": (self.job_bar.cancel, "Ctrl+.", "cancel what is running"),
        }

    def show_explore(self, _checked: bool = False) -> None:
        """Open the views of embedding and clusters beside the traces, or bring them up."""
        docks = self._viewer.window.dock_widgets
        if EXPLORE_DOCK not in docks:
            self.explore = ExplorePanel(self._viewer, self.session)
            self._add_below(self.explore, EXPLORE_DOCK)
        dock = self.explore.parentWidget()
        dock.show()
        dock.raise_()

    def show_codebook(self, _checked: bool = False) -> None:
        """Open the views with the codebook in front."""
        self.show_explore()
        self.explore.tabs.setCurrentWidget(self.explore.codebook)

    def _figures(self) -> dict:
        """Return the plots of the open docks by name."""
        docks, figures = self._viewer.window.dock_widgets, {}
        if self.traces is not None and TRACES_DOCK in docks:
            figures["Traces"] = self.traces.plot
        if self.explore is not None and EXPLORE_DOCK in docks:
            figures |= self.explore.figures()
        return figures

    def _add_below(self, content: DockContent, name: str) -> None:
        """Dock below the canvas, as a tab beside what is there."""
        main_window = self.window()
        if isinstance(main_window, QMainWindow):
            # The panel keeps its full height beside them.
            main_window.setCorner(
                Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea
            )
        self._viewer.window.add_dock_widget(content, name=name, area="bottom", tabify=True)
        self.export.offer_figures()
        # The canvas has become smaller; what it shows should still be all of it.
        QTimer.singleShot(0, self._viewer.reset_view)

    def _explored(self) -> tuple:
        session = self.session
        return (
            session.clusters_changed,
            session.selectivity_changed,
            session.trajectories_changed,
            session.decoding_changed,
        )

    def _on_explored(self) -> None:
        session = self.session
        found = (session.clusters, session.selectivity, session.trajectories, session.decoded)
        if any(found):
            self.show_explore()

    def _on_theme(self, _event=None) -> None:
        colours = theme_colours(self._viewer.theme)
        self.job_bar.set_colours(colours)
        self.adapt.plot.set_colours(colours)

    def _take_over_opened(self) -> None:
        """Use a recording that a reader opened before this panel was."""
        if self.session.recording is not None:
            return
        for layer in self._viewer.layers:
            if RECORDING_KEY in layer.metadata:
                self.recording.take_over(layer)
                return
