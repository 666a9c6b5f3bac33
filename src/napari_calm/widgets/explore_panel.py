"""The dock "CalM explore": embedding, raster, traces, trajectories, clusters, codebook."""

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from .cluster_table import ClusterTable
from .codebook_view import CodebookView
from .colour_key import ColourKey
from .colouring import colouring_names, colouring_of
from .decoding_view import DecodingView
from .dock_content import DockContent
from .eliding import ElidingCombo, ElidingLabel
from .mean_traces_view import MeanTracesView
from .raster_view import RasterView
from .scatter_view import ScatterView
from .session import Session, session_of
from .session_view import SessionView
from .theme import theme_colours
from .trajectories_view import TrajectoriesView

EXPLORE_DOCK = "CalM explore"
_AROUND_TITLE_PX = 20
_LEAST_CAPTION_PX = 60


class ExplorePanel(DockContent):
    """Views side by side, and what they, and the ROIs on the movie, are coloured by.

    Every view follows the session by itself and draws only while it is seen.
    """

    def __init__(self, viewer, session: Session | None = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._session = session_of(viewer) if session is None else session
        self.colour_by = ElidingCombo(objectName="calm_colour_by")
        self.colour_by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.colour_by.setMaximumWidth(220)
        self.colour_by.setToolTip(
            "Colour the neurons, here and on the movie, by their cluster, by how they follow a "
            "column (Selectivity), by their weight in a decoder, or by any feature of their "
            "ROIs; the raster is sorted by it if you do not choose otherwise."
        )
        self.key = ColourKey()
        self.scatter = ScatterView(self._session)
        self.raster = RasterView(self._session)
        self.mean_traces = MeanTracesView(self._session)
        self.trajectories = TrajectoriesView(self._session)
        self.table = ClusterTable(self._session)
        self.decoding = DecodingView(self._session)
        self.codebook = CodebookView(self._session)
        self.views = (
            self.scatter,
            self.raster,
            self.mean_traces,
            self.trajectories,
            self.table,
            self.decoding,
            self.codebook,
        )
        self.tabs = QTabWidget()
        self.caption = ElidingLabel()
        self.scatter_caption = QLabel()
        self._lay_out()
        self.colour_by.activated.connect(self._on_colour_by)
        for signal in self._signals():
            signal.connect(self._show_colours)
        self._session.trajectories_changed.connect(self._on_trajectories)
        self._session.decoding_changed.connect(self._on_decoding)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self._show_caption()
        self._show_colours()
        self._on_decoding()
        if self._session.clusters is None:
            self._on_trajectories()

    def _lay_out(self) -> None:
        for view, title in (
            (self.raster, "Raster"),
            (self.mean_traces, "Mean traces"),
            (self.trajectories, "Trajectories"),
            (self.table, "Clusters"),
            (self.decoding, "Decoding"),
            (self.codebook, "Codebook"),
        ):
            self.tabs.addTab(view, title)
        # Where all titles do not fit they are shortened, not scrolled out of sight.
        self.tabs.setUsesScrollButtons(False)
        self.tabs.setElideMode(Qt.TextElideMode.ElideRight)
        for row in range(self.tabs.count()):
            self.tabs.setTabToolTip(row, self.tabs.tabText(row))
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        # Beside the tabs, where it costs the plots no height.
        self.tabs.setCornerWidget(self._corner())
        self.tabs.installEventFilter(self)
        self.tabs.currentChanged.connect(self._show_caption)
        for view in self.views:
            view.told.connect(self._show_caption)
        self.scatter.told.connect(self.scatter_caption.setText)
        # Beside the scatter there is room for it.
        self.scatter.plot.card.setParent(self)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.scatter)
        split.addWidget(self.tabs)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 5)
        split.setChildrenCollapsible(False)
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(QLabel("Colour by"))
        top.addWidget(self.colour_by)
        top.addWidget(self.key, 1)
        top.addWidget(self.scatter_caption)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(split, 1)

    def _corner(self) -> QWidget:
        """Return the caption and the choices of the view in front."""
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 2, 0)
        row.setSpacing(8)
        row.addWidget(self.caption)
        for view in self.views:
            if view.controls is not None:
                row.addWidget(view.controls)
        return corner

    def eventFilter(self, watched, event) -> bool:
        """Follow the width of the tabs, which the splitter changes."""
        if watched is self.tabs and event.type() == QEvent.Type.Resize:
            self._fit_corner()
        return super().eventFilter(watched, event)

    def release(self) -> None:
        """Stop following session and viewer."""
        for view in self.views:
            view.release()
        for signal in self._signals():
            signal.disconnect(self._show_colours)
        self._session.trajectories_changed.disconnect(self._on_trajectories)
        self._session.decoding_changed.disconnect(self._on_decoding)
        self._viewer.events.theme.disconnect(self._on_theme)

    def came_up(self) -> None:
        """Let the views that are seen draw what they missed."""
        for view in self.views:
            if view.isVisible():
                view.catch_up()

    def figures(self) -> dict[str, SessionView]:
        """Return the views whose plots have something to show, by name."""
        session = self._session
        known = (
            ("Embedding", self.scatter, session.neuron_map),
            ("Raster", self.raster, session.recording),
            ("Mean traces", self.mean_traces, session.clusters),
            ("Trajectories", self.trajectories, session.trajectories),
            ("Decoding", self.decoding, session.decoding),
            ("Codebook", self.codebook, session.tokens),
        )
        return {name: view for name, view, shown in known if shown is not None}

    def bring_up(self, view: SessionView) -> None:
        """Show a view, drawn as it should be now."""
        if view is not self.scatter:
            self.tabs.setCurrentWidget(view)
        view.draw_now()

    @property
    def help_page(self) -> str:
        """Page of the help on the view in front."""
        of_view = {self.decoding: "decode", self.codebook: "tokens"}
        return of_view.get(self.tabs.currentWidget(), "embedding")

    def sizeHint(self) -> QSize:
        """Ask for a little more than the traces do."""
        return QSize(600, 290)

    def _signals(self) -> tuple:
        session = self._session
        return (
            session.recording_changed,
            session.clusters_changed,
            session.selectivity_changed,
            session.decoding_changed,
            session.colour_changed,
            session.palette_changed,
        )

    def _on_theme(self, _event=None) -> None:
        colours = theme_colours(self._viewer.theme)
        for view in self.views:
            view.set_colours(colours)

    def _on_colour_by(self, _index: int) -> None:
        self._session.set_colour_by(self.colour_by.currentText())

    def _on_trajectories(self) -> None:
        if self._session.trajectories is not None:
            self.tabs.setCurrentWidget(self.trajectories)

    def _on_decoding(self) -> None:
        if self._session.decoded is not None:
            self.tabs.setCurrentWidget(self.decoding)

    def _show_caption(self, _what=None) -> None:
        shown = self.tabs.currentWidget()
        for view in self.views:
            if view.controls is not None:
                view.controls.setVisible(view is shown)
        self.caption.setText(shown.caption)
        # Tabs look at the size of their corner only when they are resized.
        size = self.tabs.size()
        QApplication.sendEvent(self.tabs, QResizeEvent(size, size))

    def _fit_corner(self) -> None:
        """Leave the caption what titles and choices do not need."""
        bar, controls = self.tabs.tabBar(), self.tabs.currentWidget().controls
        # The bar's own hint shrinks with its titles.
        needed = sum(
            bar.fontMetrics().horizontalAdvance(bar.tabText(row)) + _AROUND_TITLE_PX
            for row in range(bar.count())
        )
        if controls is not None:
            needed += controls.sizeHint().width() + _AROUND_TITLE_PX
        left = self.tabs.width() - needed
        self.caption.setMaximumWidth(max(left, 0))
        self.caption.setVisible(left > _LEAST_CAPTION_PX)
        self.tabs.cornerWidget().adjustSize()

    def _show_colours(self) -> None:
        """Offer what neurons can be coloured by, and tell what colours mean."""
        names = colouring_names(self._session)
        self.colour_by.clear()
        self.colour_by.addItems(names or ["nothing yet"])
        chosen = (
            names.index(self._session.colour_by) if self._session.colour_by in names else -1
        )
        self.colour_by.setCurrentIndex(chosen)
        self.colour_by.setEnabled(bool(names))
        self.key.show_colouring(colouring_of(self._session))
