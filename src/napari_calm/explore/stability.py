"""How many groups come back in other halves of the data, and how surely each neuron does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score

from ..core.progress import Progress, Steps
from .neuron_embedding import NeuronEmbedding
from .partition import COUNTED, partition

NOT_THERE = -2
NEURON_SHARE = 0.8
# Agreement from which on a split in two is believed to be all there is.
PLAIN_SPLIT = 0.95


@dataclass(frozen=True, eq=False)
class Stability:
    """Agreement of partitions of resampled data.

    Parameters
    ----------
    settings : numpy.ndarray, (settings,)
    agreement : numpy.ndarray, (settings, resamplings)
        Adjusted Rand index between the two partitions of each resampling.
    partitions : tuple of numpy.ndarray, each (2 * resamplings, neurons)
        The partitions of each setting; -2 where a neuron was not in it.
    """

    settings: np.ndarray
    agreement: np.ndarray
    partitions: tuple[np.ndarray, ...]

    @property
    def mean(self) -> np.ndarray:
        """Mean agreement of each setting."""
        found: np.ndarray = self.agreement.mean(axis=1)
        return found

    @property
    def error(self) -> np.ndarray:
        """Standard deviation over the resamplings of each setting's agreement."""
        found: np.ndarray = self.agreement.std(axis=1)
        return found


def stability_steps(
    embedding: NeuronEmbedding,
    method: str,
    settings: Sequence[float],
    *,
    resamplings: int = 20,
    seed: int = 0,
) -> Steps[Stability]:
    """Part resampled data with every setting and compare.

    Where the embedding holds halves of the recording's time, the two halves of each
    resampling are parted independently. Else two random 80 % of the neurons are, and compared
    on those in both, which says less: the vectors themselves are the same in both.
    """
    pairs = _pairs(embedding, resamplings, seed)
    agreement = np.zeros((len(settings), len(pairs)))
    partitions = []
    for row, setting in enumerate(settings):
        made = []
        for number, pair in enumerate(pairs):
            groups = []
            for vectors, members in pair:
                labels = np.full(embedding.n_neurons, NOT_THERE)
                labels[members] = partition(
                    vectors, method, min(setting, len(members)), restarts=3, seed=seed
                )
                groups.append(labels)
            both = (groups[0] != NOT_THERE) & (groups[1] != NOT_THERE)
            agreement[row, number] = _agreement(groups[0][both], groups[1][both])
            made += groups
            yield Progress(
                row * len(pairs) + number + 1, len(settings) * len(pairs), "Number of clusters"
            )
        partitions.append(np.array(made))
    return Stability(np.asarray(settings, float), agreement, tuple(partitions))


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    # Two partitions into one group agree perfectly and say nothing.
    if np.unique(first).size < 2 or np.unique(second).size < 2:
        return 0.0
    return float(adjusted_rand_score(first, second))


def _pairs(
    embedding: NeuronEmbedding, resamplings: int, seed: int
) -> list[tuple[tuple[np.ndarray, np.ndarray], ...]]:
    every = np.arange(embedding.n_neurons)
    if len(embedding.halves):
        return [
            ((first, every), (second, every))
            for first, second in embedding.halves[:resamplings]
        ]
    rng = np.random.default_rng(seed)
    size = max(2, round(NEURON_SHARE * embedding.n_neurons))
    drawn = [
        [np.sort(rng.choice(every, size, replace=False)) for _ in range(2)]
        for _ in range(resamplings)
    ]
    return [tuple((embedding.vectors[members], members) for members in pair) for pair in drawn]


def proposed_setting(stability: Stability, method: str) -> float:
    """Return the setting whose partitions agree best.

    A first split in two comes back nearly always, whatever finer structure lies below it, so
    two clusters are taken only if they come back nearly perfectly (0.95) or nothing else was
    compared.
    """
    mean = stability.mean.copy()
    two = stability.settings == 2
    if method in COUNTED and not two.all() and two.any():
        if mean[two][0] >= PLAIN_SPLIT:
            return 2.0
        mean[two] = -np.inf
    return float(stability.settings[int(mean.argmax())])


def null_stability_steps(
    embedding: NeuronEmbedding,
    method: str,
    setting: float,
    *,
    resamplings: int = 20,
    seed: int = 0,
) -> Steps[float]:
    """Mean agreement for neurons of one cloud that are as reliable as these.

    Both halves of as many neurons are drawn together from one normal distribution with the
    mean and covariance of the real pairs of vectors, and brought to their lengths.

    Returns
    -------
    float
        NaN for embeddings without halves.
    """
    agreements = []
    rng = np.random.default_rng(seed)
    halves = embedding.halves[:resamplings].astype(np.float64)
    for number, (first, second) in enumerate(halves):
        pair = np.concatenate([first, second], axis=1)
        drawn = rng.multivariate_normal(
            pair.mean(axis=0), np.cov(pair, rowvar=False), len(pair), method="eigh"
        )
        groups = [
            partition(_with_lengths_of(vectors, real), method, setting, restarts=3, seed=seed)
            for vectors, real in zip(np.hsplit(drawn, 2), (first, second), strict=True)
        ]
        agreements.append(_agreement(groups[0], groups[1]))
        yield Progress(number + 1, len(halves), "What chance would agree to")
    return float(np.mean(agreements)) if agreements else float("nan")


def _with_lengths_of(vectors: np.ndarray, real: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(real, axis=1)
    if lengths.std() > 1e-3 * lengths.mean():
        return vectors
    # Vectors of one length lie on a sphere; a cloud of them does too.
    own = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors * lengths.mean() / np.maximum(own, 1e-12)
    return scaled
