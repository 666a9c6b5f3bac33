"""What decoders look at, in units that the training samples of a fold alone decide."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from sklearn.decomposition import PCA

from .samples import Samples
from .states import Coordinates

# Beyond the quantiles by more than their distance lie artefacts, not activity.
CLIP_QUANTILES = (0.01, 0.99)
N_TRACE_COMPONENTS = 32
N_STATE_COMPONENTS = 128
N_PRODUCT_COMPONENTS = 8
PRODUCT_LAGS = (0, 1, 2)
LARGEST_COMPONENT = 4.0
# Neighbouring frames tell the same story: more of them move no principal component.
MOST_FRAMES_FOR_COMPONENTS = 1500


@dataclass(frozen=True, eq=False)
class Inputs:
    """One recording, frame by frame.

    Parameters
    ----------
    traces : numpy.ndarray, (frames, neurons)
        dF/F.
    coordinates : Coordinates, optional
        Of a model's hidden states.
    """

    traces: np.ndarray
    coordinates: Coordinates | None = None


@dataclass(frozen=True, eq=False)
class TraceUnits:
    """Bounds, mean and deviation of each neuron's dF/F, (neurons,) each.

    units = (clipped dF/F - mean) / deviation
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, traces: np.ndarray) -> "TraceUnits":
        """Find the units in training frames (frames, neurons)."""
        low, high = np.quantile(traces, CLIP_QUANTILES, axis=0)
        room = high - low
        # A neuron that is silent but for a few events has no room, and no artefacts either.
        low = np.where(room > 0, low - room, traces.min(axis=0))
        high = np.where(room > 0, high + room, traces.max(axis=0))
        clipped = np.clip(traces, low, high)
        deviation = clipped.std(axis=0)
        return cls(low, high, clipped.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def apply(self, traces: np.ndarray) -> np.ndarray:
        """Traces (frames, neurons) in these units."""
        units: np.ndarray = (np.clip(traces, self.low, self.high) - self.mean) / self.deviation
        return units


@dataclass(frozen=True, eq=False)
class Series:
    """Numbers on every frame: ``values = (source - centre) @ back``.

    Parameters
    ----------
    values : numpy.ndarray, (frames, channels)
    centre : numpy.ndarray, (source channels,)
    back : numpy.ndarray, (source channels, channels), optional
        The identity if not given.
    """

    values: np.ndarray
    centre: np.ndarray
    back: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Views:
    """A recording as decoders see it that are fitted to some of its samples.

    Scales, clipping and principal components come from the training frames only.
    """

    inputs: Inputs
    training_frames: np.ndarray
    seed: int = 0
    _states: dict[float, Series] = field(default_factory=dict)

    @cached_property
    def units(self) -> TraceUnits:
        """Units of the traces."""
        return TraceUnits.of(self.inputs.traces[self.training_frames])

    @cached_property
    def traces(self) -> Series:
        """Clipped, standardised traces."""
        values = self.units.apply(self.inputs.traces)
        return Series(values, np.zeros(values.shape[1]))

    @cached_property
    def trace_components(self) -> Series:
        """The largest principal components of the traces."""
        return self._components(self.traces.values, N_TRACE_COMPONENTS)

    @cached_property
    def product_components(self) -> Series:
        """The few components whose products are taken, each of unit variance."""
        components = self.trace_components
        assert components.back is not None
        values = components.values[:, :N_PRODUCT_COMPONENTS]
        size = values[self.training_frames].std(axis=0)
        size = np.where(size > 0, size, 1.0)
        return Series(
            values / size, components.centre, components.back[:, :N_PRODUCT_COMPONENTS] / size
        )

    def state_components(self, evenness: float) -> Series:
        """The largest principal components of the hidden states.

        Parameters
        ----------
        evenness : float
            0 leaves the components as large as they are; 1 makes all equally large.
        """
        if 0.0 not in self._states:
            assert self.inputs.coordinates is not None
            self._states[0.0] = self._components(
                self.inputs.coordinates.values, N_STATE_COMPONENTS
            )
        plain = self._states[0.0]
        if evenness not in self._states:
            assert plain.back is not None
            size = plain.values[self.training_frames].std(axis=0)
            divisor = np.maximum(size, 1e-6 * size.max()) ** evenness
            self._states[evenness] = Series(
                plain.values / divisor, plain.centre, plain.back / divisor
            )
        return self._states[evenness]

    def _components(self, source: np.ndarray, most: int) -> Series:
        frames = self.training_frames
        if frames.size > MOST_FRAMES_FOR_COMPONENTS:
            every = np.linspace(0, frames.size - 1, MOST_FRAMES_FOR_COMPONENTS).astype(int)
            frames = frames[every]
        rows = source[frames]
        n_components = min(most, rows.shape[0] - 1, rows.shape[1])
        few = n_components < 0.8 * min(rows.shape)
        pca = PCA(
            n_components,
            svd_solver="randomized" if few else "full",
            iterated_power=3,
            random_state=self.seed,
        ).fit(rows)
        back = np.asarray(pca.components_.T, np.float64)
        centre = np.asarray(pca.mean_, np.float64)
        return Series((source - centre) @ back, centre, back)


def products_of(components: np.ndarray) -> np.ndarray:
    """Products of each two components, now with now and with the frames just before.

    What changes with the sign of a rotation, as the turns of a heading signal, is in no sum
    of traces, but is in such products.

    Parameters
    ----------
    components : numpy.ndarray, (frames, components)
        Of about unit variance; larger values than `LARGEST_COMPONENT` are clipped.

    Returns
    -------
    numpy.ndarray, (frames, products)
    """
    clipped = np.clip(components, -LARGEST_COMPONENT, LARGEST_COMPONENT)
    n_frames, n_components = clipped.shape
    found = []
    for lag in PRODUCT_LAGS:
        before = clipped[np.maximum(np.arange(n_frames) - lag, 0)]
        products = clipped[:, :, None] * before[:, None, :]
        if lag == 0:
            found.append(products[:, *np.triu_indices(n_components)])
        else:
            found.append(products.reshape(n_frames, -1))
    return np.concatenate(found, axis=1)


def windowed(values: np.ndarray, samples: Samples, window: tuple[int, ...]) -> np.ndarray:
    """What samples see of a series in their window.

    Parameters
    ----------
    values : numpy.ndarray, (frames, channels)
    window : tuple of int
        For frames, the lags that are looked at; for trials, that many means over equal parts
        of the trial.

    Returns
    -------
    numpy.ndarray, (samples, window, channels)
    """
    if samples.per == "frame":
        frames = np.maximum(samples.start_frame[:, None] - np.asarray(window), 0)
        seen: np.ndarray = values[frames]
        return seen
    sums = np.cumsum(values, axis=0, dtype=np.float64)
    sums = np.concatenate([np.zeros((1, values.shape[1])), sums])
    share = np.arange(len(window) + 1) / len(window)
    length = samples.stop_frame - samples.start_frame
    limits = samples.start_frame[:, None] + np.round(share * length[:, None]).astype(int)
    first = np.minimum(limits[:, :-1], samples.stop_frame[:, None] - 1)
    last = np.maximum(limits[:, 1:], first + 1)
    means = (sums[last] - sums[first]) / (last - first)[:, :, None]
    return np.asarray(means, values.dtype)
