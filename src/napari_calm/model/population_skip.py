"""What the whole population's last frames say of the next ones, fitted to one recording."""

from dataclasses import dataclass

import numpy as np

LAGS = 4
MOST_COMPONENTS = 32
KNOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True, eq=False)
class PopulationSkip:
    """A linear map from the population's newest frames to its next, beside the head's mean.

    A head that was trained on other animals does not know who follows whom here; a ridge
    regression of this recording does. It works on the leading principal components, so its
    size does not grow with the square of the neurons.

    Parameters
    ----------
    components : numpy.ndarray, (neurons, k)
        Orthonormal.
    weights : numpy.ndarray, ((LAGS + 1) * k, knots, k)
        From the components' last frames and the context's level to their values at `KNOTS`.
    bias : numpy.ndarray, (knots, k)
    trust : numpy.ndarray, (knots,)
        0 leaves the head's mean as it is, 1 replaces it within the components.
    """

    components: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    trust: np.ndarray

    def values(self, features: np.ndarray) -> np.ndarray:
        """Components at the knots: (windows, features) to (windows, knots, k)."""
        found: np.ndarray = np.einsum("wf,fhk->whk", features, self.weights) + self.bias
        return found

    def correction(self, units: np.ndarray, level: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """What to add to the head's mean; all in units of the recording's deviation.

        Parameters
        ----------
        units : numpy.ndarray, (neurons, context_frames)
            The context in centred units.
        level : numpy.ndarray, (neurons,)
            The context's level in the portrait.
        mean : numpy.ndarray, (neurons, horizon_frames)
            The head's mean in centred units.

        Returns
        -------
        numpy.ndarray, (neurons, horizon_frames)
        """
        features = population_features(self.components, units[None], level[None])
        n_knots = sum(knot <= mean.shape[1] for knot in KNOTS)
        knots = np.array(KNOTS[:n_knots])
        at_knots = self.values(features)[0, :n_knots]
        change = self.trust[:n_knots, None] * (
            at_knots - (self.components.T @ mean).T[knots - 1]
        )
        horizon = np.arange(1, mean.shape[1] + 1)
        between = np.stack(
            [np.interp(horizon, knots, change[:, k]) for k in range(change.shape[1])]
        )
        correction: np.ndarray = self.components @ between
        return correction


def population_features(
    components: np.ndarray, units: np.ndarray, level: np.ndarray
) -> np.ndarray:
    """Components of the last frames and of the level.

    Parameters
    ----------
    components : numpy.ndarray, (neurons, k)
    units : numpy.ndarray, (windows, neurons, frames)
    level : numpy.ndarray, (windows, neurons)

    Returns
    -------
    numpy.ndarray, (windows, (LAGS + 1) * k)
    """
    newest = [units[:, :, -1 - lag] @ components for lag in range(LAGS)]
    features: np.ndarray = np.concatenate([*newest, level @ components], axis=1)
    return features
