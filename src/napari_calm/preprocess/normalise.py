"""Centre and scale from frames that the model may know."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

# A neuron that was silent so far gets this share of the population's typical scale, so
# that its first transient does not become a value the model has never seen.
SCALE_FLOOR = 0.05


@dataclass(frozen=True)
class Normalisation:
    """normalised = (dF/F - centre) / scale, one pair a neuron."""

    centre: np.ndarray
    scale: np.ndarray

    def apply(self, traces: np.ndarray) -> np.ndarray:
        """Normalise traces (neurons, frames)."""
        units: np.ndarray = (traces - self.centre[:, None]) / self.scale[:, None]
        return units

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Bring normalised values (..., neurons, frames) back to dF/F."""
        traces: np.ndarray = values * self.scale[:, None] + self.centre[:, None]
        return traces


def normalisation_from(
    history: np.ndarray, context: np.ndarray, centre: Literal["context", "history"]
) -> Normalisation:
    """Statistics of what lies before the start, and of nothing else.

    Parameters
    ----------
    history : numpy.ndarray, (neurons, frames)
        All frames that may be known, smoothed as the model wants them.
    context : numpy.ndarray, (neurons, context frames)
        The frames just before the start, which the model looks at.
    centre : {"context", "history"}
        Which frames' mean is taken off: recordings drift, so that of the context serves
        better than that of the past hour. The scale is the larger of the two deviations: a
        context may hold no transient, or the first one ever.
    """
    part = context if centre == "context" else history
    deviation = np.maximum(
        history.std(axis=1, dtype=np.float64), context.std(axis=1, dtype=np.float64)
    )
    varying = deviation[deviation > 0]
    typical = float(np.median(varying)) if varying.size else 1.0
    return Normalisation(
        centre=part.mean(axis=1, dtype=np.float64).astype(np.float32),
        scale=np.maximum(deviation, SCALE_FLOOR * typical).astype(np.float32),
    )
