"""How well tokens say traces: the windows, the references and the scores.

Everything here sees a recording as the product does: block after block, each normalised by
what lies before it, with one context in front.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from napari_calm.core.errors import RecordingError
from napari_calm.core.recording import Recording, usable_traces
from napari_calm.model.config import PreprocessingConfig
from napari_calm.model.tokenizer import Tokenizer
from napari_calm.preprocess.normalise import normalisation_from
from napari_calm.preprocess.resample import model_rate_hz, resampling_matrix
from napari_calm.preprocess.smooth import smooth_causally

SPECIES = ("fly", "worm", "zebrafish")
HIGHEST_RATE_HZ = 6.2
RATE_WHERE_UNKNOWN_HZ = 4.0
TRAINING_SHARE = 0.7
PATCHES_PER_RECORDING = 5000
ROWS_AT_ONCE = 256

# Normalised rows (neurons, frames) to their reconstruction and, where there are any, tokens.
Method = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Animal:
    """One recording, at most `HIGHEST_RATE_HZ` fast."""

    species: str
    number: int
    recording: Recording

    @property
    def name(self) -> str:
        """Name of the recording."""
        return self.recording.name

    @property
    def training_part(self) -> Recording:
        """The first 70 % of the frames."""
        n_frames = int(TRAINING_SHARE * self.recording.n_frames)
        traces = self.recording.traces[:, :n_frames]
        return Recording(
            traces[usable_traces(traces)], self.recording.frame_rate_hz, name=self.name
        )


def read_animals(data: Path) -> list[Animal]:
    """Read all recordings of a folder with one subfolder of npz files a species.

    Raises
    ------
    RecordingError
        If there is no recording.
    """
    animals = [
        Animal(species, number, _read(file))
        for species in SPECIES
        for number, file in enumerate(sorted((data / species).glob("*.npz")))
    ]
    if not animals:
        raise RecordingError(
            f"{data}: found no npz file in {', '.join(SPECIES)}; expected a folder with such "
            "subfolders of recordings (traces, fps)."
        )
    return animals


def _read(file: Path) -> Recording:
    with np.load(file, allow_pickle=False) as archive:
        traces, rate_hz = archive["traces"], float(archive["fps"])
    rate_hz = RATE_WHERE_UNKNOWN_HZ if math.isnan(rate_hz) else rate_hz
    k = math.ceil(rate_hz / HIGHEST_RATE_HZ)
    n_frames = traces.shape[1] // k
    traces = traces[:, : n_frames * k].reshape(len(traces), n_frames, k).mean(2)
    return Recording(traces[usable_traces(traces)], rate_hz / k, file.stem, str(file))


@dataclass(frozen=True)
class Block:
    """Normalised rows (neurons, frames), of which the first `n_known` are the context.

    `scale` (neurons,) brings them back to dF/F.
    """

    units: np.ndarray
    n_known: int
    scale: np.ndarray


def blocks_of(
    recording: Recording, config: PreprocessingConfig, stride: int, most: int | None = None
) -> Iterator[Block]:
    """Walk through a recording as its tokens are made; at most `most` blocks, evenly spread."""
    rate_hz = model_rate_hz(recording.frame_rate_hz, config.frame_rate_range_hz)
    resampling = resampling_matrix(
        recording.n_frames, recording.frame_rate_hz, rate_hz, end_aligned=False
    )
    traces = smooth_causally((resampling @ recording.traces.T).T, config.smoothing_alpha)
    traces = traces[:, : traces.shape[1] // stride * stride]
    context = config.context_frames
    block_frames = config.max_frames - context
    starts = np.array([0, *range(context, traces.shape[1], block_frames)])
    if most is not None and most < len(starts):
        starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
    for start in starts:
        first = max(0, start - context)
        stop = context if start == 0 else start + block_frames
        known = traces[:, : max(start, context)]
        normalisation = normalisation_from(known, known[:, -context:], config.centre)
        units = normalisation.apply(traces[:, first:stop]).astype(np.float32)
        yield Block(units, start - first, normalisation.scale)


def tokenizer_method(tokenizer: Tokenizer) -> Method:
    """Encode, quantise and decode with a tokenizer."""

    @torch.no_grad()
    def method(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        device = tokenizer.quantizer.codebook.device
        outs = [
            tokenizer(torch.as_tensor(units[row : row + ROWS_AT_ONCE], device=device))
            for row in range(0, len(units), ROWS_AT_ONCE)
        ]
        reconstruction = torch.cat([out.reconstruction for out in outs])
        return reconstruction.cpu().numpy(), torch.cat(
            [out.tokens for out in outs]
        ).cpu().numpy()

    return method


def kmeans_method(patches: np.ndarray, n_codes: int, *, seed: int) -> Method:
    """Nearest of the k-means centres of raw patches (patches, frames)."""
    kmeans = KMeans(n_codes, n_init=1, random_state=seed).fit(patches)

    def method(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = units.reshape(-1, patches.shape[1]).astype(patches.dtype)
        tokens = kmeans.predict(rows)
        reconstruction = kmeans.cluster_centers_[tokens].reshape(units.shape)
        return reconstruction, tokens.reshape(len(units), -1)

    return method


def pca_method(patches: np.ndarray, n_components: int) -> Method:
    """Projection of raw patches (patches, frames) on their first principal components."""
    pca = PCA(n_components).fit(patches)

    def method(units: np.ndarray) -> tuple[np.ndarray, None]:
        scores = pca.transform(units.reshape(-1, patches.shape[1]))
        return pca.inverse_transform(scores).reshape(units.shape), None

    return method


def training_patches(
    animals: Sequence[Animal], config: PreprocessingConfig, stride: int, *, seed: int
) -> np.ndarray:
    """Raw normalised patches of the animals' training parts, (patches, stride)."""
    rng = np.random.default_rng(seed)
    found = []
    for animal in animals:
        blocks = blocks_of(animal.training_part, config, stride)
        rows = np.concatenate(
            [block.units[:, block.n_known :].reshape(-1, stride) for block in blocks]
        )
        pick = rng.permutation(len(rows))[:PATCHES_PER_RECORDING]
        found.append(rows[pick])
    return np.concatenate(found)


