"""What the forecast benchmark asks: recordings, their split in time, starts and targets."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_calm.core.errors import RecordingError
from napari_calm.core.recording import Recording, usable_traces
from napari_calm.io.npz import open_npz
from napari_calm.preprocess.smooth import smooth_causally

HIGHEST_RATE_HZ = 6.2
# Taken where a file does not tell.
DEFAULT_RATE_HZ = 4.0
TRAINING_SHARE = 0.7
EXAMPLE_NEURONS = 3


@dataclass(frozen=True)
class Setting:
    """Lengths in frames and smoothing of the target (1 = none)."""

    name: str
    context_frames: int
    horizon_frames: int
    smoothing_alpha: float


SETTINGS = {
    setting.name: setting
    for setting in (Setting("standard", 48, 16, 1.0), Setting("paper", 36, 64, 0.15))
}


@dataclass(frozen=True, eq=False)
class Task:
    """One recording in one setting.

    Parameters
    ----------
    species, setting : str, Setting
    target : Recording
        What is forecast and scored: averaged to at most 6.2 Hz, smoothed as the setting
        says, each neuron in units of its standard deviation over the training part.
    unsmoothed : Recording
        The same in the same units without the smoothing, for models that smooth by
        themselves.
    n_training : int
        Frames of the training part, the first 70 %.
    starts : numpy.ndarray of int, (starts,)
        First forecast frames, evenly spaced; all targets lie after the training part.
    """

    species: str
    setting: Setting
    target: Recording
    unsmoothed: Recording
    n_training: int
    starts: np.ndarray

    @property
    def training(self) -> np.ndarray:
        """Traces of the training part, (neurons, n_training)."""
        return self.target.traces[:, : self.n_training]

    @property
    def contexts(self) -> np.ndarray:
        """Frames before each start, (starts, neurons, context_frames)."""
        return self._windows(-self.setting.context_frames, 0)

    @property
    def truth(self) -> np.ndarray:
        """Frames from each start on, (starts, neurons, horizon_frames)."""
        return self._windows(0, self.setting.horizon_frames)

    @property
    def fingerprint(self) -> str:
        """A text that differs where traces, split, starts or setting differ."""
        parts = (self.setting, self.n_training, self.starts.tolist(), self.target.frame_rate_hz)
        found = hashlib.sha256(repr(parts).encode())
        found.update(self.target.traces.tobytes())
        return found.hexdigest()[:16]

    def _windows(self, first: int, stop: int) -> np.ndarray:
        frames = self.starts[:, None] + np.arange(first, stop)
        return self.target.traces[:, frames].swapaxes(0, 1)


def make_task(recording: Recording, species: str, setting: Setting, n_starts: int) -> Task:
    """Split, smooth and normalise a recording and choose the starts.

    Raises
    ------
    RecordingError
        If the test part is shorter than the horizon or the training part than the context.
    """
    n_training = int(TRAINING_SHARE * recording.n_frames)
    latest = recording.n_frames - setting.horizon_frames
    if latest < n_training or n_training < setting.context_frames:
        raise RecordingError(
            f"{recording.name}: {recording.n_frames} frames leave {n_training} for training "
            f"and {recording.n_frames - n_training} for the test; the {setting.name} setting "
            f"needs {setting.context_frames} and {setting.horizon_frames}."
        )
    usable = usable_traces(recording.traces) & usable_traces(recording.traces[:, :n_training])
    traces = recording.traces[usable].astype(np.float64)
    smoothed = smooth_causally(traces, setting.smoothing_alpha)
    centre = smoothed[:, :n_training].mean(axis=1, keepdims=True)
    scale = smoothed[:, :n_training].std(axis=1, keepdims=True)
    rate_hz, name, source = recording.frame_rate_hz, recording.name, recording.source
    target, unsmoothed = (
        Recording((values - centre) / scale, rate_hz, name, source)
        for values in (smoothed, traces)
    )
    starts = np.unique(np.linspace(n_training, latest, n_starts).astype(int))
    return Task(species, setting, target, unsmoothed, n_training, starts)


def at_most(recording: Recording, highest_rate_hz: float) -> Recording:
    """Average whole numbers of frames until a recording has at most `highest_rate_hz`.

    Frames left over at the beginning are dropped.
    """
    factor = math.ceil(recording.frame_rate_hz / highest_rate_hz - 1e-6)
    n_frames = recording.n_frames // factor
    traces = recording.traces[:, recording.n_frames - n_frames * factor :]
    traces = traces.reshape(recording.n_neurons, n_frames, factor)
    return Recording(
        traces.mean(axis=2, dtype=np.float64),
        recording.frame_rate_hz / factor,
        recording.name,
        recording.source,
    )


def recording_files(data: Path, species: Sequence[str]) -> list[tuple[str, Path]]:
    """Species and npz files of a folder with one folder a species, or of one folder of npz.

    Raises
    ------
    RecordingError
        If neither is found.
    """
    files = [(data.resolve().name, path) for path in sorted(data.glob("*.npz"))]
    for name in () if files else species:
        files += [(name, path) for path in sorted((data / name).glob("*.npz"))]
    if not files:
        raise RecordingError(
            f"{data}: found no npz recordings, neither there nor in {', '.join(species)}. "
            "Give a folder of npz files with traces (neurons, frames) and fps."
        )
    return files


def read_traces(path: Path, default_rate_hz: float) -> tuple[Recording, bool]:
    """Read traces and rate of an npz, unusable traces left out.

    Returns
    -------
    (Recording, bool)
        Averaged to at most 6.2 Hz; whether its rate was not recorded and is
        `default_rate_hz` instead.

    Raises
    ------
    RecordingError
        If the file has no traces or none of them is usable.
    """
    with open_npz(path) as archive:
        if "traces" not in archive:
            raise RecordingError(
                f"{path}: found {', '.join(archive)}; expected traces and fps."
            )
        traces = np.asarray(archive["traces"], np.float32)
        rate_hz = float(archive["fps"]) if "fps" in archive else math.nan
    assumed = math.isnan(rate_hz)
    traces = traces[usable_traces(traces)]
    rate_hz = default_rate_hz if assumed else rate_hz
    recording = Recording(traces, rate_hz, path.stem, path.name)
    return at_most(recording, HIGHEST_RATE_HZ), assumed


def example_neurons(task: Task) -> list[int]:
    """First, middle and last neuron: shown in the figures, chosen without a look at results."""
    last = task.target.n_neurons - 1
    return sorted(set(np.linspace(0, last, EXAMPLE_NEURONS).astype(int).tolist()))
