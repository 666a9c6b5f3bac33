"""Hidden states of every frame, each as new as can be."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.errors import CalmError
from ..core.memory import check_room
from ..core.progress import Progress, Steps, retold, run
from ..core.recording import Recording
from ..model.calm import CalmModel

# Above, exact coordinates would take longer than everything else.
MOST_EXACT = 3072
N_PROJECTED = 2048
_NEURONS_AT_ONCE = 32
# Of more neurons, states are renewed with every token only: reading a recording once takes
# long enough.
MOST_NEURONS_EVERY_FRAME = 1500


@dataclass(frozen=True, eq=False, repr=False)
class FrameStates:
    """What a model makes of every neuron at every frame of a recording.

    Parameters
    ----------
    hidden : numpy.ndarray of float16, (frames, neurons, width)
        State after a token that ends with the frame (or, where frames and tokens do not
        meet, just before its end). It knows no later frame, from `first_frame` on.
    first_frame : int
        Before it lies the model's first context, which is relative to itself.
    model_name : str
    frame_rate_hz : float
    renewed_every : int
        Frames after which a neuron has a new state: 1, or with many neurons a token's length.
    """

    hidden: np.ndarray
    first_frame: int
    model_name: str
    frame_rate_hz: float
    renewed_every: int = 1

    def __post_init__(self) -> None:
        if self.hidden.ndim != 3 or self.first_frame < 0 or self.frame_rate_hz <= 0:
            raise CalmError(
                f"states: found shape {self.hidden.shape}; expected (frames, neurons, width)."
            )

    def __repr__(self) -> str:
        return f"FrameStates({self.hidden.shape}, of {self.model_name!r})"

    @property
    def n_channels(self) -> int:
        """Numbers a frame: neurons times width."""
        return int(self.hidden.shape[1] * self.hidden.shape[2])

    @cached_property
    def coordinates(self) -> "Coordinates":
        """The states in fewer numbers that say the same."""
        return coordinates_of(self)

    def coordinates_steps(self) -> "Steps[Coordinates]":
        """Find `coordinates` where they are not known yet, as a generator of progress."""
        if "coordinates" not in vars(self):
            vars(self)["coordinates"] = yield from coordinates_steps(self)
        return self.coordinates

    def parts(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Some neurons at a time: which channels, and their values (frames, channels)."""
        n_frames, n_neurons, width = self.hidden.shape
        for first in range(0, n_neurons, _NEURONS_AT_ONCE):
            part = self.hidden[:, first : first + _NEURONS_AT_ONCE]
            channels = slice(first * width, first * width + part.shape[1] * width)
            yield channels, part.reshape(n_frames, -1).astype(np.float32)


def represent_frames_steps(model: CalmModel, recording: Recording) -> Steps[FrameStates]:
    """Read a recording once for each place that a token can begin at.

    A token is complete every few frames; in between, the newest state would be stale, and
    what an animal does now is not in it. So the recording is shown with 0, 1, 2 ... frames
    put before it, and each frame takes the state of the token that ends with it. Recordings of
    more than `MOST_NEURONS_EVERY_FRAME` neurons are read once only.

    Raises
    ------
    RecordingError
        If the recording is shorter than one context.
    CalmError
        If the states do not fit into what memory is left, where the system tells.
    """
    stride = model.config.tokenizer.stride
    _check_room(model, recording)
    n_phases = 1 if recording.n_neurons > MOST_NEURONS_EVERY_FRAME else stride
    factor = recording.frame_rate_hz / model.model_rate_hz(recording.frame_rate_hz)
    newest_end_s = np.full(recording.n_frames, -np.inf)
    hidden = np.zeros(
        (recording.n_frames, recording.n_neurons, model.config.dynamics.width), np.float16
    )
    for phase in range(n_phases):
        n_before = round(phase * factor)
        traces = np.pad(recording.traces, ((0, 0), (n_before, 0)), mode="edge")
        shifted = replace(recording, traces=traces, movie=None, behaviour=None, trials=None)
        found = yield from retold(
            model.represent_steps(shifted),
            lambda progress, phase=phase: Progress(  # type: ignore[misc]
                round(1000 * (phase + progress.fraction)), 1000 * n_phases, progress.stage
            ),
        )
        known = found.known_token_of_frame()[n_before:]
        end_s = (known + 1) * found.token_duration_s - n_before / recording.frame_rate_hz
        newer = (known >= 0) & (end_s > newest_end_s + 1e-9)
        for first in range(0, recording.n_neurons, _NEURONS_AT_ONCE):
            some = slice(first, first + _NEURONS_AT_ONCE)
            hidden[newer, some] = found.hidden[some][:, known[newer]].transpose(1, 0, 2)
            if first % (8 * _NEURONS_AT_ONCE) == 0:
                yield Progress(phase + 1, n_phases, "Reading the recording")
        del found
        newest_end_s[newer] = end_s[newer]
    return FrameStates(
        hidden=hidden,
        first_frame=min(
            model.context_frames_of(recording.frame_rate_hz), recording.n_frames - 1
        ),
        model_name=model.title,
        frame_rate_hz=recording.frame_rate_hz,
        renewed_every=stride if n_phases == 1 else 1,
    )


