"""What one window works on: the recording, the model, the results, the selection."""

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from psygnal import Signal

from ..core.errors import RecordingError
from ..core.forecast import Forecast
from ..core.recording import Recording
from ..core.token_map import TokenMap
from .accepted_cells import AcceptedCells
from .explored_results import ExploredResults
from .made_with import MadeWith
from .most_active import most_active
from .neurons_in_use import NeuronsInUse
from .origin import Origin

# What results are called by: the model as it was loaded, or fitted to this recording.
ZERO_SHOT, ADAPTED = "zero-shot", "adapted"


class Session(ExploredResults, AcceptedCells, MadeWith):
    """The one place that holds what a viewer shows; every view listens to it.

    Views never talk to each other: a click in the trace panel changes
    `selection` or `time_s` here, and whoever shows it hears of it. A new recording drops
    adaptation and results, which spoke about the old one. Changing between zero-shot and
    adapted drops what was explored in the hidden states of the other.

    Signals
    -------
    recording_changed, tokens_changed, forecast_changed, model_changed
        Without arguments; read the new state from the session.
    adaptation_changed
        Another adaptation, none, or the switch between zero-shot and adapted.
    behaviour_changed
        The recording has other behaviour or trials; its traces are the same.
    selection_changed
        Without arguments; `selection` holds neuron indices.
    marked_changed
        Another of the selected neurons is looked at closely, or none.
    time_changed
        The view has moved to `time_s`.
    palette_changed
        Clusters, neurons, activity and forecast have other colours, by the preferences.
    """

    recording_changed = Signal()
    tokens_changed = Signal()
    forecast_changed = Signal()
    model_changed = Signal()
    adaptation_changed = Signal()
    behaviour_changed = Signal()
    selection_changed = Signal()
    marked_changed = Signal()
    time_changed = Signal()
    palette_changed = Signal()

    def __init__(self) -> None:
        ExploredResults.__init__(self)
        AcceptedCells.__init__(self)
        MadeWith.__init__(self)
        self._recording: Recording | None = None
        self._pixel_size_um: float | None = None
        self._tokens: TokenMap | None = None
        self._forecast: Forecast | None = None
        self._skill: object | None = None
        self._forecast_kind = ZERO_SHOT
        self._model: object | None = None
        self._adaptation = self._adaptation_part = None
        self._in_use: NeuronsInUse | None = None
        self._uses_adaptation = False
        self._selection: tuple[int, ...] = ()
        self._marked: int | None = None
        self._time_s = 0.0

    @property
    def recording(self) -> Recording | None:
        """The traces that everything else is about."""
        return self._recording

    @property
    def judged_recording(self) -> Recording | None:
        """The recording with the user's judgement of its cells, for what is kept of it."""
        recording, judgement = self._recording, self.judgement
        return recording if judgement is None else replace(recording, accepted=judgement)

    @property
    def judgement(self) -> np.ndarray | None:
        """Which neurons are accepted, (neurons,) of bool; None where nobody decided."""
        recording = self._recording
        if recording is None or (recording.accepted is None and self.accepted.all()):
            return None
        return self.accepted

    @property
    def in_use(self) -> NeuronsInUse | None:
        """The neurons that the next result is made of; None without a recording."""
        recording, left_out = self._recording, self.left_out
        if recording is None:
            return None
        neurons = np.flatnonzero(~left_out) if left_out.any() else None
        kept = self._in_use
        if kept is None or not (
            kept.recording is recording and np.array_equal(kept.flags, ~left_out)
        ):
            # The same one as long as nothing changes: what was read of its part is kept by it.
            self._in_use = NeuronsInUse(recording, neurons)
        return self._in_use

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
        """The loaded model, adapted where that is in use; None until one is needed."""
        return self._model

    @property
    def forecast_kind(self) -> str:
        """Whether the forecast is `ZERO_SHOT` or `ADAPTED`."""
        return self._forecast_kind

    @property
    def adaptation(self):
        """What was fitted to the recording; None if nothing was."""
        return self._adaptation

    @property
    def adaptation_in_use(self):
        """The adaptation that the next result is made with; None for zero-shot.

        Of a part of the neurons that were adapted to where only these are in use.
        """
        if not self._uses_adaptation:
            return None
        # Of neurons that it lacks it is refused where it is to be used (`adaptation_lacks`).
        return self.fitting_adaptation or self._adaptation

    @property
    def fitting_adaptation(self):
        """The adaptation for the neurons in use; None without one that helped and knows all."""
        adaptation = self._adaptation
        if adaptation is None or not adaptation.helped or self.adaptation_lacks:
            return None
        labels = adaptation.roi_labels if self.in_use is None else self.in_use.roi_labels
        if not np.array_equal(self._adaptation_part.roi_labels, labels):
            self._adaptation_part = adaptation.select(labels)
        return self._adaptation_part

    @property
    def adaptation_lacks(self) -> tuple[int, ...]:
        """Numbers of the ROIs in use that the adaptation knows nothing of."""
        if self._adaptation is None or self.in_use is None:
            return ()
        labels = self.in_use.roi_labels
        lacking = labels[~np.isin(labels, self._adaptation.roi_labels)]
        return tuple(lacking.tolist())

    @property
    def adapted_neurons(self) -> tuple[int, ...] | None:
        """Neurons that the adaptation was fitted to; None for all, or without one."""
        if self._adaptation is None or self._recording is None:
            return None
        known = np.isin(self._recording.roi_labels, self._adaptation.roi_labels)
        return None if known.all() else tuple(np.flatnonzero(known).tolist())

    @property
    def fitted_until_frame(self) -> int | None:
        """Frame before which the adaptation was fitted; None without one."""
        return None if self._adaptation is None else self._adaptation.until_frame

    @property
    def selection(self) -> tuple[int, ...]:
        """Indices of the neurons looked at, in the order they were chosen."""
        return self._selection

    @property
    def marked(self) -> int | None:
        """The one of the selected neurons that is looked at closely; None for none."""
        return self._marked

    @property
    def pointed_at(self) -> int | None:
        """The neuron that napari's own choice of one shows: marked, or selected last."""
        if self._marked is not None or not self._selection:
            return self._marked
        return self._selection[-1]

    @property
    def time_s(self) -> float:
        """The moment looked at, in seconds from the recording's first frame."""
        return self._time_s

    @property
    def end_s(self) -> float:
        """Time of the last frame, recorded or forecast; 0 without a recording."""
        recording, forecast = self._recording, self._forecast
        if recording is None:
            return 0.0
        last = recording.n_frames - 1
        if forecast is not None:
            last = max(last, forecast.start_frame + forecast.horizon_frames - 1)
        return last / recording.frame_rate_hz

    def set_recording(
        self,
        recording: Recording | None,
        *,
        pixel_size_um: float | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Take a new recording; what was computed from the old one is dropped."""
        self._recording, self._in_use = recording, None
        self._accept_as_found(recording)
        self._pixel_size_um = pixel_size_um
        self._tokens = self._forecast = self._skill = None
        self._selection = () if recording is None else most_active(recording)
        self._marked = None
        self._forget_explored()
        self._forget_how()
        self.set_code(None)
        self.origin = origin
        self.accepted_in_file = None if recording is None else recording.accepted
        self.set_adaptation(None)
        self.recording_changed.emit()
        self.tokens_changed.emit()
        self.forecast_changed.emit()
        self._tell_explored()
        self.accepted_changed.emit()
        self.in_use_changed.emit()
        self.selection_changed.emit()

    def set_behaviour(self, recording: Recording) -> None:
        """Take the same recording with other behaviour or trials.

        Raises
        ------
        RecordingError
            If its traces are others.
        """
        if self._recording is None or recording.traces is not self._recording.traces:
            raise RecordingError(
                f"{recording.name} was replaced by another recording while its behaviour was "
                "read. Open the behaviour again."
            )
        used = self.in_use
        self._recording = recording
        self._in_use = None if used is None else used.with_behaviour_of(recording)
        self.set_selectivity({})
        self.drop_decodings()
        self.behaviour_changed.emit()

    def set_tokens(self, tokens: TokenMap | None) -> None:
        """Take the tokens of the recording."""
        self._tokens = tokens
        self.set_code(None)
        self.tokens_changed.emit()

    def set_forecast(
        self, forecast: Forecast | None, skill: object | None = None, *, kind: str = ZERO_SHOT
    ) -> None:
        """Take a forecast, what kind it is and, where the future is known, how good it was."""
        self._forecast, self._skill, self._forecast_kind = forecast, skill, kind
        self.forecast_changed.emit()

    def set_model(self, model: object | None) -> None:
        """Take a loaded model; what another one has read is forgotten."""
        if model is not self._model:
            self._reading = None
        self._model = model
        self.model_changed.emit()

    def set_adaptation(self, adaptation) -> None:
        """Take what was fitted to the recording; use it if it helped."""
        if adaptation is None and self._adaptation is None:
            return
        before = self.adaptation_in_use
        self._adaptation = self._adaptation_part = adaptation
        self._uses_adaptation = adaptation is not None and adaptation.helped
        self.adaptation_changed.emit()
        if self.adaptation_in_use is not before:
            self._drop_hidden()

    def use_adaptation(self, wanted: bool) -> None:
        """Switch to the adapted model, where there is one, or back to zero-shot."""
        wanted = wanted and self._adaptation is not None and self._adaptation.helped
        if wanted != self._uses_adaptation:
            self._uses_adaptation = wanted
            self.adaptation_changed.emit()
            self._drop_hidden()

    def expect(self, recording: Recording) -> None:
        """Refuse a result about another recording than the present one.

        Raises
        ------
        RecordingError
            If the recording was replaced while the result was made.
        """
        if recording is not self._recording:
            raise RecordingError(
                f"{recording.name} was replaced by another recording while this ran, so its "
                "result is dropped. Press the button again for the new one."
            )

    def select(self, neurons: tuple[int, ...]) -> None:
        """Look at `neurons`; indices that do not exist are left out."""
        count = 0 if self._recording is None else self._recording.n_neurons
        chosen = tuple(dict.fromkeys(n for n in neurons if 0 <= n < count))
        if chosen != self._selection:
            self._selection = chosen
            was_marked, self._marked = self._marked, None
            if was_marked in chosen:
                self._marked = was_marked
            self.selection_changed.emit()
            if self._marked != was_marked:
                self.marked_changed.emit()

    def toggle(self, neuron: int) -> None:
        """Add `neuron` to the selection, or take it out."""
        if neuron in self._selection:
            self.select(tuple(n for n in self._selection if n != neuron))
        else:
            self.select((*self._selection, neuron))

    def mark(self, neuron: int | None) -> None:
        """Look closely at one of the selected neurons; None for none of them."""
        if neuron not in self._selection:
            neuron = None
        if neuron != self._marked:
            self._marked = neuron
            self.marked_changed.emit()

    def seek(self, time_s: float) -> None:
        """Look at the moment `time_s`."""
        if time_s != self._time_s:
            self._time_s = float(time_s)
            self.time_changed.emit()


def kind_of(model) -> str:
    """Say whether `model` is `ZERO_SHOT` or `ADAPTED`."""
    return ZERO_SHOT if model.adaptation is None else ADAPTED


_sessions: WeakKeyDictionary = WeakKeyDictionary()


def session_of(viewer) -> Session:
    """Return the session of `viewer`, the same one for every widget that asks."""
    # Plugins get a proxy of the viewer, a new one each time; the viewer itself is the key.
    return _sessions.setdefault(getattr(viewer, "__wrapped__", viewer), Session())
