"""Scores of clusterings: against known groups, and of one half against the other."""

import math
from typing import Any

import numpy as np
from clusters_methods import (
    REFERENCES,
    model_embeddings,
    oracles,
    trace_embeddings,
)
from sklearn.metrics import adjusted_rand_score

from napari_calm.core.progress import run
from napari_calm.core.recording import Recording, usable_traces
from napari_calm.explore.columns import telling_columns
from napari_calm.explore.embed import embed
from napari_calm.explore.neuron_embedding import NeuronEmbedding
from napari_calm.explore.partition import candidates, partition
from napari_calm.explore.stability import proposed_setting, stability_steps
from napari_calm.model.calm import CalmModel
from napari_calm.simulate.session import SimulatedSession

METHOD = "k-means"
MOST_CLUSTERS = 12
# Numbers over which the agreement of two halves is averaged: no method chooses its own.
REAL_NUMBERS = range(3, 9)


def against_truth(vectors: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Adjusted Rand index with the true groups, at their number and at every other."""
    by_number = {
        number: float(adjusted_rand_score(groups, partition(vectors, METHOD, number)))
        for number in range(2, MOST_CLUSTERS + 1)
    }
    return {
        "true_number": by_number[int(np.unique(groups).size)],
        "best_number": max(by_number.values()),
        **{f"at_{number}": value for number, value in by_number.items()},
    }


def proposed(embedding: NeuronEmbedding, groups: np.ndarray) -> dict[str, float]:
    """The number that stability proposes, and the adjusted Rand index there."""
    numbers = candidates(METHOD, embedding.n_neurons, MOST_CLUSTERS)
    number = proposed_setting(run(stability_steps(embedding, METHOD, numbers)), METHOD)
    labels = partition(embedding.vectors, METHOD, number)
    return {
        "proposed_number": number,
        "proposed": float(adjusted_rand_score(groups, labels)),
    }


def simulated_scores(
    session: SimulatedSession, models: dict[str, CalmModel], seed: int
) -> dict[str, Any]:
    """Every method on one simulated session; neurons of no group count as a group."""
    recording, groups = session.recording, session.truth.group
    found: dict[str, Any] = {}
    for name, reference in REFERENCES.items():
        found[name] = {"kind": "reference"} | against_truth(reference(recording), groups)
    for embedding in trace_embeddings(recording, seed):
        scores = against_truth(embedding.vectors, groups)
        found[embedding.source] = {"kind": "reference"} | scores | proposed(embedding, groups)
    for title, model in models.items():
        for embedding in model_embeddings(model, recording, seed):
            scores = against_truth(embedding.vectors, groups)
            name = f"{title}: {embedding.source}"
            found[name] = {"kind": "model"} | scores
            if embedding.source in ("coupling", "task"):
                found[name] |= proposed(embedding, groups)
    for name, vectors in oracles(session.truth, recording).items():
        found[f"oracle, {name}"] = {"kind": "oracle"} | against_truth(vectors, groups)
    return found


def halves(recording: Recording) -> tuple[Recording, Recording]:
    """First and second half of a recording, with the neurons that vary in both."""
    middle = recording.n_frames // 2
    table = recording.behaviour
    parts = recording.traces[:, :middle], recording.traces[:, middle:]
    usable = usable_traces(parts[0]) & usable_traces(parts[1])
    first, second = (
        Recording(
            part[usable],
            recording.frame_rate_hz,
            recording.name,
            recording.source,
            behaviour=None if table is None else table[chosen].reset_index(drop=True),
        )
        for part, chosen in zip(parts, (slice(middle), slice(middle, None)), strict=True)
    )
    return first, second


def stability_scores(recording: Recording, models: dict[str, CalmModel]) -> dict[str, Any]:
    """Agreement of the clusterings of two halves that know nothing of each other."""
    first, second = halves(recording)
    pairs = {name: (of(first), of(second)) for name, of in REFERENCES.items()}
    kinds = dict.fromkeys(pairs, "reference")
    for title, model in models.items():
        parts = [(part, model.represent(part)) for part in (first, second)]
        sources = ["mean", "coactivity", "coupling"]
        if telling_columns(first) and telling_columns(second):
            sources.append("task")
        for source in sources:
            pairs[f"{title}: {source}"] = tuple(
                embed(model, part, source=source, representation=states, resamplings=0).vectors
                for part, states in parts
            )
            kinds[f"{title}: {source}"] = "model"
    numbers = [number for number in REAL_NUMBERS if number <= first.n_neurons // 3]
    found = {}
    for name, pair in pairs.items():
        agreement = [
            float(adjusted_rand_score(*(partition(half, METHOD, number) for half in pair)))
            for number in numbers
        ]
        found[name] = {"kind": kinds[name], "agreement": agreement}
        found[name]["mean"] = float(np.mean(agreement)) if agreement else math.nan
    return found
