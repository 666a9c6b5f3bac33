"""Ways to compare neurons: references on traces, the model's embeddings, oracles."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter1d
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from napari_calm.core.progress import run
from napari_calm.core.recording import Recording
from napari_calm.explore.coupling import coupling_products_steps, coupling_vectors
from napari_calm.explore.embed import compared_steps, embed
from napari_calm.explore.neuron_embedding import NeuronEmbedding
from napari_calm.explore.task_profile import TaskFit
from napari_calm.model.calm import CalmModel
from napari_calm.simulate.session import GroundTruth

Vectors = Callable[[Recording], np.ndarray]

LOADINGS = 10
RESAMPLINGS = 10
# What the hidden states know of the past, traces get by a moving average.
SMOOTHING_S = 4.0
SAMPLED_S = 0.67
MAIN_WEIGHTS = ("weight_cue", "weight_choice", "weight_pitch", "place_amplitude")


def z_scored(traces: np.ndarray) -> np.ndarray:
    """Each trace less its mean, in units of its deviation."""
    return StandardScaler().fit_transform(traces.T.astype(np.float64)).T


def trace_correlations(recording: Recording) -> np.ndarray:
    """Row of the correlation matrix of each neuron, (neurons, neurons)."""
    return np.corrcoef(recording.traces.astype(np.float64))


def pca_loadings(recording: Recording) -> np.ndarray:
    """Loadings on the first ten principal components over time, (neurons, components)."""
    units = z_scored(recording.traces)
    return PCA(min(LOADINGS, *units.shape), random_state=0).fit_transform(units)


def smoothed_states(recording: Recording) -> np.ndarray:
    """Traces in place of hidden states, (neurons, times, 1)."""
    width = max(1, round(SMOOTHING_S * recording.frame_rate_hz))
    step = max(1, round(SAMPLED_S * recording.frame_rate_hz))
    smooth = uniform_filter1d(recording.traces.astype(np.float64), width, axis=1)
    return smooth[:, ::step, None]


def trace_coupling(recording: Recording) -> np.ndarray:
    """Coupling vectors of the smoothed traces: the same method without a model."""
    products = run(coupling_products_steps(smoothed_states(recording)))
    return coupling_vectors(products.correlations())


REFERENCES: dict[str, Vectors] = {
    "trace correlations": trace_correlations,
    "PCA loadings": pca_loadings,
    "coupling of smoothed traces": trace_coupling,
}
# The two that the others are measured against.
PLAIN_REFERENCES = ("trace correlations", "PCA loadings")


def trace_embeddings(recording: Recording, seed: int) -> Iterator[NeuronEmbedding]:
    """Coupling, without and with the task, of traces instead of hidden states."""
    states = smoothed_states(recording)
    for name, task in (
        ("coupling of smoothed traces", None),
        ("task and coupling of smoothed traces", TaskFit(recording)),
    ):
        vectors, halves = run(compared_steps(states, task, resamplings=RESAMPLINGS, seed=seed))
        yield NeuronEmbedding(vectors, name, halves, roi_labels=recording.roi_labels)


def model_embeddings(
    model: CalmModel, recording: Recording, seed: int
) -> Iterator[NeuronEmbedding]:
    """Every source that the model has for a recording with behaviour."""
    representation = model.represent(recording, seed=seed)
    sources = ["mean", "coactivity", "coupling", "task"]
    if model.adaptation is not None and model.adaptation.helped:
        sources.insert(0, "row")
    for source in sources:
        yield embed(
            model,
            recording,
            source=source,
            representation=representation,
            resamplings=RESAMPLINGS,
            seed=seed,
        )


def oracles(truth: GroundTruth, recording: Recording) -> dict[str, np.ndarray]:
    """What the same clustering makes of the truth behind a simulated session."""
    log_rates = np.log(truth.rates_hz)
    step = max(1, round(SAMPLED_S * recording.frame_rate_hz))
    products = run(coupling_products_steps(log_rates[:, ::step, None]))
    known = Recording(
        log_rates,
        recording.frame_rate_hz,
        behaviour=recording.behaviour,
        trials=recording.trials,
    )
    vectors, _ = run(
        compared_steps(
            log_rates[:, ::step, None], TaskFit(known, lag_s=0), resamplings=0, seed=0
        )
    )
    weights: pd.DataFrame = truth.tuning[list(MAIN_WEIGHTS)].abs()
    return {
        "true log rates: coupling": coupling_vectors(products.correlations()),
        "true log rates: task and coupling": vectors,
        "true tuning weights": weights.to_numpy(),
    }
