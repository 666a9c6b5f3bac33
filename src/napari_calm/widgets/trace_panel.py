"""The dock below the canvas: traces of the selected neurons and what is forecast of them."""

from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from .bands import NO_BAND, band_names, band_of
from .dock_content import DockContent, is_seen
from .eliding import ElidingCombo
from .find_neuron import FindNeuron
from .play_buttons import PlayButtons
from .playback import Playback, behind_told
from .row_buttons import RowButtons
from .selected_rows import has_bands, picture_of
from .session import Session, session_of
from .shared_levels import levels_of
from .theme import theme_colours
from .trace_levels import HIGH_Z, LOW_Z
from .trace_plot import TracePlot

_SCRUB_INTERVAL_MS = 30
_FIRST_VIEW_S = 120.0
_EMPTY_HINT = "No traces yet: extract them from a movie and its ROIs, or open a suite2p folder."
_USE_HINT = (
    "Click or drag to move in time; the clicked row is marked, and its ROI white on the movie. "
    "Shift+click takes a row out. Turn the wheel to zoom in time, with Shift to scroll rows, "
    "with Ctrl to make them taller; drag with the middle button to shift. Click ROIs on the "
    "movie to choose which traces are shown; Shift adds."
)
_SEPARATOR = " | "


class TracePanel(DockContent):
    """Shows the session's selection over time; a click in it seeks.

    While hidden it draws nothing and catches up when shown.
    """

    help_page = "traces"

    def __init__(self, viewer, session: Session | None = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._session = session_of(viewer) if session is None else session
        self._is_stale = True
        self._sought_s: float | None = None
        self.plot = TracePlot()
        self.plot.sought.connect(self._on_sought)
        self.plot.row_clicked.connect(self._on_row)
        self.plot.rows_changed.connect(self._on_rows)
        self.plot.setToolTip(_USE_HINT)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.rows = RowButtons(self.plot)
        self.find = FindNeuron(viewer, self._session)
        self.playback = Playback(self._session, self)
        self.playback.changed.connect(self._on_playing)
        self.playback.counted.connect(self._on_counted)
        # Said while it plays and drawing does not keep up.
        self._behind = ""
        self.plot.time_range_changed.connect(self._on_time_range)
        self.playing = PlayButtons(self.playback)
        self._levels = levels_of(self._session)
        # What was selected when it was drawn last.
        self._shown: tuple[int, ...] = ()
        self.band = ElidingCombo(objectName="calm_band")
        self.band.setMaximumWidth(120)
        self.band.setToolTip("A behaviour or trial column as a band under the traces.")
        self._scrub = QTimer(self)
        self._scrub.setSingleShot(True)
        self._scrub.setInterval(_SCRUB_INTERVAL_MS)
        self._scrub.timeout.connect(self._seek)
        # A new recording changes traces, tokens, forecast and selection: one redraw for all.
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(0)
        self._redraw.timeout.connect(self._refresh)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        top = QHBoxLayout()
        top.addWidget(self.playing)
        top.addWidget(self.legend, 1)
        top.addWidget(self.rows)
        top.addWidget(self.band)
        top.addWidget(self.find)
        layout.addLayout(top)
        layout.addWidget(self.plot, 1)
        self._offer_bands()
        self._connect()
        self._needs_framing = True
        self._on_theme()

    def _connect(self) -> None:
        session = self._session
        session.recording_changed.connect(self._on_results)
        session.recording_changed.connect(self._offer_bands)
        session.behaviour_changed.connect(self._offer_bands)
        self.band.currentIndexChanged.connect(self._redraw_soon)
        session.tokens_changed.connect(self._redraw_soon)
        session.forecast_changed.connect(self._on_results)
        session.selection_changed.connect(self._redraw_soon)
        session.accepted_changed.connect(self._redraw_soon)
        session.palette_changed.connect(self._redraw_soon)
        session.marked_changed.connect(self._on_marked)
        session.time_changed.connect(self._on_time)
        self._levels.ready.connect(self._take_levels)
        self._viewer.events.theme.connect(self._on_theme)

    def release(self) -> None:
        """Stop following session and viewer."""
        self.playback.stop()
        session = self._session
        session.recording_changed.disconnect(self._on_results)
        session.recording_changed.disconnect(self._offer_bands)
        session.behaviour_changed.disconnect(self._offer_bands)
        session.tokens_changed.disconnect(self._redraw_soon)
        session.forecast_changed.disconnect(self._on_results)
        session.selection_changed.disconnect(self._redraw_soon)
        session.accepted_changed.disconnect(self._redraw_soon)
        session.palette_changed.disconnect(self._redraw_soon)
        session.marked_changed.disconnect(self._on_marked)
        session.time_changed.disconnect(self._on_time)
        self._levels.ready.disconnect(self._take_levels)
        self._levels.leave(self)
        self._viewer.events.theme.disconnect(self._on_theme)
        self._scrub.stop()
        self._redraw.stop()

    def window_closed(self) -> None:
        """Stop playing: nobody looks."""
        self.playback.stop()

    def draw_now(self) -> None:
        """Draw all that there is to draw, what waits for the event loop too."""
        self.catch_up()
        self.plot.draw_now()

    @property
    def is_preparing(self) -> bool:
        """Whether rows that are too low for lines are still prepared."""
        recording = self._session.recording
        return (
            self.plot.is_heat
            and recording is not None
            and self._levels.want(self, recording.traces) is None
        )

    def sizeHint(self) -> QSize:
        """Ask for little: the canvas above matters more."""
        return QSize(600, 260)

    def showEvent(self, event) -> None:
        """Draw what was missed while hidden."""
        super().showEvent(event)
        self.catch_up()

    def came_up(self) -> None:
        """Draw what was missed while another dock was in front."""
        self.catch_up()

    def catch_up(self) -> None:
        """Draw what was missed while nobody saw it."""
        if self._is_stale:
            self._draw()
        self.plot.move_cursor(self._session.time_s)

    def _on_theme(self, _event=None) -> None:
        self._colours = theme_colours(self._viewer.theme)
        self.plot.set_colours(self._colours)
        self._refresh()

    def _offer_bands(self) -> None:
        chosen, names = self.band.currentText(), band_names(self._session)
        blocked = self.band.blockSignals(True)
        self.band.clear()
        self.band.addItems(names)
        # Kinds of trials come first and are what most want to see.
        first = min(1, len(names) - 1)
        keeps = chosen in names and chosen != NO_BAND
        self.band.setCurrentIndex(names.index(chosen) if keeps else first)
        self.band.setVisible(len(names) > 1)
        self.band.blockSignals(blocked)
        self._redraw_soon()

    def _on_results(self) -> None:
        self._needs_framing = True
        self._redraw_soon()

    def _redraw_soon(self) -> None:
        self._is_stale = True
        self._redraw.start()

    def _time_that_matters_s(self) -> tuple[float, float] | None:
        """Around the forecast, else from the beginning."""
        recording, forecast = self._session.recording, self._session.forecast
        if recording is None:
            return None
        if forecast is None:
            return 0.0, min(recording.duration_s, _FIRST_VIEW_S)
        horizon_s = forecast.horizon_frames / forecast.frame_rate_hz
        before_s = max(4 * horizon_s, 20.0)
        return max(0.0, forecast.start_s - before_s), forecast.start_s + 1.5 * horizon_s

    def _on_time(self) -> None:
        if is_seen(self):
            self.plot.move_cursor(self._session.time_s)

    def _on_time_range(self, start_s: float, stop_s: float) -> None:
        self.playback.view_s = start_s, stop_s

    def _on_counted(self, shown_per_s: float, due_per_s: float) -> None:
        self._behind = behind_told(shown_per_s, due_per_s, self.playback.speed)
        self._say_legend()

    def _on_playing(self) -> None:
        self._behind = ""
        self._say_legend()

    def _on_sought(self, time_s: float) -> None:
        # Only the latest place of a drag is worth a redraw of the canvas.
        self._sought_s = time_s
        if not self._scrub.isActive():
            self._scrub.start()

    def _seek(self) -> None:
        if self._sought_s is not None:
            self._session.seek(min(max(self._sought_s, 0.0), self._session.end_s))
            self._sought_s = None

    def _refresh(self) -> None:
        self._is_stale = True
        if is_seen(self):
            self._draw()

    def _draw(self) -> None:
        self._is_stale = False
        view_s = self._time_that_matters_s() if self._needs_framing else None
        picture = picture_of(self._session, band_of(self._session, self.band.currentText()))
        self.plot.show_picture(picture, view_s)
        self._needs_framing = False
        before, self._shown = self._shown, self._session.selection
        if before and len(self._shown) > len(before) and self._shown[: len(before)] == before:
            # What was added comes into view.
            self.plot.reveal(len(self._shown) - 1)
        self._on_marked()
        self._on_rows()

    def _on_row(self, row: int, adding: bool) -> None:
        """Mark the neuron of a clicked row or, with Shift, take it out."""
        neuron = self._shown[row]
        if adding:
            self._session.toggle(neuron)
        else:
            self._session.mark(neuron)

    def _on_marked(self) -> None:
        if not self._is_stale and self._shown == self._session.selection:
            marked = self._session.marked
            self.plot.mark(None if marked is None else self._shown.index(marked))

    def _on_rows(self) -> None:
        """Say what is in view, and see to it that low rows can be drawn."""
        self._take_levels()
        self.rows.refresh()
        self._say_legend()

    def _take_levels(self) -> None:
        recording = self._session.recording
        if recording is None:
            self._levels.leave(self)
            self.plot.set_levels(None)
        elif self.plot.is_heat:
            self.plot.set_levels(self._levels.want(self, recording.traces))

    def _say_legend(self) -> None:
        empty = self._session.recording is None
        said = _EMPTY_HINT if empty else self._behind or self._legend_text()
        self.legend.setText(said)

    def _legend_text(self) -> str:
        text, plot, forecast = self._colours.text, self.plot, self._session.forecast
        if not self._session.selection:
            return "Nothing is selected: click an ROI on the movie, or find it by its number."
        start = f"<b style='color:{text}'>&#9478;</b> start"
        if plot.is_heat:
            started = start.replace("start", "forecast starts")
            shown = f"z-scored <b style='color:{text}'>dF/F</b> ({LOW_Z:g} to {HIGH_Z:g})"
            told = "rows are too low for lines; Ctrl+wheel: taller"
            return _SEPARATOR.join([shown, *([started] if forecast is not None else []), told])
        parts = [f"<b style='color:{text}'>dF/F</b>"]
        if forecast is not None:
            bands = ", 50 and 90 % bands" if plot.is_detailed and has_bands(forecast) else ""
            of = "" if forecast.smoothing_alpha == 1 else " of the smoothed trace"
            kind = self._session.forecast_kind
            line = f"<b style='color:{text}'>&#9473;</b>"
            parts += [f"{line} {kind} forecast: mean{of}{bands}", start]
            if forecast.start_frame < self._session.recording.n_frames and plot.is_detailed:
                parts.append(f"<span style='color:{text}'>&#9601;</span> error")
        if self._session.tokens is not None and plot.is_detailed:
            parts.append("strips: tokens")
        if not plot.is_detailed:
            parts.append("Ctrl+wheel: taller rows, in detail")
        return _SEPARATOR.join(parts)
