"""The dock widget "CalM": recording, model, adapt, tokens, forecast, embedding, decode."""

import napari
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .adapt_section import AdaptSection
from .canvas_lasso import CanvasLasso
from .canvas_text import CanvasText
from .colour_preferences import ColourPreferences
from .cursor import TimeCursor
from .decode_section import DecodeSection
from .dock_content import DockContent
from .embedding_section import EmbeddingSection
from .explore_panel import EXPLORE_DOCK, ExplorePanel
from .export_section import ExportSection
from .field_names import name_fields
from .forecast_section import ForecastSection
from .help_pages import START
from .help_panel import HELP_DOCK, HelpPanel
from .job import Job
from .job_bar import JobBar
from .kept_docks import Docks
from .keys_button import KeysButton
from .layers import RECORDING_KEY, SessionLayers
from .model_section import ModelSection
from .neuron_colours import NeuronColours
from .picking import RoiPicking
from .pretrain_section import PretrainSection
from .recording_section import RecordingSection
from .session import session_of
from .session_keeping import SessionKeeping
from .shortcuts import Shortcuts
from .start_hint import StartHint
from .theme import theme_colours
from .tokens_section import TokensSection
from .tour import Tour
from .tour_steps import tour_steps
from .trace_panel import TracePanel
from .turns import Turns
from .vertical_scroll import VerticalScroll
from .warm_up import warm_up

TRACES_DOCK = "CalM traces"


