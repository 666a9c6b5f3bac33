"""Embed the neurons of a recording by what the frozen model makes of them."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording
from ..core.representation import Representation
from ..model.calm import CalmModel
from .columns import telling_columns
from .coupling import (
    BLOCKS,
    coupling_products_steps,
    coupling_vectors,
    halves_of_time,
)
from .neuron_embedding import NeuronEmbedding
from .task_profile import TaskFit, task_vectors

Source = Literal["coupling", "coactivity", "task", "mean", "row"]
SOURCES: tuple[str, ...] = get_args(Source)
FEWEST_NEURONS = 4


def embed_steps(
    model: CalmModel,
    recording: Recording,
    *,
    source: Source | Literal["auto"] = "auto",
    columns: Sequence[str] | None = None,
    representation: Representation | None = None,
    resamplings: int = 20,
    seed: int = 0,
) -> Steps[NeuronEmbedding]:
    """`embed` as a generator of progress."""
    chosen = _checked(model, recording, source, resamplings)
    task = TaskFit(recording, columns) if chosen == "task" else None
    halves = np.empty(0)
    if chosen == "row":
        vectors = fitted_rows(model, recording)
    else:
        if representation is None:
            representation = yield from model.represent_steps(recording, seed=seed)
        states = checked_states(representation, recording)
        if chosen == "mean":
            vectors = states.mean(axis=1)
            halves = _mean_halves(states, halves_of_time(resamplings, seed))
        elif chosen == "coactivity":
            context_s = model.config.preprocessing.context_frames / representation.model_rate_hz
            vectors, halves = yield from coactive_steps(
                (
                    (states, context_s / representation.token_duration_s),
                    (recording.traces[:, :, None], context_s * recording.frame_rate_hz),
                ),
                resamplings=resamplings,
                seed=seed,
            )
        else:
            vectors, halves = yield from compared_steps(
                states, task, resamplings=resamplings, seed=seed
            )
    return NeuronEmbedding(
        vectors=vectors,
        source=chosen,
        halves=halves,
        columns=() if task is None else task.columns,
        model_name=model.title,
        recording_name=recording.name,
        roi_labels=recording.roi_labels,
    )


def embed(
    model: CalmModel,
    recording: Recording,
    *,
    source: Source | Literal["auto"] = "auto",
    columns: Sequence[str] | None = None,
    representation: Representation | None = None,
    resamplings: int = 20,
    seed: int = 0,
) -> NeuronEmbedding:
    """One vector a neuron.

    Parameters
    ----------
    source : {"auto", "coupling", "coactivity", "task", "mean", "row"}
        What a vector is made of. ``coupling``: with whom the neuron's hidden states move,
        beyond what the whole population shares, whatever the sign (8 dimensions, length 1).
        ``coactivity``: with whom its hidden states and its trace rise and fall within the
        length of a context, so that neurons come together that are active together (8
        dimensions each). ``task``: coupling, beside the part of the neuron's activity that each
        behaviour and trial column explains by itself. ``mean``: the mean hidden state.
        ``row``: the row that adapting fitted. "auto" is ``coupling``: from activity alone it
        finds the functional groups of simulated sessions best. On real recordings
        ``coactivity`` comes back more alike in another half (`benchmarks/clusters.py`).
    columns : sequence of str, optional
        Columns for ``task``; all that tell what the animal does if not given.
    representation : Representation, optional
        The model's hidden states of this recording, where they are known already.
    resamplings : int
        Random pairs of halves of the time that are embedded too; `cluster` uses them.
    seed : int

    Raises
    ------
    RecordingError
        If there are fewer than 4 neurons, the recording is too short, or a column is unknown.
    CalmError
        If the source is unknown, the model has no fitted rows, or the representation is of
        another recording.

    Examples
    --------
    >>> from napari_calm.simulate.session import simulate_session
    >>> recording = simulate_session(seed=1, n_neurons=12, n_trials=3).recording
    >>> embed(CalmModel.random(), recording)
    NeuronEmbedding(12 neurons x 8 dimensions of 'coupling')
    """
    return run(
        embed_steps(
            model,
            recording,
            source=source,
            columns=columns,
            representation=representation,
            resamplings=resamplings,
            seed=seed,
        )
    )


def compared_steps(
    states: np.ndarray,
    task: TaskFit | None = None,
    *,
    resamplings: int,
    seed: int = 0,
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Coupling vectors of any states (beside what `task` says), of all time and of halves.

    Parameters
    ----------
    states : numpy.ndarray, (neurons, times, width)
        Hidden states, or traces with a width of 1.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        `vectors` and `halves` of a `NeuronEmbedding`.
    """
    products = yield from coupling_products_steps(states, seed=seed)

    def vectors_of(blocks: np.ndarray | None) -> np.ndarray:
        found = coupling_vectors(products.correlations(blocks), seed=seed)
        if task is None:
            return found
        return np.concatenate([task_vectors(task.shares(blocks)), found], axis=1)

    return (yield from _whole_and_halves_steps(vectors_of, resamplings, seed))


