"""What the model says about the frames after a start frame."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from .errors import CalmError
from .token_map import checked_roi_labels

if TYPE_CHECKING:
    from .recording import Recording


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """Mean, quantiles and samples of the frames from `start_frame` on.

    Parameters
    ----------
    mean : numpy.ndarray, (neurons, horizon_frames)
        Expected trace in dF/F, on the recording's own time base. All NaN, here and in the
        other arrays, for a neuron that was left out.
    quantiles : numpy.ndarray, (levels, neurons, horizon_frames)
        dF/F; level i is ``quantile_levels[i]``.
    quantile_levels : numpy.ndarray, (levels,)
        Rising, between 0 and 1.
    samples : numpy.ndarray, (samples, neurons, horizon_frames)
        Joint trajectories in dF/F. One row, the greedy one, if the forecast was asked
        for with ``samples=0``.
    start_frame : int
        First forecast frame; nothing from this frame on was seen.
    frame_rate_hz : float
        Frames a second of the recording.
    centre, scale : numpy.ndarray, (neurons,)
        dF/F = centre + scale * normalised; statistics of frames before the start only.
    smoothing_alpha : float
        1 if the forecast is of the trace itself; below 1 it is of the trace after the
        causal smoothing s[t] = alpha x[t] + (1 - alpha) s[t-1] of the checkpoint, with
        alpha as it is at the recording's own frame rate.
    model_name, seed : str, int
        What made it.
    roi_labels : numpy.ndarray of int, (neurons,), optional
        Number of each neuron's ROI in its source; 0, 1, 2 ... if not given.

    Raises
    ------
    CalmError
        If shapes do not fit or a value is not finite.
    """

    mean: np.ndarray
    quantiles: np.ndarray
    quantile_levels: np.ndarray
    samples: np.ndarray
    start_frame: int
    frame_rate_hz: float
    centre: np.ndarray
    scale: np.ndarray
    smoothing_alpha: float = 1.0
    model_name: str = ""
    seed: int = 0
    roi_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        for name in ("mean", "quantiles", "quantile_levels", "samples", "centre", "scale"):
            value = np.asarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, value)
        if self.mean.ndim != 2:
            raise CalmError(
                f"forecast: mean has shape {self.mean.shape}; expected (neurons, frames)."
            )
        expected = {
            "quantiles": (self.quantile_levels.size, *self.mean.shape),
            "samples": (self.samples.shape[0], *self.mean.shape),
            "centre": self.mean.shape[:1],
            "scale": self.mean.shape[:1],
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise CalmError(
                    f"forecast: {name} has shape {getattr(self, name).shape}; expected {shape}."
                )
        known = self.known
        whole = {
            "mean": self.mean[known],
            "quantiles": self.quantiles[:, known],
            "quantile_levels": self.quantile_levels,
            "samples": self.samples[:, known],
            "centre": self.centre[known],
            "scale": self.scale[known],
        }
        for name, value in whole.items():
            left_out = getattr(self, name)[~known] if name == "mean" else np.empty(0)
            if not (known.any() and np.isfinite(value).all() and np.isnan(left_out).all()):
                raise CalmError(f"forecast: {name} holds values that are not finite.")
        if self.start_frame < 0 or self.frame_rate_hz <= 0:
            raise CalmError("forecast: start frame and frame rate must not be negative.")
        labels = checked_roi_labels(self.roi_labels, self.n_neurons, what="forecast")
        object.__setattr__(self, "roi_labels", labels)

    def __repr__(self) -> str:
        return (
            f"Forecast({self.n_neurons} neurons x {self.horizon_frames} frames from frame "
            f"{self.start_frame} on, {len(self.samples)} samples of {self.model_name!r})"
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.mean.shape[0])

    @property
    def known(self) -> np.ndarray:
        """Which neurons have a forecast, (neurons,) of bool; the others were left out."""
        known: np.ndarray = ~np.isnan(self.centre)
        return known

    def among(self, recording: "Recording", neurons: np.ndarray) -> "Forecast":
        """Return the same for all neurons of a recording, of which these are `neurons`.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray
            Where in it each neuron of this forecast is; indices, or one truth value a neuron.
        """

        def spread(values: np.ndarray, axis: int) -> np.ndarray:
            shape = list(values.shape)
            shape[axis] = recording.n_neurons
            wide = np.full(shape, np.nan, np.float32)
            wide[(slice(None),) * axis + (neurons,)] = values
            return wide

        return replace(
            self,
            mean=spread(self.mean, 0),
            quantiles=spread(self.quantiles, 1),
            samples=spread(self.samples, 1),
            centre=spread(self.centre, 0),
            scale=spread(self.scale, 0),
            roi_labels=recording.roi_labels,
        )

    @property
    def horizon_frames(self) -> int:
        """Number of forecast frames."""
        return int(self.mean.shape[1])

    @property
    def start_s(self) -> float:
        """Time of the first forecast frame in seconds."""
        return self.start_frame / self.frame_rate_hz

    def normalised(self, values: np.ndarray) -> np.ndarray:
        """Express dF/F `values` (..., neurons, frames) in the model's units."""
        units: np.ndarray = (values - self.centre[:, None]) / self.scale[:, None]
        return units

    @property
    def mean_normalised(self) -> np.ndarray:
        """The mean in normalised units, (neurons, horizon_frames)."""
        return self.normalised(self.mean)

    @property
    def quantiles_normalised(self) -> np.ndarray:
        """The quantiles in normalised units, (levels, neurons, horizon_frames)."""
        return self.normalised(self.quantiles)

    @property
    def samples_normalised(self) -> np.ndarray:
        """The samples in normalised units, (samples, neurons, horizon_frames)."""
        return self.normalised(self.samples)