class CalmPanel(DockContent):
    """The plugin's panel; opens the docks below the canvas when there is something to show.

    Owns what couples one viewer to its session: layers, time cursor and picking.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self.session = session_of(viewer)
        self._turns = turns = Turns(self)
        self.job = Job(self, turns)
        self.layers = SessionLayers(viewer, self.session, turns)
        self._neuron_colours = NeuronColours(viewer, self.session, self.layers, turns)
        self._cursor = TimeCursor(viewer, self.session)
        self._text = CanvasText(viewer, self.session, self.layers, turns)
        self._picking = RoiPicking(viewer, self.session, self.layers)
        self._lasso = CanvasLasso(viewer, self.session, self.layers)
        preferences = ColourPreferences(self.session)
        # A viewer that is closed takes its widgets along without releasing them first.
        self.destroyed.connect(preferences.close)
        self._couplings = (
            self.layers,
            self._neuron_colours,
            self._cursor,
            self._text,
            self._picking,
            self._lasso,
            preferences,
        )
        self.traces: TracePanel | None = None
        self.explore: ExplorePanel | None = None
        self.help: HelpPanel | None = None
        self.recording = RecordingSection(viewer, self.session, self.job, turns)
        self.model = ModelSection(self.session, self.job)
        self.model.looked.connect(warm_up)
        self.adapt = AdaptSection(self.session, self.job, self.model)
        self.pretrain = PretrainSection(self.job, self.model)
        self.tokens = TokensSection(self.session, self.job, self.model)
        self.forecast = ForecastSection(self.session, self.job, self.model)
        self.job_bar = JobBar(self.job)
        self.start_hint = StartHint(self.session, self.recording.opener.open_sample)
        self.embedding = EmbeddingSection(self.session, self.job, self.model)
        self.decode = DecodeSection(self.session, self.job, self.model)
        keeping = SessionKeeping(
            self.session,
            self.job,
            self.recording,
            self.model,
            self._with_settings,
            Docks(
                viewer.window,
                self.window,
                {TRACES_DOCK: self.show_traces, EXPLORE_DOCK: self.show_explore},
                self._tabs,
            ),
            turns,
        )
        self.export = ExportSection(
            self.session, self.job, self._figures, self._bring_up, keeping
        )
        self.tour = Tour(tour_steps(self), self._reveal)
        self.shortcuts = Shortcuts(
            viewer,
            self.session,
            buttons=self._keyed_buttons(),
            find=self.find_neuron,
            leave=self._leave,
            help_here=self.show_help_here,
            page=self._page_traces,
            play=self._play,
        )
        self._sections = (
            self.recording,
            self.model,
            self.adapt,
            self.pretrain,
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
        for section in self._sections:
            section.help_wanted.connect(self.show_help)
        self._lay_out()
        for section in self._sections:
            name_fields(section)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self.session.recording_changed.connect(self._on_recording)
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
        self.tour_button = QPushButton("Guided tour", objectName="calm_tour_button")
        self.tour_button.setToolTip(self.start_hint.tour.toolTip())
        for button in (self.tour_button, self.start_hint.tour):
            button.clicked.connect(self.start_tour)
        feet = QHBoxLayout()
        feet.addWidget(self.keys)
        feet.addWidget(self.tour_button)
        feet.addStretch(1)
        stack.addLayout(feet)
        stack.addStretch(1)
        self._scroll = VerticalScroll(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 4)
        layout.addWidget(self.tour)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self.job_bar)

    def release(self) -> None:
        """Let go of the viewer: the dock was closed. Layers and session stay."""
        self.job.abandon()
        self.tour.stop()
        for section in (*self._sections, self.start_hint):
            section.release()
        for coupling in (*self._couplings, self.shortcuts):
            coupling.close()
        for signal in self._explored():
            signal.disconnect(self._on_explored)
        self.session.recording_changed.disconnect(self._on_recording)
        self._viewer.events.theme.disconnect(self._on_theme)

    def window_closed(self) -> None:
        """Stop the job: nobody is left to see its result."""
        self.job.cancel()
        self.job.stop_showing()

    def _on_recording(self) -> None:
        self._turns.take(self.show_traces)

    def show_traces(self, _checked: bool = False) -> None:
        """Open the trace panel below the canvas, if there are traces and it is not open."""
        window = self._viewer.window
        if self.session.recording is None or TRACES_DOCK in window.dock_widgets:
            return
        self.traces = TracePanel(self._viewer, self.session)
        self._add_below(self.traces, TRACES_DOCK)

    @property
    def _open_traces(self) -> TracePanel | None:
        return self.traces if TRACES_DOCK in self._viewer.window.dock_widgets else None

    @property
    def _open_explore(self) -> ExplorePanel | None:
        return self.explore if EXPLORE_DOCK in self._viewer.window.dock_widgets else None

    def find_neuron(self) -> None:
        """Put the cursor where numbers of ROIs are typed."""
        self.show_traces()
        traces = self._open_traces
        if traces is not None:
            dock = traces.parentWidget()
            dock.show()
            dock.raise_()
            traces.find.setFocus()

    def _page_traces(self, way: int) -> None:
        if self._open_traces is not None:
            self._open_traces.plot.page(way)

    def _play(self) -> None:
        """Play what the traces show, or stop."""
        self.show_traces()
        if self._open_traces is not None:
            self._open_traces.playback.turn()

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

    def _with_settings(self) -> list[QWidget]:
        """Return what has fields that a session file keeps."""
        traces = self._open_traces
        return [*self._sections, *([] if traces is None else [traces.playing])]

    def _tabs(self):
        return None if self._open_explore is None else self._open_explore.tabs

    def start_tour(self, _checked: bool = False) -> None:
        """Begin the guided tour; it says more than the hint, which makes room."""
        self.start_hint.hide()
        self.tour.start()

    def show_help(self, page: str = START) -> None:
        """Open the help beside the traces, or bring it up, at a page."""
        if HELP_DOCK not in self._viewer.window.dock_widgets:
            self.help = HelpPanel(self._viewer)
            self._add_below(self.help, HELP_DOCK)
        self.help.show_page(page)
        dock, main_window = self.help.parentWidget(), self.window()
        dock.show()
        dock.raise_()
        least = self.help.sizeHint().height()
        if isinstance(main_window, QMainWindow) and self.help.height() < least:
            main_window.resizeDocks([dock], [least], Qt.Orientation.Vertical)

    def show_help_here(self) -> None:
        """Open the help at the page of the section or view that has the keyboard."""
        focused = QApplication.focusWidget() or self.window().focusWidget()
        self.show_help(_help_page_of(focused))

    def _reveal(self, widget: QWidget) -> None:
        """Bring a widget of a section into view, unfolding what hides it."""
        for section in self._sections:
            if section.isAncestorOf(widget):
                section.heading.setChecked(True)
                self._scroll.ensureWidgetVisible(widget, 0, widget.height())

    def _leave(self) -> None:
        """End the tour; without one, select nothing."""
        if self.tour.running:
            self.tour.stop()
        else:
            self.session.select(())

    def keyPressEvent(self, event) -> None:
        """End the tour with Esc before a layer takes the key."""
        if event.key() == Qt.Key.Key_Escape and self.tour.running:
            self.tour.stop()
        else:
            super().keyPressEvent(event)

    def _figures(self) -> dict:
        """Return the views with plots in the open docks, by name."""
        figures: dict = {}
        if self._open_traces is not None:
            figures["Traces"] = self._open_traces
        if self._open_explore is not None:
            figures |= self._open_explore.figures()
        return figures

    def _bring_up(self, view: QWidget) -> None:
        """Bring a view with a plot in front, drawn as it should be now."""
        of_explore = view is not self._open_traces
        dock = (self.explore if of_explore else view).parentWidget()
        dock.show()
        dock.raise_()
        if of_explore:
            self.explore.bring_up(view)
        else:
            view.draw_now()

    def _add_below(self, content: DockContent, name: str) -> None:
        """Dock below the canvas, as a tab beside what is there."""
        main_window = self.window()
        if isinstance(main_window, QMainWindow):
            # The panel keeps its full height beside them.
            main_window.setCorner(
                Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea
            )
        self._viewer.window.add_dock_widget(content, name=name, area="bottom", tabify=True)
        content.released.connect(self.export.offer_soon)
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
            self._turns.take(self.show_explore)

    def _on_theme(self, _event=None) -> None:
        colours = theme_colours(self._viewer.theme)
        self.job_bar.set_colours(colours)
        for section in (self.adapt, self.pretrain):
            section.plot.set_colours(colours)
        self.tour.set_colours(colours)

    def _take_over_opened(self) -> None:
        """Use a recording that a reader opened before this panel was."""
        if self.session.recording is not None:
            self.layers.complete()
            return
        for layer in self._viewer.layers:
            if RECORDING_KEY in layer.metadata:
                self.recording.opener.take_over(layer)
                return


def _help_page_of(widget: QWidget | None) -> str:
    """Return the page about the section or view that a widget is in."""
    while widget is not None:
        page = getattr(widget, "help_page", "")
        if page:
            return page
        widget = widget.parentWidget()
    return START