def _check_room(model: CalmModel, recording: Recording) -> None:
    stride, width = model.config.tokenizer.stride, model.config.dynamics.width
    share = model.model_rate_hz(recording.frame_rate_hz) / recording.frame_rate_hz
    # Two bytes a number at every frame, and four at every token of the pass that is running.
    bytes_of_frame = width * recording.n_neurons * (2 + 4 * share / stride)
    check_room(
        recording.n_frames * bytes_of_frame,
        f"{recording.name}: hidden states of {recording.n_neurons} neurons at "
        f"{recording.n_frames} frames",
        "Decode from fewer neurons (the accepted cells) or from a shorter part of the "
        "recording, or close other programs.",
    )


def represent_frames(model: CalmModel, recording: Recording) -> FrameStates:
    """Hidden states of every neuron at every frame, each knowing no later frame.

    Parameters
    ----------
    model : CalmModel
    recording : Recording

    Raises
    ------
    RecordingError
        If the recording is shorter than one context.
    """
    return run(represent_frames_steps(model, recording))


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Hidden states of all neurons in fewer numbers, which say the same.

    With fewer frames than channels they are turned into as many coordinates as there are
    frames: distances between frames stay as they are, so whatever is fitted to some frames
    is what it would be on the states. Where both are many, fixed random directions take
    their place (Johnson-Lindenstrauss); no frame has a say in them.

    Parameters
    ----------
    values : numpy.ndarray of float32, (frames, coordinates)
    states : FrameStates
    centre : numpy.ndarray, (channels,)
    back : numpy.ndarray, (frames, coordinates), optional
        Weights of the coordinates times it are weights of frames; see `channel_weights`.
    seed : int, optional
        Of the random directions.
    """

    values: np.ndarray
    states: FrameStates
    centre: np.ndarray
    back: np.ndarray | None = None
    seed: int | None = None

    def channel_weights(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn weights of coordinates into weights of the states themselves.

        Parameters
        ----------
        weights : numpy.ndarray, (coordinates, outputs)

        Returns
        -------
        (numpy.ndarray, numpy.ndarray)
            Weights (channels, outputs), and what to add to the outputs (outputs,).
        """
        found = np.empty((self.states.n_channels, weights.shape[1]))
        on_frames = None if self.back is None else self.back @ weights
        for channels, part in self.states.parts():
            if on_frames is not None:
                found[channels] = (part - self.centre[channels]).T @ on_frames
            elif self.seed is not None:
                found[channels] = _directions(self.seed, channels) @ weights
            else:
                found[channels] = weights[channels]
        return found, -self.centre @ found


def coordinates_steps(states: FrameStates, *, seed: int = 0) -> Steps[Coordinates]:
    """Find coordinates of the hidden states; see `Coordinates`."""
    n_frames, n_channels = len(states.hidden), states.n_channels
    told = _Told(n_channels)
    centre = np.zeros(n_channels, np.float32)
    for channels, part in states.parts():
        centre[channels] = part.mean(axis=0)
        yield told(channels, 0)
    if n_channels <= min(n_frames, MOST_EXACT):
        values = np.concatenate([part for _, part in states.parts()], axis=1) - centre
        return Coordinates(values, states, centre)
    if n_frames > MOST_EXACT:
        projected = np.zeros((n_frames, N_PROJECTED), np.float32)
        for channels, part in states.parts():
            projected += (part - centre[channels]) @ _directions(seed, channels)
            yield told(channels, 1)
        return Coordinates(projected, states, centre, seed=seed)
    products = np.zeros((n_frames, n_frames))
    for channels, part in states.parts():
        part = part - centre[channels]
        products += part @ part.T
        yield told(channels, 1)
    power, directions = np.linalg.eigh(products)
    # Frames are fewer than channels, so their products hold every direction there is.
    kept = power > 1e-6 * power[-1]
    length = np.sqrt(power[kept])
    return Coordinates(
        (directions[:, kept] * length).astype(np.float32),
        states,
        centre,
        back=directions[:, kept] / length,
    )


def coordinates_of(states: FrameStates, *, seed: int = 0) -> Coordinates:
    """Run `coordinates_steps` to its end."""
    return run(coordinates_steps(states, seed=seed))


class _Told:
    """Progress over all channels, twice."""

    def __init__(self, n_channels: int) -> None:
        self._n_channels = n_channels

    def __call__(self, channels: slice, times: int) -> Progress:
        done = times * self._n_channels + channels.stop
        return Progress(done, 2 * self._n_channels, "Summing up hidden states")


def _directions(seed: int, channels: slice) -> np.ndarray:
    """Random directions of some channels, the same whenever they are asked for."""
    rng = np.random.default_rng([seed, channels.start])
    shape = (channels.stop - channels.start, N_PROJECTED)
    return rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(N_PROJECTED))
