"""What one window works on: the recording, the model, the results, the selection."""

from weakref import WeakKeyDictionary

import numpy as np
from psygnal import Signal

from ..core.forecast import Forecast
from ..core.recording import Recording
from ..core.token_map import TokenMap

DEFAULT_SELECTION_SIZE = 5


class Session:
    """The one place that holds what a viewer shows; every view listens to it.

    Views never talk to each other: a click in the trace panel changes
    `selection` or `time_s` here, and whoever shows it hears of it. A new
    recording drops tokens, forecast and skill, which spoke about the old one.

    Signals
    -------
    recording_changed, tokens_changed, forecast_changed, model_changed
        Without arguments; read the new state from the session.
    selection_changed
        Without arguments; `selection` holds neuron indices.
    time_changed
        The view has moved to `time_s`.
    """

    recording_changed = Signal()
    tokens_changed = Signal()
    forecast_changed = Signal()
    model_changed = Signal()
    selection_changed = Signal()
    time_changed = Signal()

    def __init__(self) -> None:
        self._recording: Recording | None = None
        self._pixel_size_um: float | None = None
        self._tokens: TokenMap | None = None
        self._forecast: Forecast | None = None
        self._skill: object | None = None
        self._model: object | None = None
        self._selection: tuple[int, ...] = ()
        self._time_s = 0.0

    @property
    def recording(self) -> Recording | None:
        """The traces that everything else is about."""
        return self._recording

    @property
    def pixel_size_um(self) -> float | None:
        """Side of a pixel in micrometres; None where nobody said."""
        return self._pixel_size_um

    @property
    def tokens(self) -> TokenMap | None:
        """Tokens of the recording."""
        return self._tokens

    @property
    def forecast(self) -> Forecast | None:
        """The latest forecast of the recording."""
        return self._forecast

    @property
    def skill(self):
        """Error of the forecast beside simple methods; None where there is no truth."""
        return self._skill

    @property
    def model(self):
        """The loaded model; None until one is needed."""
        return self._model

    @property
    def selection(self) -> tuple[int, ...]:
        """Indices of the neurons looked at, in the order they were chosen."""
        return self._selection

    @property
    def time_s(self) -> float:
        """The moment looked at, in seconds from the recording's first frame."""
        return self._time_s

    def set_recording(
        self, recording: Recording | None, *, pixel_size_um: float | None = None
    ) -> None:
        """Take a new recording; what was computed from the old one is dropped."""
        self._recording = recording
        self._pixel_size_um = pixel_size_um
        self._tokens = self._forecast = self._skill = None
        self._selection = () if recording is None else most_active(recording)
        self.recording_changed.emit()
        self.tokens_changed.emit()
        self.forecast_changed.emit()
        self.selection_changed.emit()

    def set_tokens(self, tokens: TokenMap | None) -> None:
        """Take the tokens of the recording."""
        self._tokens = tokens
        self.tokens_changed.emit()

    def set_forecast(self, forecast: Forecast | None, skill: object | None = None) -> None:
        """Take a forecast and, where the future is known, how good it was."""
        self._forecast, self._skill = forecast, skill
        self.forecast_changed.emit()

    def set_model(self, model: object | None) -> None:
        """Take a loaded model."""
        self._model = model
        self.model_changed.emit()

    def select(self, neurons: tuple[int, ...]) -> None:
        """Look at `neurons`; indices that do not exist are left out."""
        count = 0 if self._recording is None else self._recording.n_neurons
        chosen = tuple(dict.fromkeys(n for n in neurons if 0 <= n < count))
        if chosen != self._selection:
            self._selection = chosen
            self.selection_changed.emit()

    def toggle(self, neuron: int) -> None:
        """Add `neuron` to the selection, or take it out."""
        if neuron in self._selection:
            self.select(tuple(n for n in self._selection if n != neuron))
        else:
            self.select((*self._selection, neuron))

    def seek(self, time_s: float) -> None:
        """Look at the moment `time_s`."""
        if time_s != self._time_s:
            self._time_s = float(time_s)
            self.time_changed.emit()


def most_active(recording: Recording, count: int = DEFAULT_SELECTION_SIZE) -> tuple[int, ...]:
    """Return the `count` neurons whose traces vary most, most active first."""
    spread = np.std(recording.traces, axis=1)
    return tuple(int(n) for n in np.argsort(-spread, kind="stable")[:count])


_sessions: WeakKeyDictionary = WeakKeyDictionary()


def session_of(viewer) -> Session:
    """Return the session of `viewer`, the same one for every widget that asks."""
    # Plugins get a proxy of the viewer, a new one each time; the viewer itself is the key.
    return _sessions.setdefault(getattr(viewer, "__wrapped__", viewer), Session())
