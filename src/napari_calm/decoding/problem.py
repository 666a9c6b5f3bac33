"""One variable of one recording, ready to be decoded."""

from dataclasses import dataclass

import numpy as np

from .samples import Samples, Split
from .target import Target
from .views import Inputs


@dataclass(frozen=True, eq=False)
class Problem:
    """What every head is given.

    Parameters
    ----------
    inputs : Inputs
    samples : Samples
    target : Target
    n_inner_folds : int
        Folds inside a training set that choose its hyper-parameters.
    seed : int
    """

    inputs: Inputs
    samples: Samples
    target: Target
    n_inner_folds: int = 4
    seed: int = 0

    @property
    def everything(self) -> np.ndarray:
        """All samples, (samples,) of int."""
        return np.arange(len(self.samples))

    def truth(self, chosen: np.ndarray) -> np.ndarray:
        """Values of the target at the chosen samples."""
        values: np.ndarray = self.target.values[self.samples.number[chosen]]
        return values

    def outputs(self, chosen: np.ndarray) -> np.ndarray:
        """What a head is fitted to at the chosen samples, (chosen, outputs)."""
        return self.target.outputs(self.samples.number[chosen])

    def inner_splits(self, train: np.ndarray) -> list[Split]:
        """Deal a training set once more, to choose hyper-parameters."""
        return self.samples.deal(self.target, train, self.n_inner_folds)
