"""From firing rates to what the microscope sees: spikes, indicator, drift and noise."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.signal import lfilter

from ..core.errors import CalmError


@dataclass(frozen=True)
class Indicator:
    """A calcium indicator, described by its answer to one action potential.

    Parameters
    ----------
    name : str
        What it is called.
    time_to_peak_s, half_decay_s : float
        Seconds from the spike to the peak, and from the peak to half of it.
    peak_dff : float
        dF/F at the peak.

    Raises
    ------
    CalmError
        If no difference of two exponentials has that rise and decay.
    """

    name: str
    time_to_peak_s: float
    half_decay_s: float
    peak_dff: float

    def __post_init__(self) -> None:
        # The slowest rise for its decay is t * exp(-t), which takes 1.678 peak times to halve.
        if not (self.time_to_peak_s > 0 and self.half_decay_s > 1.68 * self.time_to_peak_s):
            raise CalmError(
                f"indicator {self.name}: a peak after {self.time_to_peak_s:g} s and a half "
                f"decay of {self.half_decay_s:g} s do not fit a rise and a decay. Expected a "
                "peak time above 0 and a half decay of at least 1.68 peak times."
            )

    @cached_property
    def time_constants_s(self) -> tuple[float, float]:
        """Time constants of rise and decay in seconds, solved for from peak and half decay."""

        def constants(ratio: float) -> tuple[float, float]:
            decay = self.time_to_peak_s * (1 - ratio) / (ratio * -np.log(ratio))
            return ratio * decay, decay

        def half_decay_error(ratio: float) -> float:
            rise, decay = constants(ratio)
            time = np.array([self.time_to_peak_s, self.time_to_peak_s + self.half_decay_s])
            peak, later = np.exp(-time / decay) - np.exp(-time / rise)
            return float(later / peak - 0.5)

        return constants(brentq(half_decay_error, 1e-9, 1 - 1e-6))

    def kernel(self, time_s: np.ndarray) -> np.ndarray:
        """DF/F at `time_s` seconds after one spike; 0 before it."""
        rise, decay = self.time_constants_s
        after = np.maximum(time_s, 0)
        dff: np.ndarray = self._scale * (np.exp(-after / decay) - np.exp(-after / rise))
        return dff

    @cached_property
    def _scale(self) -> float:
        rise, decay = self.time_constants_s
        peak = np.exp(-self.time_to_peak_s / decay) - np.exp(-self.time_to_peak_s / rise)
        return float(self.peak_dff / peak)


# Single action potentials in mouse visual cortex in vivo: Chen et al., "Ultrasensitive
# fluorescent proteins for imaging neuronal activity", Nature 499, 295-300 (2013),
# supplementary table 3.
INDICATORS = {
    "gcamp6s": Indicator("GCaMP6s", time_to_peak_s=0.179, half_decay_s=0.550, peak_dff=0.23),
    "gcamp6f": Indicator("GCaMP6f", time_to_peak_s=0.045, half_decay_s=0.142, peak_dff=0.19),
}


def find_indicator(indicator: str | Indicator) -> Indicator:
    """Return the indicator of that name (in any case), or the one given.

    Raises
    ------
    CalmError
        If the name is not known.
    """
    if isinstance(indicator, Indicator):
        return indicator
    try:
        return INDICATORS[indicator.lower()]
    except KeyError:
        raise CalmError(
            f"indicator: found {indicator!r}; expected one of {', '.join(INDICATORS)}, or an "
            "Indicator with your own constants."
        ) from None


def spikes_to_dff(
    spikes: np.ndarray,
    indicator: Indicator,
    *,
    frame_rate_hz: float,
    rng: np.random.Generator,
    amplitude: np.ndarray | float = 1.0,
    saturation_dff: float | None = None,
) -> np.ndarray:
    """Turn spike counts into noiseless dF/F, causally.

    A frame shows the fluorescence at its end, the moment when a scanning microscope has
    just passed. Spikes fall at random moments inside their frame and each adds the exact
    kernel from its own moment on, so slow frames see fast indicators correctly.

    Parameters
    ----------
    spikes : numpy.ndarray of int, (neurons, frames)
        Spikes in each frame.
    amplitude : numpy.ndarray, (neurons,), or float
        How strongly each neuron's indicator answers, relative to the published peak.
    saturation_dff : float, optional
        dF/F that the brightest neuron approaches; x becomes x / (1 + x / saturation).

    Returns
    -------
    numpy.ndarray, (neurons, frames)
        dF/F, float64.
    """
    n_neurons, n_frames = spikes.shape
    frame_of_spike = np.repeat(np.arange(spikes.size), spikes.ravel())
    before_end_s = rng.random(frame_of_spike.size) / frame_rate_hz
    parts = []
    for time_constant_s in indicator.time_constants_s:
        arriving = np.bincount(
            frame_of_spike, np.exp(-before_end_s / time_constant_s), minlength=spikes.size
        ).reshape(n_neurons, n_frames)
        keep = np.exp(-1 / (frame_rate_hz * time_constant_s))
        parts.append(lfilter([1.0], [1.0, -keep], arriving, axis=1))
    rise, decay = parts
    gain = indicator._scale * np.broadcast_to(amplitude, n_neurons)[:, None]
    dff: np.ndarray = gain * (decay - rise)
    if saturation_dff is not None:
        dff = dff / (1 + dff / saturation_dff)
    return dff


def slow_drift(
    rng: np.random.Generator, n_neurons: int, n_frames: int, *, frame_rate_hz: float
) -> np.ndarray:
    """Drift of focus and brightness over minutes, (neurons, frames), of unit size.

    Half of the variance is shared by all neurons, half is each neuron's own; each part
    is two slow waves with periods of 2 to 8 minutes.
    """
    time_s = np.arange(n_frames) / frame_rate_hz
    period_s = rng.uniform(120, 480, (n_neurons + 1, 2, 1))
    start = rng.uniform(0, 2 * np.pi, (n_neurons + 1, 2, 1))
    # Two sines of unit amplitude have variance 1 together.
    waves = np.sin(2 * np.pi * time_s / period_s + start).sum(axis=1)
    drift: np.ndarray = (waves[1:] + waves[0]) / np.sqrt(2)
    return drift
