"""Linear probes of embeddings on held-out neurons of real recordings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from clusters_methods import pca_loadings, z_scored

from napari_calm.core.errors import CalmError
from napari_calm.core.recording import Recording, usable_traces
from napari_calm.explore.embed import embed
from napari_calm.explore.probe import probe
from napari_calm.io.npz import open_npz
from napari_calm.model.calm import CalmModel

SHUFFLES = 30
LAGS_S = (0.7, 1.3, 2.0, 4.0, 8.0)
# Parts of region names that place a region behind the isthmus.
HINDBRAIN = (
    "medulla", "raphe", "cerebellum", "locus_coeruleus", "olive", "octavolateralis", "vag",
    "facial", "abducens", "trigeminal_motor", "interpeduncular", "isthmi", "reticular",
)  # fmt: skip


def region_of(name: str) -> str:
    """Hindbrain or not, from a region's name."""
    return "hindbrain" if any(part in name for part in HINDBRAIN) else "further in front"


def neuron_labels(path: Path) -> tuple[str, np.ndarray] | None:
    """What a file says of its neurons: the label's name and a label a usable neuron."""
    with open_npz(path) as arrays:
        usable = usable_traces(np.asarray(arrays["traces"], np.float32))
        if "region_names" in arrays:
            regions = np.array([region_of(str(name)) for name in arrays["region_names"]])
            return "hindbrain or not", regions[usable]
        if "roi_channel" in arrays:
            return "colour of the indicator", arrays["roi_channel"][usable].astype(int)
    return None


def trace_statistics(recording: Recording) -> np.ndarray:
    """What a trace looks like by itself, (neurons, statistics): lags and quantiles."""
    units = z_scored(recording.traces)
    lags = [max(1, round(lag * recording.frame_rate_hz)) for lag in LAGS_S]
    lagged = [(units[:, :-lag] * units[:, lag:]).mean(axis=1) for lag in lags]
    return np.stack([*lagged, *np.quantile(units, [0.05, 0.5, 0.95, 0.99], axis=1)], axis=1)


def label_scores(
    recording: Recording, labels: np.ndarray, models: dict[str, CalmModel], seed: int
) -> dict[str, Any]:
    """Probe every embedding of one recording for labels of its neurons."""
    sources = {
        "PCA loadings": ("reference", pca_loadings(recording)),
        "trace statistics": ("reference", trace_statistics(recording)),
    }
    for title, model in models.items():
        states = model.represent(recording)
        for source in ("mean", "coactivity", "coupling"):
            vectors = embed(
                model, recording, source=source, representation=states, resamplings=0
            ).vectors
            sources[f"{title}: {source}"] = ("model", vectors)
    return {
        name: {"kind": kind} | scored(vectors, labels, seed)
        for name, (kind, vectors) in sources.items()
    }


def scored(vectors: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    """Score on held-out neurons beside shuffled labels."""
    found = probe(vectors, labels, shuffles=SHUFFLES, seed=seed)
    return {
        "score": found.score,
        "null": float(found.null.mean()),
        "null_95": float(np.quantile(found.null, 0.95)),
        "p": found.p_value,
    }


def identity_scores(
    recordings: list[Recording], models: dict[str, CalmModel], seed: int
) -> dict[str, Any]:
    """Which animal is a held-out neuron of? Means of hidden states are comparable."""
    if len(recordings) < 2:
        raise CalmError("identity: expected at least two animals.")
    animals = np.concatenate([np.full(one.n_neurons, one.name) for one in recordings])
    statistics = np.concatenate([trace_statistics(one) for one in recordings])
    found = {"trace statistics": {"kind": "reference"} | scored(statistics, animals, seed)}
    for title, model in models.items():
        means = [embed(model, one, source="mean", resamplings=0).vectors for one in recordings]
        found[f"{title}: mean"] = {"kind": "model"} | scored(
            np.concatenate(means), animals, seed
        )
    return found


def shortened(recording: Recording, most_frames: int) -> Recording:
    """First frames of a long recording."""
    traces = recording.traces[:, :most_frames]
    usable = usable_traces(traces)
    if not usable.all():
        raise CalmError(f"{recording.name}: a trace is constant in its first frames.")
    table = recording.behaviour
    return replace(
        recording,
        traces=traces,
        behaviour=None if table is None else table[:most_frames],
    )


# Columns that tell what the animal does, and what of each frame's values is kept.
BEHAVIOUR = (
    "reversal", "velocity", "head_angle", "angular_velocity", "forward_velocity", "heading",
    "condition",
)  # fmt: skip


def with_behaviour(recording: Recording, path: Path) -> Recording:
    """Attach the behaviour of a file: the last value of the frames that were averaged."""
    with open_npz(path) as arrays:
        n_frames = arrays["traces"].shape[1]
        factor = n_frames // recording.n_frames
        first = n_frames - recording.n_frames * factor
        columns = {
            name: np.asarray(arrays[name], np.float64)[first + factor - 1 :: factor]
            for name in BEHAVIOUR
            if name in arrays and arrays[name].shape == (n_frames,)
        }
    if not columns:
        return recording
    return replace(recording, behaviour=pd.DataFrame(columns))
