"""Windows of many recordings, drawn at random but reproducibly."""

import copy
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core.errors import ConfigError
from ..core.progress import Progress, Steps
from ..core.recording import Recording
from ..io.read import read_recording
from ..model.config import PreprocessingConfig
from ..preprocess.continuation import LAGS, Continuation
from ..preprocess.normalise import Normalisation, normalisation_from
from ..preprocess.portrait import Portrait, portrait_of
from ..preprocess.resample import model_rate_hz, resampling_matrix
from ..preprocess.smooth import smooth_causally
from ..simulate.populations import simulate_populations
from ..simulate.session import simulate_cohort
from .config import DataConfig


def folder_recordings_steps(config: DataConfig) -> Steps[list[Recording]]:
    """Read the recordings of the configuration's folder, unusable traces left out.

    Raises
    ------
    ConfigError
        If the folder is missing or holds no recording.
    RecordingError
        If an entry of the folder cannot be read as a recording.
    """
    if not config.folder:
        return []
    folder = Path(config.folder)
    if not folder.is_dir():
        raise ConfigError(f"data: the folder {folder} does not exist.")
    entries = [
        entry
        for entry in sorted(folder.iterdir())
        if (entry.suffix == ".npz" or entry.is_dir()) and not entry.name.startswith(".")
    ]
    if not entries:
        raise ConfigError(
            f"data: the folder {folder} holds no recordings; expected npz files or folders."
        )
    found = []
    for number, entry in enumerate(entries):
        yield Progress(number, len(entries), f"Reading {entry.name}")
        found.append(read_recording(entry, drop_unusable=True))
    return found


def simulated_recordings_steps(config: DataConfig) -> Steps[list[Recording]]:
    """Make the simulated cohorts of a configuration."""
    n_all = sum(
        int(cohort.get("n_animals", 1)) * int(cohort.get("n_sessions", 1))
        for cohort in (*config.simulated, *config.populations)
    )
    found: list[Recording] = []
    for recording in _simulated(config):
        found.append(recording)
        yield Progress(min(len(found), n_all), n_all, "Simulating recordings")
    return found


def _simulated(config: DataConfig) -> Iterator[Recording]:
    for cohort in config.simulated:
        for session in simulate_cohort(**cohort):
            yield session.recording
    for cohort in config.populations:
        yield from simulate_populations(**cohort)


# Share of the training windows whose statistics come from before some random frame.
OLD_HISTORY = 0.5
# So many different ends have the histories of a recording's training windows: those of the
# same end share what is fitted to them.
HISTORIES = 48
MOST_FITS = 800


class _Fits(OrderedDict[tuple[int, int, bytes], Continuation]):
    """The continuations made last, by recording, frames of history and neurons."""

    def of(self, window: "Window", neurons: np.ndarray) -> Continuation:
        """Return that of the window's neurons with the numbers (n,) in it."""
        key = (window.recording, window.history.shape[1], window.neurons[neurons].tobytes())
        if key not in self:
            self[key] = window.portrait.continuation(neurons)
            if len(self) > MOST_FITS:
                self.popitem(last=False)
        return self[key]


@dataclass(frozen=True, eq=False)
class Window:
    """Context and horizon of some neurons of one recording, as a forecast meets them.

    Parameters
    ----------
    history : numpy.ndarray, (neurons, frames)
        What tells how the neurons usually are; all or some frames before the context's end.
    context : numpy.ndarray, (neurons, context_frames)
        What the networks look at.
    future : numpy.ndarray, (neurons, max_frames - context_frames)
        What follows.
    rate_hz : float
        Frames a second of both.
    config : PreprocessingConfig
        Lengths and centre.
    neurons : numpy.ndarray of int, (neurons,)
        Which neurons of the recording.
    recording, start : int
        Number of the recording, and the first frame of the future in it.
    fits : _Fits
        Continuations that windows of the same history share.
    """

    history: np.ndarray
    context: np.ndarray
    future: np.ndarray
    rate_hz: float
    config: PreprocessingConfig
    neurons: np.ndarray
    recording: int
    start: int
    fits: _Fits

    @cached_property
    def normalisation(self) -> Normalisation:
        """Centre and scale that a forecast from the context's end would take."""
        return normalisation_from(self.history, self.context, self.config.centre)

    @cached_property
    def units(self) -> np.ndarray:
        """Normalised context and future, (neurons, max_frames)."""
        frames = np.concatenate([self.context, self.future], axis=1)
        return self.normalisation.apply(frames).astype(np.float32)

    @cached_property
    def portrait(self) -> Portrait:
        """What the history tells of these neurons."""
        return portrait_of(self.history, self.context, self.normalisation, self.rate_hz)

    @cached_property
    def continuation(self) -> Continuation:
        """Linear forecasts of these neurons, fitted to the history."""
        return self.continuation_of(np.arange(len(self.neurons)))

    def continuation_of(self, neurons: np.ndarray) -> Continuation:
        """Linear forecasts of some of them (n,) of int alone."""
        return self.fits.of(self, neurons)

    def continued(self, ends: Sequence[int], horizon_frames: int) -> np.ndarray:
        """Linear forecasts after the window's first `ends` frames, in centred units.

        Returns
        -------
        numpy.ndarray, (neurons, ends, continuations, horizon_frames)
        """
        recent = np.stack([self.units[:, end - LAGS : end] for end in ends], axis=1)
        return self.portrait.continued(
            self.continuation, np.arange(len(self.neurons)), recent, horizon_frames
        )


