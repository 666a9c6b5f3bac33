"""Part the neurons of a recording into functional clusters and describe them."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress, Steps, retold, run
from ..core.recording import Recording
from ..core.representation import Representation
from ..core.token_map import TokenMap
from ..model.calm import CalmModel
from .cluster_description import (
    mean_traces,
    selectivity_of_clusters,
    spread_steps,
    token_use,
)
from .clusters import Clusters
from .columns import telling_columns
from .embed import Source, embed_steps
from .neuron_embedding import NeuronEmbedding
from .partition import (
    COUNTED,
    FEWEST_NEURONS,
    Method,
    by_size,
    candidates,
    check_method,
    partition,
    together_share,
)
from .selectivity import selectivity_steps
from .stability import null_stability_steps, proposed_setting, stability_steps

SELECTIVITY_DRAWS = 199
N_PARTS = 6

Result = TypeVar("Result")


def cluster_steps(
    model: CalmModel,
    recording: Recording,
    *,
    n_clusters: int | None = None,
    method: Method = "k-means",
    source: Source | Literal["auto"] = "auto",
    setting: float | None = None,
    most_clusters: int = 12,
    columns: Sequence[str] | None = None,
    embedding: NeuronEmbedding | None = None,
    representation: Representation | None = None,
    tokens: TokenMap | None = None,
    neurons: Sequence[int] | np.ndarray | None = None,
    resamplings: int = 20,
    seed: int = 0,
) -> Steps[Clusters]:
    """`cluster` as a generator of progress."""
    if neurons is not None:
        if embedding is not None or representation is not None or tokens is not None:
            raise CalmError(
                "clusters: what is known of all neurons says little of some: leave out "
                "embedding, representation and tokens, or neurons."
            )
        rows = np.asarray(neurons)
        part = yield from cluster_steps(
            model,
            recording.select(rows),
            n_clusters=n_clusters,
            method=method,
            source=source,
            setting=setting,
            most_clusters=most_clusters,
            columns=columns,
            resamplings=resamplings,
            seed=seed,
        )
        return part.among(recording, np.flatnonzero(rows) if rows.dtype == bool else rows)
    wanted = _checked(recording, n_clusters, method, setting, most_clusters, resamplings)
    described = telling_columns(recording) if columns is None else list(columns)
    if embedding is None:
        embedding = yield from _told(
            embed_steps(
                model,
                recording,
                source=source,
                columns=columns if source == "task" else None,
                representation=representation,
                resamplings=resamplings,
                seed=seed,
            ),
            0,
        )
    elif not embedding.known.all() or not np.array_equal(
        embedding.roi_labels, recording.roi_labels
    ):
        raise CalmError(
            f"clusters: the embedding is of {embedding.known.sum()} neurons of "
            f"{embedding.recording_name or 'another recording'}, not of all "
            f"{recording.n_neurons} of {recording.name}."
        )
    if tokens is None:
        tokens = yield from _told(model.tokenize_steps(recording), 1)
    elif tokens.n_neurons != recording.n_neurons or not tokens.known.all():
        raise CalmError(
            f"clusters: the tokens are of {tokens.known.sum()} neurons, {recording.name} has "
            f"{recording.n_neurons}."
        )
    settings = [wanted] if wanted else candidates(method, recording.n_neurons, most_clusters)
    stability = yield from _told(
        stability_steps(embedding, method, settings, resamplings=resamplings, seed=seed), 2
    )
    chosen = proposed_setting(stability, method)
    labels = by_size(partition(embedding.vectors, method, chosen, seed=seed))
    null = yield from _told(
        null_stability_steps(embedding, method, chosen, resamplings=resamplings, seed=seed), 3
    )
    results = []
    for name in described:
        steps = selectivity_steps(recording, name, draws=SELECTIVITY_DRAWS, seed=seed)
        try:
            results.append((yield from _told(steps, 4)))
        except RecordingError:
            # A class of one trial, say: nobody asked for this column in particular.
            if columns is not None:
                raise
    spread = yield from _told(spread_steps(recording.footprints, labels, seed=seed), 5)
    ratio, token_q = token_use(tokens, labels)
    selectivity, selective = selectivity_of_clusters(results, labels)
    row = int(np.flatnonzero(stability.settings == chosen)[0])
    return Clusters(
        labels=labels,
        confidence=together_share(labels, stability.partitions[row]),
        vectors=embedding.vectors,
        source=embedding.source,
        method=method,
        setting=chosen,
        proposed=wanted is None,
        settings=stability.settings,
        stability=stability.mean,
        stability_error=stability.error,
        null_stability=null,
        mean_traces=mean_traces(recording.traces, labels),
        frame_rate_hz=recording.frame_rate_hz,
        spread=spread.ratio,
        spread_p=spread.p_value,
        token_ratio=ratio,
        token_q=token_q,
        columns=tuple(result.column for result in results),
        selectivity=selectivity,
        selective_share=selective,
        model_name=embedding.model_name or model.title,
        recording_name=recording.name,
        seed=seed,
        roi_labels=recording.roi_labels,
    )


def cluster(
    model: CalmModel,
    recording: Recording,
    *,
    n_clusters: int | None = None,
    method: Method = "k-means",
    source: Source | Literal["auto"] = "auto",
    setting: float | None = None,
    most_clusters: int = 12,
    columns: Sequence[str] | None = None,
    embedding: NeuronEmbedding | None = None,
    representation: Representation | None = None,
    tokens: TokenMap | None = None,
    neurons: Sequence[int] | np.ndarray | None = None,
    resamplings: int = 20,
    seed: int = 0,
) -> Clusters:
    """Functional clusters of the neurons.

    1. The neurons are embedded (`embed`), and so are random halves of the time.
    2. Both halves are parted with every number of clusters; the number whose partitions agree
       best (adjusted Rand index) is proposed. Two are proposed only if they come back nearly
       perfectly: a first split nearly always does, whatever lies below it.
    3. All data are parted with that number. How often a neuron is with the rest of its
       cluster in the halves is its confidence.
    4. The same halves without clusters (one cloud with the covariance of both) say what
       agreement means nothing.

    Parameters
    ----------
    n_clusters : int, optional
        Number of clusters (k-means, Gaussian mixture); proposed by stability if not given.
    method : {"k-means", "gaussian mixture", "hdbscan", "leiden"}
        Leiden needs ``pip install 'napari-calm[leiden]'``.
    source : {"auto", "coupling", "coactivity", "task", "mean", "row"}
        See `embed`. ``task`` finds functional groups best where behaviour is known.
    setting : float, optional
        Smallest cluster (HDBSCAN) or resolution (Leiden); proposed by stability if not given.
    most_clusters : int
        Largest number that may be proposed.
    columns : sequence of str, optional
        Behaviour and trial columns that describe the clusters (and that ``task`` knows); if
        not given, all that tell what the animal does and have enough values to be tested.
    embedding, representation, tokens : optional
        What is known of this recording already.
    neurons : sequence of int or of bool, optional
        Look at these alone, as if nothing else had been recorded; the others get no cluster.
    resamplings : int
        Pairs of halves.
    seed : int

    Raises
    ------
    RecordingError
        If there are too few neurons or frames, or a column is unknown.
    CalmError
        If there are more clusters than neurons, or method, source or setting are impossible.

    Examples
    --------
    >>> from napari_calm.simulate.session import simulate_session
    >>> recording = simulate_session(seed=1, n_neurons=12, n_trials=4).recording
    >>> cluster(CalmModel.random(), recording, n_clusters=3, columns=[], resamplings=2)
    Clusters(3 of 12 neurons by k-means on 'coupling')
    """
    return run(
        cluster_steps(
            model,
            recording,
            n_clusters=n_clusters,
            method=method,
            source=source,
            setting=setting,
            most_clusters=most_clusters,
            columns=columns,
            embedding=embedding,
            representation=representation,
            tokens=tokens,
            neurons=neurons,
            resamplings=resamplings,
            seed=seed,
        )
    )


def _checked(
    recording: Recording,
    n_clusters: int | None,
    method: str,
    setting: float | None,
    most_clusters: int,
    resamplings: int,
) -> float | None:
    """The setting asked for, or None where it is to be proposed."""
    where = recording.source or recording.name
    check_method(method)
    if recording.n_neurons < FEWEST_NEURONS:
        raise RecordingError(
            f"{where}: {recording.n_neurons} neurons are too few for clusters; expected at "
            f"least {FEWEST_NEURONS}."
        )
    if resamplings < 2 or most_clusters < 2:
        raise CalmError(
            f"clusters: resamplings is {resamplings}, most_clusters {most_clusters}; expected "
            "at least 2."
        )
    if method in COUNTED:
        if setting is not None:
            raise CalmError(f"clusters: {method} takes n_clusters, not a setting.")
        if n_clusters is not None and not 2 <= n_clusters <= recording.n_neurons:
            raise CalmError(
                f"clusters: {n_clusters} clusters of {recording.n_neurons} neurons cannot be; "
                f"expected 2 to {recording.n_neurons}."
            )
        return n_clusters
    if n_clusters is not None:
        raise CalmError(
            f"clusters: {method} finds the number itself; leave n_clusters out, or take "
            "k-means."
        )
    if setting is not None and not 0 < setting < float("inf"):
        raise CalmError(f"clusters: the setting is {setting:g}; expected above 0.")
    return setting


def _told(steps: Steps[Result], part: int) -> Steps[Result]:
    """Progress of one part as part of the whole."""
    return retold(
        steps,
        lambda done: Progress(round(1000 * (part + done.fraction)), 1000 * N_PARTS, done.stage),
    )