def score(
    method: Method,
    animals: Sequence[Animal],
    config: PreprocessingConfig,
    stride: int,
    *,
    most_blocks: int | None = None,
) -> tuple[dict[str, object], list[np.ndarray]]:
    """Score reconstructions over recordings; also return the token rows of every block.

    Errors count in dF/F. The centre that the product takes off and adds back is no merit of
    any method, so total squares are those around it: a neuron's share of unexplained
    variance is SSE / SST of its centred trace over the whole recording. Neurons are
    averaged, then recordings; for `unexplained_pooled` both are summed over a recording's
    neurons first.
    """
    rows: list[dict[str, str | float]] = []
    tokens: list[np.ndarray] = []
    for animal in animals:
        wanted, found = [], []
        for block in blocks_of(animal.recording, config, stride, most_blocks):
            reconstruction, said = method(block.units)
            new = slice(block.n_known, None)
            wanted.append(block.units[:, new] * block.scale[:, None])
            found.append(reconstruction[:, new] * block.scale[:, None])
            if said is not None:
                tokens.append(said[:, block.n_known // stride :])
        x, y = np.concatenate(wanted, 1), np.concatenate(found, 1)
        unexplained, pearson, pooled = agreement(x, y)
        rows.append(
            {
                "species": animal.species,
                "recording": animal.name,
                "unexplained": float(unexplained.mean()),
                "unexplained_pooled": pooled,
                "pearson": float(pearson.mean()),
            }
        )
    result: dict[str, object] = {
        name: float(np.mean([row[name] for row in rows]))
        for name in ("unexplained", "unexplained_pooled", "pearson")
    }
    result["recordings"] = rows
    return result, tokens


def agreement(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Compare traces with their reconstruction, both (neurons, frames).

    Returns
    -------
    unexplained : (neurons,)
        SSE / SST; 1 - R2.
    pearson : (neurons,)
        0 where a reconstruction is constant.
    pooled : float
        SSE / SST with both summed over neurons first.

    Neurons whose trace is constant are left out.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    deviation = x - x.mean(1, keepdims=True)
    varying = (deviation**2).sum(1) > 0
    x, y, deviation = x[varying], y[varying], deviation[varying]
    total = (deviation**2).sum(1)
    error = ((y - x) ** 2).sum(1)
    other = y - y.mean(1, keepdims=True)
    norm = np.sqrt(total * (other**2).sum(1))
    pearson = np.divide(
        (deviation * other).sum(1), norm, out=np.zeros_like(norm), where=norm > 0
    )
    return error / total, pearson, float(error.sum() / total.sum())


def code_use(sequences: Sequence[np.ndarray], n_codes: int) -> dict[str, float]:
    """Share of codes in use, perplexity and share of the most frequent code."""
    count = np.bincount(np.concatenate([rows.ravel() for rows in sequences]), minlength=n_codes)
    share = count / count.sum()
    used = share[share > 0]
    return {
        "used_share": float(used.size / n_codes),
        "perplexity": float(np.exp(-(used * np.log(used)).sum())),
        "top1_share": float(share.max()),
    }


class BigramCounts:
    """The next token from this one, by counting; the yardstick of how foretellable tokens are.

    P(j | i) = (n_ij + a P(j)) / (n_i + a) with a = 20 and P(j) the counts with one added
    each, so that what was never seen is still possible.
    """

    def __init__(self, sequences: Sequence[np.ndarray], n_codes: int) -> None:
        pairs = _pairs(sequences)
        counts = np.zeros((n_codes, n_codes))
        np.add.at(counts, pairs, 1)
        base = counts.sum(0) + 1
        base = base / base.sum()
        self.probability = (counts + 20 * base) / (counts.sum(1, keepdims=True) + 20)

    def nats(self, sequences: Sequence[np.ndarray]) -> float:
        """Mean surprise over the transitions of token rows (neurons, tokens)."""
        return float(-np.log(self.probability[_pairs(sequences)]).mean())


def _pairs(sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    now = np.concatenate([tokens[:, :-1].ravel() for tokens in sequences])
    return now, np.concatenate([tokens[:, 1:].ravel() for tokens in sequences])
