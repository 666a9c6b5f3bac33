"""The dock below the canvas: traces of the selected neurons and what is forecast of them."""

import numpy as np
from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from .bands import NO_BAND, Band, band_names, band_of
from .dock_content import DockContent
from .eliding import ElidingCombo
from .find_neuron import FindNeuron
from .layers import forecast_error
from .palette import neuron_colour, token_colours
from .session import Session, session_of
from .theme import theme_colours
from .trace_plot import Fan, Picture, Row, Strip, TracePlot

MOST_ROWS = 60
_SCRUB_INTERVAL_MS = 30
_FIRST_VIEW_S = 120.0
_EMPTY_HINT = "No traces yet: extract them from a movie and its ROIs, or open a suite2p folder."
_USE_HINT = (
    "Click or drag to move in time, turn the wheel to zoom (with Ctrl: rows), drag with the "
    "middle button to shift. Click ROIs on the movie to choose which traces are shown; Shift "
    "adds."
)


class TracePanel(DockContent):
    """Shows the session's selection over time; a click in it seeks.

    While hidden it draws nothing and catches up when shown.
    """

    help_page = "views"

    def __init__(self, viewer, session: Session | None = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._session = session_of(viewer) if session is None else session
        self._is_stale = True
        self._sought_s: float | None = None
        self.plot = TracePlot()
        self.plot.sought.connect(self._on_sought)
        self.plot.detail_changed.connect(self._say_legend)
        self.plot.setToolTip(_USE_HINT)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.find = FindNeuron(viewer, self._session)
        self.band = ElidingCombo(objectName="calm_band")
        self.band.setMaximumWidth(150)
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
        top.addWidget(self.legend, 1)
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
        session.time_changed.connect(self._on_time)
        self._viewer.events.theme.connect(self._on_theme)

    def release(self) -> None:
        """Stop following session and viewer."""
        session = self._session
        session.recording_changed.disconnect(self._on_results)
        session.recording_changed.disconnect(self._offer_bands)
        session.behaviour_changed.disconnect(self._offer_bands)
        session.tokens_changed.disconnect(self._redraw_soon)
        session.forecast_changed.disconnect(self._on_results)
        session.selection_changed.disconnect(self._redraw_soon)
        session.accepted_changed.disconnect(self._redraw_soon)
        session.palette_changed.disconnect(self._redraw_soon)
        session.time_changed.disconnect(self._on_time)
        self._viewer.events.theme.disconnect(self._on_theme)
        self._scrub.stop()
        self._redraw.stop()

    def sizeHint(self) -> QSize:
        """Ask for little: the canvas above matters more."""
        return QSize(600, 260)

    def showEvent(self, event) -> None:
        """Draw what was missed while hidden."""
        super().showEvent(event)
        if self._is_stale:
            self._refresh()
        self._on_time()

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
        if self.isVisible():
            self.plot.move_cursor(self._session.time_s)

    def _on_sought(self, time_s: float) -> None:
        # Only the latest place of a drag is worth a redraw of the canvas.
        self._sought_s = time_s
        if not self._scrub.isActive():
            self._scrub.start()

    def _seek(self) -> None:
        if self._sought_s is not None:
            self._session.seek(min(max(self._sought_s, 0.0), self._last_s))
            self._sought_s = None

    @property
    def _last_s(self) -> float:
        """Time of the last frame that is shown, recorded or forecast."""
        recording, forecast = self._session.recording, self._session.forecast
        if recording is None:
            return 0.0
        last = recording.n_frames - 1
        if forecast is not None:
            last = max(last, forecast.start_frame + forecast.horizon_frames - 1)
        return last / recording.frame_rate_hz

    def _refresh(self) -> None:
        self._is_stale = not self.isVisible()
        if self._is_stale:
            return
        view_s = self._time_that_matters_s() if self._needs_framing else None
        picture = picture_of(self._session, band_of(self._session, self.band.currentText()))
        self.plot.show_picture(picture, view_s)
        self._needs_framing = False
        self._say_legend()

    def _say_legend(self) -> None:
        empty = self._session.recording is None
        self.legend.setText(_EMPTY_HINT if empty else self._legend_text())

    def _legend_text(self) -> str:
        text = self._colours.text
        if not self._session.selection:
            return "Nothing is selected: click an ROI on the movie, or find it by its number."
        parts = [f"<b style='color:{text}'>dF/F</b> of the selected ROIs"]
        shown, chosen = (
            min(len(self._session.selection), MOST_ROWS),
            len(self._session.selection),
        )
        if chosen > shown:
            parts.append(f"first {shown} of {chosen} selected")
        if self._session.forecast is not None:
            detailed = self.plot.is_detailed
            has = detailed and has_bands(self._session.forecast)
            bands = ", 50 % and 90 % bands" if has else ""
            of = "" if self._session.forecast.smoothing_alpha == 1 else " of the smoothed trace"
            parts.append(
                f"<b style='color:{text}'>&#9473;</b> {self._session.forecast_kind} forecast: "
                f"mean{of}{bands}"
            )
            parts.append(f"<b style='color:{text}'>&#9478;</b> forecast starts")
            is_known = self._session.forecast.start_frame < self._session.recording.n_frames
            if is_known and detailed:
                parts.append(f"<span style='color:{text}'>&#9601;</span> its error")
        if self._session.tokens is not None and self.plot.is_detailed:
            parts.append("strips: tokens")
        if shown and not self.plot.is_detailed:
            parts.append("Ctrl+wheel: fewer rows, in detail")
        return "&nbsp;&nbsp;|&nbsp;&nbsp;".join(parts)


def picture_of(session: Session, band: Band | None = None) -> Picture:
    """Return what the trace panel shows of `session`, with a band under it."""
    recording, forecast, tokens = session.recording, session.forecast, session.tokens
    if recording is None:
        return Picture()
    rate_hz = recording.frame_rate_hz
    time_s = np.arange(recording.n_frames) / rate_hz
    end_s = recording.duration_s
    if forecast is not None:
        end_s = max(end_s, (forecast.start_frame + forecast.horizon_frames) / rate_hz)
    rows, errors = [], {}
    shown = session.selection[:MOST_ROWS]
    if forecast is not None and forecast.start_frame < recording.n_frames:
        found = forecast_error(recording.traces, forecast, list(shown))
        errors = dict(zip(shown, found, strict=True))
    for position, neuron in enumerate(shown):

        def has(result, neuron: int = neuron) -> bool:
            return result is not None and bool(result.known[neuron])

        rows.append(
            Row(
                name=_row_name(session, neuron),
                colour=neuron_colour(position),
                time_s=time_s,
                trace=recording.traces[neuron],
                fan=fan_of(forecast, neuron, errors.get(neuron)) if has(forecast) else None,
                strip=strip_of(tokens, neuron) if has(tokens) else None,
            )
        )
    return Picture(rows, None if forecast is None else forecast.start_s, end_s, band)


def neuron_name(session: Session, neuron: int) -> str:
    """Return what a neuron is called: its ROI's number, or its own."""
    footprints = session.recording.footprints
    return f"cell {neuron}" if footprints is None else f"ROI {footprints.label_values[neuron]}"


def _row_name(session: Session, neuron: int) -> str:
    """Return what a row is called, and why it may lack what others have."""
    made = [each.known[neuron] for each in (session.forecast, session.tokens) if each]
    name = neuron_name(session, neuron)
    if made and not any(made):
        return f"{name} (not computed)"
    return name if session.accepted[neuron] else f"{name} (rejected)"


def has_bands(forecast) -> bool:
    """Tell whether a forecast is uncertain, as all are but a single trajectory's."""
    return bool((forecast.quantiles[-1] > forecast.quantiles[0]).any())


def fan_of(forecast, neuron: int, error: np.ndarray | None = None) -> Fan:
    """Return mean and, where there are any, bands of one neuron, with its error if known."""
    frames = forecast.start_frame + np.arange(forecast.horizon_frames)
    bands: list = [None, None]
    if has_bands(forecast):
        for number, (low, high) in enumerate(((0.05, 0.95), (0.25, 0.75))):
            edges = [int(np.argmin(abs(forecast.quantile_levels - q))) for q in (low, high)]
            bands[number] = tuple(forecast.quantiles[edge, neuron] for edge in edges)
    return Fan(frames / forecast.frame_rate_hz, forecast.mean[neuron], *bands, error)


def strip_of(tokens, neuron: int) -> Strip:
    """Return the tokens of one neuron in the colours of the token map."""
    colours = (token_colours(tokens.n_codes)[tokens.tokens[neuron]] * 255).astype(np.uint8)
    return Strip(tokens.start_s, tokens.token_duration_s, colours)
