"""Ridge regressions with many penalties from one decomposition."""

import numpy as np
from scipy.linalg import eigh

# In units of the design's total variance.
PENALTIES = 10.0 ** np.arange(-5.5, 1.1, 0.75)


class RidgePath:
    """Ridge regressions of one design with any penalties and outputs.

    scikit-learn's `Ridge` decomposes the design anew for every penalty; choosing a penalty
    inside every training fold would take most of the time. Its solution is the same:
    ``Ridge(alpha=penalty * n_samples)`` with these sample weights.

    Parameters
    ----------
    design : numpy.ndarray, (samples, features)
    weights : numpy.ndarray, (samples,)
        How much each sample counts; of mean 1.
    """

    def __init__(self, design: np.ndarray, weights: np.ndarray) -> None:
        self.n_samples = len(design)
        self._share = weights / weights.sum()
        self._root = np.sqrt(weights)[:, None]
        self.mean = self._share @ design
        x = (design - self.mean) * self._root
        n_samples, n_features = x.shape
        if n_features <= n_samples:
            power, self._directions = eigh(x.T @ x, driver="evd", check_finite=False)
        else:
            power, on_samples = eigh(x @ x.T, driver="evd", check_finite=False)
            kept = power > 1e-10 * max(power[-1], 1e-30)
            power = power[kept]
            self._directions = x.T @ on_samples[:, kept] / np.sqrt(power)
        self._power = np.maximum(power, 0)
        self._scores = self._directions.T @ x.T  # (directions, samples)

    def coefficients(
        self, outputs: np.ndarray, penalty: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (features, outputs) and intercepts (outputs,)."""
        middle = self._share @ outputs
        target = (outputs - middle) * self._root
        shrunk = (self._scores @ target) / (self._power + penalty * self.n_samples)[:, None]
        found = self._directions @ shrunk
        return found, middle - self.mean @ found

    def predictions(
        self, outputs: np.ndarray, test: np.ndarray, penalties: np.ndarray
    ) -> np.ndarray:
        """Predictions of other samples (test samples, features) with each of the penalties.

        Returns
        -------
        numpy.ndarray, (penalties, test samples, outputs)
        """
        middle = self._share @ outputs
        power = self._scores @ ((outputs - middle) * self._root)
        seen = (test - self.mean) @ self._directions
        shrunk = power / (self._power + penalties[:, None] * self.n_samples)[:, :, None]
        found: np.ndarray = seen @ shrunk + middle
        return found

    def turned(self, design: np.ndarray) -> np.ndarray:
        """Samples (samples, features) on the axes of the design's own directions."""
        found: np.ndarray = (design - self.mean) @ self._directions
        return found
