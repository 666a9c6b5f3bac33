"""A recording as the networks among the heads see it: every neuron at every frame."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import skew
from sklearn.decomposition import PCA
from torch import Tensor

from ..preprocess.normalise import normalisation_from
from ..preprocess.portrait import LAGS_FRAMES, portrait_of
from ..preprocess.smooth import smooth_causally
from .states import FrameStates
from .views import TraceUnits

# Slower changes are taken for drift.
TREND_S = 8.0
# The traces, and how they were over the last moments.
SMOOTHING_ALPHAS = (1.0, 0.5, 0.2, 0.08)
N_LOADINGS = 5
# Changes over so many frames tell which way up a component is.
CHANGE_LAGS = (1, 2, 4, 8)
_N_DESCRIBED = len(LAGS_FRAMES) + 2
N_PORTRAIT = N_LOADINGS + _N_DESCRIBED + 1


@dataclass(frozen=True, eq=False)
class NeuronFrames:
    """Hidden states, recent activity and a portrait of every neuron.

    Parameters
    ----------
    hidden : Tensor of float16, (frames, neurons, width)
    recent : Tensor of float32, (frames, neurons, len(SMOOTHING_ALPHAS))
        Traces around their mean over the last `TREND_S` seconds, smoothed causally.
    portrait : Tensor of float32, (neurons, N_PORTRAIT)
        First the neuron's loadings on the population's principal components, then how it
        behaves: autocorrelation, skewness, kurtosis, skewness of its changes.
    statistics_frames : numpy.ndarray of int
        Frames that tell how neurons and population usually are.
    """

    hidden: Tensor
    recent: Tensor
    portrait: Tensor
    statistics_frames: np.ndarray

    @classmethod
    def of(
        cls, states: FrameStates, traces: np.ndarray, statistics_frames: np.ndarray
    ) -> "NeuronFrames":
        """Put a recording together.

        Parameters
        ----------
        traces : numpy.ndarray, (frames, neurons)
            dF/F.
        statistics_frames : numpy.ndarray of int
            Frames that tell how a neuron usually is.
        """
        values = TraceUnits.of(traces[statistics_frames]).apply(traces)
        n_trend = max(2, round(TREND_S * states.frame_rate_hz))
        centred = values - _trailing_mean(values, n_trend)
        size = centred[statistics_frames].std(axis=0)
        centred = (centred / np.where(size > 1e-6, size, 1.0)).astype(np.float32)
        recent = np.stack(
            [smooth_causally(centred.T, alpha).T for alpha in SMOOTHING_ALPHAS], axis=-1
        )
        deviation = recent[statistics_frames].std(axis=(0, 1))
        recent = recent / np.where(deviation > 1e-6, deviation, 1.0)
        history = np.ascontiguousarray(centred[statistics_frames])
        return cls(
            torch.as_tensor(states.hidden),
            torch.as_tensor(recent.astype(np.float32)),
            torch.as_tensor(_portrait(history, states.frame_rate_hz)),
            statistics_frames,
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.hidden.shape[1])

    @property
    def width(self) -> int:
        """Length of a neuron's hidden state."""
        return int(self.hidden.shape[2])

    def states(self, frames: Tensor, taps: int) -> Tensor:
        """Hidden states of the frames up to each of some frames, the newest last.

        Returns
        -------
        Tensor, (frames, taps, neurons, width)
        """
        seen = (frames[:, None] - torch.arange(taps - 1, -1, -1)).clamp(min=0)
        return self.hidden[seen].float()


def _trailing_mean(values: np.ndarray, n_frames: int) -> np.ndarray:
    """Mean of each frame and those before it, `n_frames` together, (frames, neurons)."""
    padded = np.concatenate([np.repeat(values[:1], n_frames, axis=0), values])
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    mean: np.ndarray = (sums[n_frames:] - sums[:-n_frames]) / n_frames
    return mean


def _portrait(history: np.ndarray, frame_rate_hz: float) -> np.ndarray:
    """Describe each neuron by its frames (frames, neurons), (neurons, N_PORTRAIT).

    A component's sign means nothing by itself. It is turned so that its changes are skewed
    upwards: activity that rises at once and fades slowly is told from its mirror image, in
    every animal in the same way.
    """
    n_frames, n_neurons = history.shape
    loadings = np.zeros((n_neurons, N_LOADINGS))
    n_components = min(N_LOADINGS, n_frames - 1, n_neurons)
    pca = PCA(n_components, random_state=0).fit(history)
    course = pca.transform(history)
    leaning = sum(
        skew(course[lag:] - course[:-lag], axis=0) for lag in CHANGE_LAGS if lag < n_frames - 2
    )
    sign = np.where(np.asarray(leaning) < 0, -1.0, 1.0)
    loadings[:, :n_components] = pca.components_.T * sign * np.sqrt(n_neurons)
    traces = np.ascontiguousarray(history.T)
    normalisation = normalisation_from(traces, traces, "history")
    described = portrait_of(traces, traces, normalisation, frame_rate_hz).neurons
    columns = np.concatenate(
        [described[:, :_N_DESCRIBED], skew(np.diff(traces, axis=1), axis=1)[:, None]], axis=1
    )
    # What counts is how a neuron differs from the others of its recording.
    size = columns.std(axis=0)
    columns = (columns - columns.mean(axis=0)) / np.where(size > 1e-6, size, 1.0)
    found = np.concatenate([loadings, np.nan_to_num(columns)], axis=1)
    limited: np.ndarray = np.clip(found, -10, 10).astype(np.float32)
    return limited
