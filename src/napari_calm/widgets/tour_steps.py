"""The six steps of the guided tour: what to do, why, and how it is noticed to be done."""

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtWidgets import QMainWindow, QWidget

from .most_active import most_active
from .session import Session


@dataclass(frozen=True)
class TourStep:
    """One thing to do.

    Parameters
    ----------
    title, told : str
        What to do in two or three words, and in a sentence or two with the reason.
    target : callable
        Returns the widget to point at; None while there is none.
    is_done : callable
        Tells whether the user has done it.
    signals : tuple
        Sent when that may have changed.
    """

    title: str
    told: str
    target: Callable[[], QWidget | None]
    is_done: Callable[[], bool]
    signals: tuple


def tour_steps(panel) -> tuple[TourStep, ...]:
    """Return the steps of the tour through `panel`, a CalmPanel."""
    session, recording = panel.session, panel.recording
    movie, rois = recording.movie, recording.rois

    def has_something_open() -> bool:
        has_layers = movie.layer is not None and rois.layer is not None
        return has_layers or session.recording is not None

    return (
        TourStep(
            "Open a recording",
            "<b>Open sample</b> gives a small simulated session to try all of this on. Or open "
            "a movie and its ROIs, or the results of suite2p, CaImAn, minian, EXTRACT or NWB.",
            lambda: recording.opener.open_sample,
            has_something_open,
            (movie.layer_changed, rois.layer_changed, session.recording_changed),
        ),
        TourStep(
            "Extract the traces",
            "<b>Extract traces</b> averages the movie under each ROI and expresses it as dF/F. "
            "All that follows reads these traces; they appear below the movie.",
            lambda: recording.extract,
            lambda: session.recording is not None,
            (session.recording_changed,),
        ),
        TourStep(
            "Tokenise",
            "<b>Tokenise</b> writes every trace in the model's discrete words, a few frames "
            "each. The rim of an ROI takes the colour of its word at the present moment.",
            lambda: panel.tokens.tokenise,
            lambda: session.tokens is not None,
            (session.tokens_changed,),
        ),
        TourStep(
            "Forecast",
            "Drag the time slider well into the recording and press <b>Forecast</b>: the model "
            "sees nothing from there on. The panel says whether it did better than simple "
            "guesses.",
            lambda: panel.forecast.forecast,
            lambda: session.forecast is not None,
            (session.forecast_changed,),
        ),
        TourStep(
            "Look at cells",
            "Click an ROI on the movie to see its trace with the forecast over it; Shift adds, "
            "Ctrl-drag draws a lasso. Click in the traces to move in time.",
            lambda: _canvas_of(panel),
            lambda: _has_chosen(session),
            (session.selection_changed,),
        ),
        TourStep(
            "Explore",
            "<b>Cluster</b> asks which neurons work together and opens scatter and raster. "
            "Where behaviour is known, <b>Decode</b> below reads it from the population.",
            lambda: panel.embedding.cluster,
            lambda: session.clusters is not None or session.decoded is not None,
            (session.clusters_changed, session.decoding_changed),
        ),
    )


def _has_chosen(session: Session) -> bool:
    """Tell whether other neurons are selected than those that came with the recording."""
    if session.recording is None or not session.selection:
        return False
    return session.selection != most_active(session.recording)


def _canvas_of(panel) -> QWidget | None:
    window = panel.window()
    return window.centralWidget() if isinstance(window, QMainWindow) else None