def coactive_steps(
    courses: Sequence[tuple[np.ndarray, float]],
    *,
    resamplings: int,
    seed: int = 0,
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Vectors that tell with whom a neuron is active, of all time and of halves.

    Parameters
    ----------
    courses : sequence of (numpy.ndarray, float)
        States or traces, (neurons, times, width), each with the times over which its running
        mean is taken off: what is slower is drift. Each adds vectors of length 1.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        `vectors` and `halves` of a `NeuronEmbedding`.
    """
    products = []
    for states, window in courses:
        found = yield from coupling_products_steps(
            states, window=max(2, round(window)), seed=seed
        )
        products.append(found)

    def vectors_of(blocks: np.ndarray | None) -> np.ndarray:
        correlations = (each.correlations(blocks) for each in products)
        return np.concatenate(
            [coupling_vectors(each, signed=True, seed=seed) for each in correlations], axis=1
        )

    return (yield from _whole_and_halves_steps(vectors_of, resamplings, seed))


def _whole_and_halves_steps(
    vectors_of: Callable[[np.ndarray | None], np.ndarray], resamplings: int, seed: int
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    vectors = vectors_of(None)
    made = []
    for number, blocks in enumerate(halves_of_time(resamplings, seed).reshape(-1, BLOCKS // 2)):
        made.append(vectors_of(blocks))
        yield Progress(number + 1, 2 * resamplings, "Halves of the recording")
    return vectors, np.array(made).reshape(resamplings, 2, *vectors.shape)


def sources_of(model: CalmModel, recording: Recording) -> list[str]:
    """Sources that this model and recording have."""
    found = ["coupling", "coactivity", "mean"]
    if telling_columns(recording):
        found.insert(2, "task")
    if model.adaptation is not None and model.adaptation.helped:
        found.append("row")
    return found


def fitted_rows(model: CalmModel, recording: Recording) -> np.ndarray:
    """Rows that adapting fitted to the neurons of the recording, (neurons, width).

    Raises
    ------
    CalmError
        If the model is not adapted, or adapting did not help.
    RecordingError
        If it is adapted to other neurons.
    """
    if model.adaptation is None or not model.adaptation.helped:
        why = "is not adapted" if model.adaptation is None else "kept no rows from adapting"
        raise CalmError(
            f"embedding: the model {model.title} {why}, so its neurons have no rows. Adapt it "
            "to this recording, or take the source 'coupling'."
        )
    model.adaptation.check(recording)
    rows: np.ndarray = model.adaptation.weights["neuron_rows"].detach().cpu().numpy()
    return rows


def checked_states(representation: Representation, recording: Recording) -> np.ndarray:
    """Hidden states that stand for frames of `recording`, (neurons, tokens, width).

    Raises
    ------
    CalmError
        If the representation is of another recording.
    """
    found = (representation.n_neurons, representation.n_frames)
    expected = (recording.n_neurons, recording.n_frames)
    if found != expected or not np.array_equal(representation.roi_labels, recording.roi_labels):
        raise CalmError(
            f"representation: made of {found[0]} neurons x {found[1]} frames, but "
            f"{recording.name} has {expected[0]} x {expected[1]}, or other ROIs. Represent "
            "this recording."
        )
    # A last token that is filled up stands for frames that are not there.
    whole = int(recording.duration_s / representation.token_duration_s + 1e-6)
    return representation.hidden[:, : max(1, min(whole, representation.n_tokens))]


def _checked(model: CalmModel, recording: Recording, source: str, resamplings: int) -> str:
    chosen = "coupling" if source == "auto" else source
    if chosen not in SOURCES:
        raise CalmError(
            f"embedding: unknown source {source!r}; expected auto, {', '.join(SOURCES)}."
        )
    if recording.n_neurons < FEWEST_NEURONS:
        raise RecordingError(
            f"{recording.source or recording.name}: {recording.n_neurons} neurons are too few "
            f"to compare; expected at least {FEWEST_NEURONS}."
        )
    if resamplings < 0:
        raise CalmError(f"embedding: resamplings is {resamplings}; expected 0 or more.")
    if chosen != "row" and recording.duration_s < BLOCKS * _token_s(model, recording):
        raise RecordingError(
            f"{recording.source or recording.name}: {recording.duration_s:.1f} s are too "
            f"short; expected at least {BLOCKS * _token_s(model, recording):.1f} s."
        )
    return chosen


def _token_s(model: CalmModel, recording: Recording) -> float:
    return model.config.tokenizer.stride / model.model_rate_hz(recording.frame_rate_hz)


def _mean_halves(states: np.ndarray, dealt: np.ndarray) -> np.ndarray:
    blocks = np.array_split(np.arange(states.shape[1]), BLOCKS)
    sums = np.array([states[:, block].sum(axis=1) for block in blocks])
    times = np.array([block.size for block in blocks])
    flat = dealt.reshape(-1, BLOCKS // 2)
    means = np.array([sums[chosen].sum(axis=0) / times[chosen].sum() for chosen in flat])
    halves: np.ndarray = means.reshape(*dealt.shape[:2], *sums.shape[1:])
    return halves
