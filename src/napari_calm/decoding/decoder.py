"""A fitted decoder: kept in a file, applied to any recording that it can read."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CalmError, CheckpointError, RecordingError
from ..core.progress import Steps, run
from ..core.recording import Recording
from ..model.calm import CalmModel
from ..model.fingerprint import fingerprint
from .decoded import Decoded
from .linear import LinearDecoder
from .network_fit import FittedNetworks, sample_frames
from .neuron_frames import NeuronFrames
from .pooled import PooledReadout
from .prepare import every_sample, smoothed
from .scores import SIGNIFICANT, Interval, measure_of, score
from .settings import ANY_NEURONS, Settings
from .states import FrameStates, represent_frames_steps
from .target import Kind, Per, Target

# Lags are counted in frames; at another rate they would be other lags.
LARGEST_RATE_RATIO = 1.1
RATE_RATIO_OF_ANIMALS = 1.5
N_SHIFTS = 200
LEAST_SHIFT = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class Decoder:
    """What reads a variable from a population and the model's view of it.

    Parameters
    ----------
    name : str
        The variable.
    kind : {"continuous", "circular", "classes"}
    per : {"frame", "trial"}
    classes : tuple of str
    unit : {"", "rad", "deg"}
    settings : Settings
    frame_rate_hz : float
        Of the recordings that it was fitted to.
    model_name : str
    recording_names : tuple of str
        What it was fitted to.
    roi_labels : numpy.ndarray of int, (neurons,)
        Neurons that it reads, in order; empty for a head that reads any neurons.
    fitted : LinearDecoder, FittedNetworks or PooledReadout
    score : Interval, optional
        Of held-out parts of the recordings that it was fitted to.
    model_fingerprint : str
        Of the model, with what was fitted to a recording; see `model.fingerprint`. Empty
        where an older file does not tell.
    """

    name: str
    kind: Kind
    per: Per
    classes: tuple[str, ...]
    unit: str
    settings: Settings
    frame_rate_hz: float
    model_name: str
    recording_names: tuple[str, ...]
    roi_labels: np.ndarray
    fitted: LinearDecoder | FittedNetworks | PooledReadout
    score: Interval | None = field(default=None)
    model_fingerprint: str = ""

    def __repr__(self) -> str:
        return f"Decoder({self.name!r}, {self.settings.head}, {self.model_name!r})"

    @property
    def reads_any_neurons(self) -> bool:
        """Whether it can be applied to another animal."""
        return self.settings.head in ANY_NEURONS

    @property
    def reads_states(self) -> bool:
        """Whether it looks at hidden states; if not, any model will do."""
        if isinstance(self.fitted, LinearDecoder):
            return any(each.source == "states" for each in self.fitted.readouts.values())
        return isinstance(self.fitted, FittedNetworks)

    @property
    def measure(self) -> str:
        """Name of the score of such a variable."""
        return "balanced accuracy" if self.kind == "classes" else "R2"

    def check(self, model: CalmModel, recording: Recording) -> None:
        """Refuse a model or a recording that this decoder cannot read.

        Raises
        ------
        CheckpointError
            If the decoder reads hidden states, and those of another model, or of one that was
            adapted otherwise.
        RecordingError
            If the neurons are others and the decoder has weights for its own, or the frame
            rate is another.
        """
        if self.reads_states:
            self._check_model(model)
        where = recording.source or recording.name
        if not self.reads_any_neurons and not np.array_equal(
            recording.roi_labels, self.roi_labels
        ):
            raise RecordingError(
                f"{where}: its {recording.n_neurons} neurons are not the "
                f"{self.roi_labels.size} that the decoder of {self.name} was fitted to "
                f"({', '.join(self.recording_names)}). Decode anew, or fit a decoder with the "
                "head 'pooled' or 'attention', which read any neurons."
            )
        ratio = recording.frame_rate_hz / self.frame_rate_hz
        most = RATE_RATIO_OF_ANIMALS if self.reads_any_neurons else LARGEST_RATE_RATIO
        if not 1 / most <= ratio <= most:
            raise RecordingError(
                f"{where}: {recording.frame_rate_hz:g} frames a second; the decoder of "
                f"{self.name} was fitted at {self.frame_rate_hz:g}. Resample the recording."
            )

    def _check_model(self, model: CalmModel) -> None:
        of_another = f"decoder of {self.name}: reads hidden states of {self.model_name}; found "
        if not self.model_fingerprint:
            if model.title != self.model_name:
                raise CheckpointError(
                    f"{of_another}{model.title}. Load that model, or decode anew."
                )
        elif fingerprint(model) != self.model_fingerprint:
            if model.title == self.model_name:
                what = "an adaptation" if model.adaptation is not None else "a model"
                found = f"{what} of that name with other weights"
            else:
                found = model.title
            adapted = "adapted to" in self.model_name
            needed = "that adaptation (Adapt > Load, --adaptation)" if adapted else "that model"
            zero_shot = ", without an adaptation" if model.adaptation and not adapted else ""
            raise CheckpointError(
                f"{of_another}{found}. Use {needed}{zero_shot}, or decode anew."
            )

    def neuron_weights(
        self, recording: Recording, states: FrameStates
    ) -> NDArray[np.float64] | None:
        """Share of each neuron in what the decoder says of a recording.

        The deviation over the recording of what the neuron adds, or the mean attention that it
        gets with the head "attention".

        Returns
        -------
        numpy.ndarray, (neurons,), or None
            Summing to 1; None where no neuron has a say: the decoder says always the same.
        """
        samples = every_sample(recording, self.settings, self.per, states.first_frame)
        traces, everything = recording.traces.T, np.arange(len(samples))
        if isinstance(self.fitted, LinearDecoder):
            weights = self.fitted.neuron_weights(traces, states, samples)
        else:
            neurons = NeuronFrames.of(states, traces, samples.frames(everything))
            weights = self.fitted.neuron_weights(neurons, sample_frames(samples, everything))
        has_any = bool(np.isfinite(weights).all() and weights.sum() > 0)
        return np.asarray(weights, np.float64) if has_any else None

    def apply_steps(
        self, model: CalmModel, recording: Recording, *, states: FrameStates | None = None
    ) -> Steps[Decoded]:
        """`apply` as a generator of progress."""
        self.check(model, recording)
        if states is None:
            states = yield from represent_frames_steps(model, recording)
        return self.read(recording, states)

    def read(self, recording: Recording, states: FrameStates) -> Decoded:
        """Decode a recording whose hidden states are known."""
        samples = every_sample(recording, self.settings, self.per, states.first_frame)
        if len(samples) == 0:
            raise RecordingError(
                f"{recording.source or recording.name}: no {self.per} lies after the model's "
                f"first context of {states.first_frame} frames; there is nothing to decode."
            )
        traces = recording.traces.T
        if isinstance(self.fitted, LinearDecoder):
            outputs = self.fitted.outputs(traces, states, samples)
            slope = self.fitted.slope
        else:
            neurons = NeuronFrames.of(states, traces, samples.frames(np.arange(len(samples))))
            everything = np.arange(len(samples))
            outputs = self.fitted.outputs(neurons, sample_frames(samples, everything))
            slope = 1.0
        if self.kind == "classes":
            size = np.exp(slope * (outputs - outputs.max(axis=1, keepdims=True)))
            outputs = size / size.sum(axis=1, keepdims=True)
        by_frame = self.per == "frame"
        return Decoded(
            name=self.name,
            kind=self.kind,
            per=self.per,
            classes=self.classes,
            unit=self.unit,
            number=samples.number,
            start_frame=samples.number if by_frame else samples.start_frame,
            stop_frame=samples.number + 1 if by_frame else samples.stop_frame,
            outputs=outputs,
            frame_rate_hz=recording.frame_rate_hz,
            n_frames=recording.n_frames,
            recording_name=recording.name,
        )

    def apply(
        self, model: CalmModel, recording: Recording, *, states: FrameStates | None = None
    ) -> Decoded:
        """Decode a recording; nothing is fitted to it.

        Parameters
        ----------
        model : CalmModel
            The one whose hidden states the decoder was fitted to.
        recording : Recording
            Of the same neurons, or of any where `reads_any_neurons`.
        states : FrameStates, optional
            Of that recording, where they are known already.

        Raises
        ------
        CheckpointError, RecordingError
            See `check`.
        """
        return run(self.apply_steps(model, recording, states=states))

    def matched(self, target: Target) -> Target:
        """The variable of a recording as this decoder names its classes; see `judge`."""
        return matched(target, self.kind, self.per, self.classes)

    def judge(self, decoded: Decoded, target: Target) -> "Judgement":
        """Compare with the true values, and with the same shifted in a circle.

        Parameters
        ----------
        target : Target
            The variable as `read_target` finds it in that recording.

        Raises
        ------
        CalmError
            If the variable is of another kind, or none of its values can be compared.
        """
        target = matched(target, self.kind, self.per, self.classes)
        target = smoothed(target, self.settings.smooth_s * decoded.frame_rate_hz)
        known = target.known[decoded.number]
        values = target.values[decoded.number[known]]
        outputs = decoded.outputs[known]
        if values.size < 2 or np.ptp(values) == 0:
            raise CalmError(
                f"{self.name}: {values.size} known values that do not vary among those that "
                "were decoded; they cannot be scored."
            )
        least = max(1, round(LEAST_SHIFT * values.size))
        shifts = np.linspace(least, values.size - least, N_SHIFTS).astype(int)
        null = [score(target, np.roll(values, shift), outputs) for shift in np.unique(shifts)]
        return Judgement(
            self.name,
            measure_of(target),
            score(target, values, outputs),
            np.array(null),
            recording_name=decoded.recording_name,
            fitted_to=self.recording_names,
        )


@dataclass(frozen=True, eq=False)
class Judgement:
    """How well a kept decoder reads a recording.

    Parameters
    ----------
    name, measure : str
    score : float
    null : numpy.ndarray, (shifts,)
        The same for the behaviour shifted in a circle.
    recording_name : str
        What was read.
    fitted_to : tuple of str
        Names of the recordings that the decoder was fitted to.
    """

    name: str
    measure: str
    score: float
    null: np.ndarray
    recording_name: str = ""
    fitted_to: tuple[str, ...] = ()

    @property
    def p_value(self) -> float:
        """Share of shifts that are as good, the score itself counted among them."""
        return float((1 + (self.null >= self.score).sum()) / (1 + self.null.size))

    def verdict(self) -> str:
        """One sentence on what was found."""
        beyond = "above" if self.p_value <= SIGNIFICANT else "not above"
        if 1 / (1 + self.null.size) > SIGNIFICANT:
            beyond = "with too few shifts to tell it from"
        where = f"in {self.recording_name}, by a decoder fitted to {', '.join(self.fitted_to)}"
        if self.recording_name in self.fitted_to:
            # Names are not unique, so it cannot be told for them.
            where += " (of the same recording that would be no test)"
        return (
            f"{self.name}: {self.measure} {self.score:.3f} {where}, {beyond} the behaviour "
            f"shifted in a circle (mean {self.null.mean():.3f}, 95 % below "
            f"{np.quantile(self.null, 0.95):.3f}, p = {self.p_value:.3f})."
        )


def matched(target: Target, kind: Kind, per: Per, classes: tuple[str, ...]) -> Target:
    """Return a variable with its classes numbered as elsewhere.

    Raises
    ------
    CalmError
        If it is of another kind, or none of its classes is among those.
    """
    if target.kind != kind or target.per != per:
        raise CalmError(
            f"{target.name}: found {target.kind} values, one a {target.per}; expected {kind}, "
            f"one a {per}."
        )
    if kind != "classes":
        return target
    place = {name: number for number, name in enumerate(classes)}
    codes = np.array([place.get(name, -1) for name in target.classes] + [-1])
    if (codes >= 0).sum() == 0:
        raise CalmError(
            f"{target.name}: found the classes {', '.join(target.classes)}; expected some of "
            f"{', '.join(classes)}."
        )
    return replace(target, values=codes[target.values], classes=classes)
