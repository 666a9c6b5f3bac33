"""With whom a neuron moves: coupling profiles of hidden states, of all time and of halves."""

import numpy as np
from scipy.ndimage import uniform_filter1d
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler, normalize

from ..core.errors import CalmError
from ..core.progress import Progress, Steps

# Stretches of time that are dealt into halves.
BLOCKS = 20
# Axes of the hidden states that are kept; more of them hold noise.
STATE_AXES = 16
# Partners that a neuron is compared with in large populations.
MOST_PARTNERS = 512


def coupling_products_steps(
    states: np.ndarray, *, window: int | None = None, seed: int = 0
) -> Steps["Products"]:
    """Products of all neurons' states in each block of time.

    1. Each neuron's states, less their mean over time, are scaled to unit power and turned
       to the `STATE_AXES` shared axes of largest variance.
    2. The population's mean state at each time is taken off: what all neurons share
       (arousal, movement of the tissue) says nothing about any one's function.
    3. Products with the partners are summed over each of `BLOCKS` stretches of time.

    With a `window` it is each neuron's own running mean that is taken off, in place of its mean
    over all time and of the population's mean: slow drift goes, what neurons do together stays.

    Parameters
    ----------
    states : numpy.ndarray, (neurons, times, width)
        Hidden states, or traces with a width of 1.
    window : int, optional
        Times of the running mean, centred.
    seed : int
        Draws the partners where there are more than `MOST_PARTNERS` neurons.

    Raises
    ------
    CalmError
        If there are fewer than 4 neurons or `BLOCKS` times, or a neuron's states are constant.
    """
    n_neurons, n_times, width = states.shape
    if n_neurons < 4 or n_times < BLOCKS:
        raise CalmError(
            f"coupling: found {n_neurons} neurons and {n_times} times; expected at least 4 "
            f"neurons and {BLOCKS} times."
        )
    rotation = main_axes(states)
    moving = np.empty((n_neurons, n_times, rotation.shape[1]), np.float32)
    chunk = max(1, 4_000_000 // (n_times * width))
    for start in range(0, n_neurons, chunk):
        part = states[start : start + chunk]
        if window is None:
            part = part - part.mean(axis=1, keepdims=True)
        else:
            part = part - uniform_filter1d(part, window, axis=1)
        power = np.sqrt((part**2).mean(axis=(1, 2)))
        if (power < 1e-9).any():
            neuron = start + int(np.argmin(power))
            raise CalmError(
                f"coupling: the states of neuron {neuron} never change. Leave out neurons "
                "with constant traces."
            )
        moving[start : start + chunk] = (part / power[:, None, None]) @ rotation
        yield Progress(start // 2, n_neurons, "Comparing neurons")
    if window is None:
        moving -= moving.mean(axis=0)
    rng = np.random.default_rng(seed)
    partners = np.arange(n_neurons)
    if n_neurons > MOST_PARTNERS:
        partners = np.sort(rng.choice(n_neurons, MOST_PARTNERS, replace=False))
    edges = np.linspace(0, n_times, BLOCKS + 1).astype(int)
    pairs = np.empty((BLOCKS, n_neurons, partners.size), np.float32)
    sums = np.empty((BLOCKS, n_neurons, moving.shape[2]), np.float32)
    powers = np.empty((BLOCKS, n_neurons), np.float32)
    for block in range(BLOCKS):
        part = moving[:, edges[block] : edges[block + 1]]
        flat = part.reshape(n_neurons, -1)
        pairs[block] = flat @ flat[partners].T
        sums[block] = part.sum(axis=1)
        powers[block] = (flat**2).sum(axis=1)
        yield Progress(BLOCKS + block, 2 * BLOCKS, "Comparing neurons")
    return Products(pairs, sums, powers, np.diff(edges), partners)


class Products:
    """Sums over blocks of time from which correlations over any of them follow.

    Parameters
    ----------
    pairs : numpy.ndarray, (blocks, neurons, partners)
    sums : numpy.ndarray, (blocks, neurons, width)
    powers : numpy.ndarray, (blocks, neurons)
    times : numpy.ndarray of int, (blocks,)
    partners : numpy.ndarray of int, (partners,)
        Neurons that all are compared with.
    """

    def __init__(
        self,
        pairs: np.ndarray,
        sums: np.ndarray,
        powers: np.ndarray,
        times: np.ndarray,
        partners: np.ndarray,
    ) -> None:
        self.pairs, self.sums, self.powers = pairs, sums, powers
        self.times, self.partners = times, partners

    def correlations(self, blocks: np.ndarray | None = None) -> np.ndarray:
        """Correlation of the state courses over `blocks` (all if not given).

        Returns
        -------
        numpy.ndarray, (neurons, partners)
            NaN where a neuron meets itself.
        """
        chosen = slice(None) if blocks is None else blocks
        n_times = self.times[chosen].sum()
        mean = self.sums[chosen].sum(axis=0) / n_times
        cross = self.pairs[chosen].sum(axis=0) - n_times * (mean @ mean[self.partners].T)
        power = self.powers[chosen].sum(axis=0) - n_times * (mean**2).sum(axis=1)
        size = np.sqrt(np.maximum(power, 1e-12))
        found: np.ndarray = cross / (size[:, None] * size[self.partners])
        found[self.partners, np.arange(self.partners.size)] = np.nan
        return found


def coupling_vectors(
    correlations: np.ndarray,
    *,
    signed: bool = False,
    n_components: int = 8,
    seed: int = 0,
) -> np.ndarray:
    """One unit vector a neuron from how strongly it is coupled to the others.

    The correlations, or their sizes, are z-scored over neurons, reduced by PCA, and scaled to
    length 1. Of sizes, neurons that prefer opposite sides of the same thing come together; of
    signed ones, neurons that are active together.

    Returns
    -------
    numpy.ndarray, (neurons, components)
    """
    profile = correlations if signed else np.abs(correlations)
    profile = np.where(np.isnan(profile), np.nanmean(profile, axis=0), profile)
    profile = StandardScaler().fit_transform(profile)
    n_components = min(n_components, *(side - 1 for side in profile.shape))
    reduced = PCA(n_components, random_state=seed).fit_transform(profile)
    unit: np.ndarray = normalize(reduced)
    return unit


def halves_of_time(resamplings: int, seed: int) -> np.ndarray:
    """Blocks of the two halves of each resampling, (resamplings, 2, `BLOCKS` / 2)."""
    rng = np.random.default_rng(seed)
    dealt = [rng.permutation(BLOCKS).reshape(2, -1) for _ in range(resamplings)]
    return np.array(dealt).reshape(resamplings, 2, BLOCKS // 2)


def main_axes(states: np.ndarray) -> np.ndarray:
    """Shared axes of largest variance within neurons, (width, axes)."""
    width = states.shape[2]
    covariance = np.zeros((width, width))
    for neuron in states[:: max(1, len(states) // 200)]:
        covariance += np.cov(neuron, rowvar=False, dtype=np.float64).reshape(width, width)
    _, axes = np.linalg.eigh(covariance)
    return axes[:, ::-1][:, :STATE_AXES].astype(np.float32)
