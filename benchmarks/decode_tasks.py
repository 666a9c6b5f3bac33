"""What the decoding benchmark reads: recordings with behaviour, and the variables of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from forecast_protocol import HIGHEST_RATE_HZ

from napari_calm.core.errors import RecordingError
from napari_calm.core.recording import Recording, usable_traces
from napari_calm.decoding.samples import trials_from_column
from napari_calm.io.npz import open_npz

TURN_RAD_PER_S = 0.3
ENCODER_QUANTILES = (0.005, 0.995)
POSITION_BINS = 5

# Recordings, by their number in sorted names, on which methods and settings were chosen.
CHOSEN_ON = {
    "worm": (1, 3),
    "fly": (1, 4, 8, 12, 15, 19),
    "bee": (1, 7, 12, 17),
    "mouse_position": (0, 16, 24, 32),
}
VARIABLES = {
    "worm": ("reversal", "velocity", "head_angle"),
    "fly": ("turn", "angular_velocity"),
    "mouse_position": ("position",),
    "bee": ("odour",),
}


@dataclass(frozen=True)
class Averaging:
    """How a label is brought to fewer frames: `factor` each, the first `skipped` left out."""

    factor: int
    skipped: int
    n_frames: int

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean of each group of frames."""
        return self._groups(values).astype(float).mean(axis=1)

    def last(self, values: np.ndarray) -> np.ndarray:
        """Newest value of each group of frames."""
        return self._groups(values)[:, -1]

    def _groups(self, values: np.ndarray) -> np.ndarray:
        return values[self.skipped :].reshape(self.n_frames, self.factor)


def test_files(data: Path, species: str, most: int) -> list[Path]:
    """Files of a species on which nothing was chosen, evenly spaced by name if too many.

    All recordings of an animal are left out if one of them took part in a choice.
    """
    files = sorted((data / species).glob("*.npz"))
    used = {animal_of(files[n]) for n in CHOSEN_ON[species] if n < len(files)}
    kept = [path for path in files if animal_of(path) not in used]
    return (
        [kept[n] for n in np.unique(np.linspace(0, len(kept) - 1, most).astype(int))]
        if kept
        else []
    )


def animal_of(path: Path) -> str:
    """Name of the animal: that of the file, without environment and session of the mice."""
    return path.stem.split("_env")[0]


def read_labelled(species: str, path: Path, default_rate_hz: float) -> Recording:
    """Read a recording at no more than 6.2 Hz, with its variables as behaviour columns.

    Raises
    ------
    RecordingError
        If the file lacks traces or a label.
    """
    with open_npz(path) as archive:
        try:
            traces = np.asarray(archive["traces"], np.float32)
            rate_hz = float(archive["fps"])
            rate_hz = default_rate_hz if math.isnan(rate_hz) else rate_hz
            factor = math.ceil(rate_hz / HIGHEST_RATE_HZ - 1e-6)
            n_frames = traces.shape[1] // factor
            averaging = Averaging(factor, traces.shape[1] - n_frames * factor, n_frames)
            behaviour, trials = _LABELS[species](archive, averaging)
        except KeyError as error:
            raise RecordingError(f"{path}: a decoding benchmark needs {error}.") from error
    traces = traces[usable_traces(traces)][:, averaging.skipped :]
    traces = traces.reshape(len(traces), n_frames, factor).mean(axis=2, dtype=np.float64)
    return Recording(
        traces, rate_hz / factor, path.stem, path.name, behaviour=behaviour, trials=trials
    )


Labels = tuple[pd.DataFrame, pd.DataFrame | None]


def _worm(archive: dict[str, np.ndarray], averaging: Averaging) -> Labels:
    return pd.DataFrame(
        {
            "reversal": averaging.last(archive["reversal"]).astype(int),
            "velocity": averaging.mean(archive["velocity"]),
            "head_angle": averaging.mean(archive["head_angle"]),
        }
    ), None


def _fly(archive: dict[str, np.ndarray], averaging: Averaging) -> Labels:
    turning = archive["angular_velocity"]
    turning = averaging.mean(np.clip(turning, *np.quantile(turning, ENCODER_QUANTILES)))
    turn = np.where(turning > 0, "positive", "negative")
    return pd.DataFrame(
        {
            "turn": np.where(np.abs(turning) > TURN_RAD_PER_S, turn, ""),
            "angular_velocity": turning,
        }
    ), None


def _mouse(archive: dict[str, np.ndarray], averaging: Averaging) -> Labels:
    bins = averaging.last(archive["position_bin"]).astype(int)
    bins = (bins - bins.min()) * POSITION_BINS // 20
    return pd.DataFrame({"position": np.clip(bins, 0, POSITION_BINS - 1)}), None


def _bee(archive: dict[str, np.ndarray], averaging: Averaging) -> Labels:
    odour = averaging.last(archive["odor_on"]).astype(int)
    trials = trials_from_column(pd.Series(averaging.last(archive["trial_id"])))
    return pd.DataFrame({"odour": odour}), trials


_LABELS: dict[str, Callable[..., Labels]] = {
    "worm": _worm,
    "fly": _fly,
    "mouse_position": _mouse,
    "bee": _bee,
}