class WindowSampler:
    """Normalised windows of context and horizon, as a forecast meets them.

    A window has `max_frames` frames, the first `context_frames` of them context. Its centre
    and scale follow the rule of a forecast that starts at the end of the context, so
    training and use agree. The last `validation_share` of every recording is never drawn
    for training; no frame after a context enters that context's statistics.

    Parameters
    ----------
    recordings : sequence of Recording
        Those too short for one window are left out.
    config : PreprocessingConfig
        Lengths, rate range and smoothing.
    validation_share : float
        Last share of the frames kept for validation, 0 to 0.5.

    Raises
    ------
    ConfigError
        If no recording is long enough.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        config: PreprocessingConfig,
        validation_share: float,
    ) -> None:
        self.config = config
        self._fits = _Fits()
        prepared = [_prepare(recording, config) for recording in recordings]
        n_training = [int(traces.shape[1] * (1 - validation_share)) for traces in prepared]
        usable = [n >= config.max_frames for n in n_training]
        if not any(usable):
            longest = max((traces.shape[1] for traces in prepared), default=0)
            raise ConfigError(
                f"data: none of {len(prepared)} recordings is long enough. The training part "
                f"must have {config.max_frames} frames; the longest recording has {longest}, "
                f"of which {validation_share:.0%} are for validation."
            )
        kept = [number for number, keep in enumerate(usable) if keep]
        self.traces = [prepared[number] for number in kept]
        self.n_training = [n_training[number] for number in kept]
        self.rates_hz = [
            model_rate_hz(recordings[number].frame_rate_hz, config.frame_rate_range_hz)
            for number in kept
        ]

    def with_all_frames(self) -> "WindowSampler":
        """The same recordings with nothing kept for validation."""
        sampler = copy.copy(self)
        sampler.n_training = [traces.shape[1] for traces in self.traces]
        return sampler

    def training_window(self, rng: np.random.Generator, n_neurons: int) -> Window:
        """Draw a window of up to `n_neurons` neurons of one recording."""
        number = int(rng.integers(len(self.traces)))
        first = int(rng.integers(self.n_training[number] - self.config.max_frames + 1))
        # What is known of a neuron is often old, and recordings drift meanwhile.
        known = start = first + self.config.context_frames
        if rng.random() < OLD_HISTORY:
            known = int(rng.integers(self.config.context_frames, start + 1))
        known -= known % max(1, self.n_training[number] // HISTORIES)
        known = max(self.config.context_frames, known)
        return self._window(number, first, known, rng, n_neurons)

    def validation_windows(
        self, n_windows: int, n_neurons: int | None, *, seed: int
    ) -> list[Window]:
        """Draw about `n_windows` fixed windows whose horizons lie in the validation parts.

        They are spread evenly over the recordings, and over each recording's part; what is
        known of the neurons is the training part. No `n_neurons` takes all, in their order.
        """
        rng = np.random.default_rng(seed)
        eligible = []
        for number, traces in enumerate(self.traces):
            earliest = self.n_training[number] - self.config.context_frames
            latest = traces.shape[1] - self.config.max_frames
            if latest >= earliest:
                eligible.append((number, earliest, latest))
        if not eligible:
            return []
        picked = np.linspace(0, len(eligible) - 1, min(n_windows, len(eligible))).astype(int)
        each = max(1, n_windows // len(picked))
        return [
            self._window(number, int(first), self.n_training[number], rng, n_neurons)
            for number, earliest, latest in (eligible[place] for place in picked)
            for first in np.linspace(earliest, latest, each).astype(int)
        ]

    def _window(
        self,
        number: int,
        first: int,
        known: int,
        rng: np.random.Generator,
        n_neurons: int | None,
    ) -> Window:
        traces = self.traces[number]
        neurons = np.arange(len(traces))
        if n_neurons is not None:
            neurons = rng.choice(len(traces), min(n_neurons, len(traces)), replace=False)
            neurons.sort()
        start = first + self.config.context_frames
        chosen = traces[neurons, : first + self.config.max_frames]
        return Window(
            history=chosen[:, :known],
            context=chosen[:, first:start],
            future=chosen[:, start:],
            rate_hz=self.rates_hz[number],
            config=self.config,
            neurons=neurons,
            recording=number,
            start=start,
            fits=self._fits,
        )


def _prepare(recording: Recording, config: PreprocessingConfig) -> np.ndarray:
    """Traces at the rate and smoothness of the model."""
    rate_hz = model_rate_hz(recording.frame_rate_hz, config.frame_rate_range_hz)
    resampling = resampling_matrix(
        recording.n_frames, recording.frame_rate_hz, rate_hz, end_aligned=False
    )
    traces: np.ndarray = (resampling @ recording.traces.T).T
    return smooth_causally(traces, config.smoothing_alpha)
