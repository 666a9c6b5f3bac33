"""Windows of many recordings, drawn at random but reproducibly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..core.errors import ConfigError
from ..core.recording import Recording
from ..io.read import read_recording
from ..model.config import PreprocessingConfig
from ..preprocess.normalise import normalisation_from
from ..preprocess.resample import model_rate_hz, resampling_matrix
from ..preprocess.smooth import smooth_causally
from ..simulate.session import simulate_cohort
from .config import DataConfig


def training_recordings(config: DataConfig) -> list[Recording]:
    """Gather the recordings of a configuration, unusable traces left out.

    Raises
    ------
    ConfigError
        If the folder is missing or holds no recording.
    RecordingError
        If an entry of the folder cannot be read as a recording.
    """
    recordings = [
        session.recording
        for cohort in config.simulated
        for session in simulate_cohort(**cohort)
    ]
    if config.folder:
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
        recordings += [read_recording(entry, drop_unusable=True) for entry in entries]
    return recordings


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
        self.traces = [t for t, keep in zip(prepared, usable, strict=True) if keep]
        self.n_training = [n for n, keep in zip(n_training, usable, strict=True) if keep]

    def training_window(self, rng: np.random.Generator, n_neurons: int) -> np.ndarray:
        """Draw a window of up to `n_neurons` neurons of one recording, (neurons, frames)."""
        number = int(rng.integers(len(self.traces)))
        first = int(rng.integers(self.n_training[number] - self.config.max_frames + 1))
        return self._window(number, first, rng, n_neurons)

    def validation_windows(
        self, n_per_recording: int, n_neurons: int, *, seed: int
    ) -> list[np.ndarray]:
        """Draw fixed windows whose horizons lie in the validation parts."""
        rng = np.random.default_rng(seed)
        found = []
        for number, traces in enumerate(self.traces):
            earliest = self.n_training[number] - self.config.context_frames
            latest = traces.shape[1] - self.config.max_frames
            if latest >= earliest:
                for first in np.linspace(earliest, latest, n_per_recording).astype(int):
                    found.append(self._window(number, int(first), rng, n_neurons))
        return found

    def _window(
        self, number: int, first: int, rng: np.random.Generator, n_neurons: int
    ) -> np.ndarray:
        traces = self.traces[number]
        neurons = rng.choice(len(traces), min(n_neurons, len(traces)), replace=False)
        chosen = traces[neurons, : first + self.config.max_frames]
        history = chosen[:, : first + self.config.context_frames]
        normalisation = normalisation_from(
            history, self.config.context_frames, self.config.centre
        )
        return normalisation.apply(chosen[:, first:]).astype(np.float32)


def _prepare(recording: Recording, config: PreprocessingConfig) -> np.ndarray:
    """Traces at the rate and smoothness of the model."""
    rate_hz = model_rate_hz(recording.frame_rate_hz, config.frame_rate_range_hz)
    resampling = resampling_matrix(
        recording.n_frames, recording.frame_rate_hz, rate_hz, end_aligned=False
    )
    traces: np.ndarray = (resampling @ recording.traces.T).T
    return smooth_causally(traces, config.smoothing_alpha)
