"""The population as one point that moves: principal components of its state over time."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording
from ..core.representation import Representation
from ..model.calm import CalmModel
from .columns import find_column, trial_limits
from .coupling import main_axes
from .embed import checked_states

StateOf = Literal["all neurons", "mean"]
# Shared axes of the hidden states that are kept where all neurons are put side by side.
AXES_PER_NEURON = 8
FEWEST_TRIALS = 2


@dataclass(frozen=True, eq=False, repr=False)
class Trajectories:
    """Principal components of the population state, frame by frame and averaged over trials.

    Parameters
    ----------
    states : numpy.ndarray, (components, frames)
        The state that is known when a frame ends: that of the newest complete token. NaN
        before the first one.
    explained : numpy.ndarray, (components,)
        Share of the variance over time on each component.
    frame_rate_hz : float
    by : str
        Trial column that the averages are of; empty without averages.
    trial_types : tuple of str
        Its classes.
    averages, errors : numpy.ndarray, (types, components, frames)
        Mean over trials of each type, aligned to their start, and its standard error. Trials
        differ in length: each frame averages those that still run, and frames that fewer than
        half of a type's trials (or 2) reach are NaN.
    counts : numpy.ndarray of int, (types, frames)
        Trials behind each of these frames.
    model_name, recording_name : str

    Raises
    ------
    CalmError
        If shapes do not fit.
    """

    states: np.ndarray
    explained: np.ndarray
    frame_rate_hz: float
    by: str = ""
    trial_types: tuple[str, ...] = ()
    averages: np.ndarray = field(default_factory=lambda: np.empty(0))
    errors: np.ndarray = field(default_factory=lambda: np.empty(0))
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    model_name: str = ""
    recording_name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trial_types", tuple(str(t) for t in self.trial_types))
        states = np.asarray(self.states, np.float32)
        n_types = len(self.trial_types)
        if states.ndim != 2 or np.shape(self.explained) != (len(states),):
            raise CalmError(
                f"trajectories: found states of shape {states.shape} and "
                f"{np.size(self.explained)} shares; expected (components, frames)."
            )
        counts = np.asarray(self.counts, np.int64).reshape(n_types, -1 if n_types else 0)
        shape = (n_types, len(states), counts.shape[1])
        arrays = {"states": states, "explained": np.asarray(self.explained), "counts": counts}
        for name in ("averages", "errors"):
            values = np.asarray(getattr(self, name), np.float32)
            if values.size != np.prod(shape):
                raise CalmError(
                    f"trajectories: {name} has shape {values.shape}; expected {shape}."
                )
            arrays[name] = values.reshape(shape)
        for name, values in arrays.items():
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __repr__(self) -> str:
        return (
            f"Trajectories({len(self.states)} components x {self.states.shape[1]} frames, "
            f"{self.explained.sum():.0%} of the variance)"
        )

    def table(self) -> pd.DataFrame:
        """One row a frame: `frame`, `time_s`, `pc1`, `pc2` ..."""
        frame = np.arange(self.states.shape[1])
        components = {f"pc{n}": values for n, values in enumerate(self.states, 1)}
        return pd.DataFrame(
            {"frame": frame, "time_s": frame / self.frame_rate_hz, **components}
        )

    def averages_table(self) -> pd.DataFrame:
        """One row a trial type and frame from the start, with mean, error and trials."""
        n_types, n_components, n_frames = self.averages.shape
        frame = np.tile(np.arange(n_frames), n_types)
        columns: dict[str, np.ndarray] = {
            self.by or "type": np.repeat(np.array(self.trial_types, dtype=str), n_frames),
            "frame_from_start": frame,
            "time_from_start_s": frame / self.frame_rate_hz,
            "trials": self.counts.ravel(),
        }
        for number in range(n_components):
            columns[f"pc{number + 1}"] = self.averages[:, number].ravel()
            columns[f"pc{number + 1}_error"] = self.errors[:, number].ravel()
        return pd.DataFrame(columns)


def trajectories_steps(
    model: CalmModel,
    recording: Recording,
    *,
    by: str | None = None,
    of: StateOf = "all neurons",
    n_components: int = 3,
    representation: Representation | None = None,
    seed: int = 0,
) -> Steps[Trajectories]:
    """`trajectories` as a generator of progress."""
    column = None if by is None else find_column(recording, by)
    if column is not None and not (column.per_trial and column.classes):
        raise RecordingError(
            f"{recording.source or recording.name}: averages need a trial column with "
            f"classes; {by!r} is {'continuous' if column.per_trial else 'a value a frame'}."
        )
    if representation is None:
        representation = yield from model.represent_steps(recording, seed=seed)
    states = population_states(representation, recording, of)
    most = min(states.shape)
    if not 1 <= n_components <= most:
        raise CalmError(
            f"trajectories: {n_components} components of {states.shape[0]} tokens cannot be; "
            f"expected 1 to {most}."
        )
    yield Progress(1, 2, "Population state")
    pca = PCA(n_components, random_state=seed)
    scores = pca.fit_transform(states)
    # The sign of a component is free; the largest value is made positive.
    extreme = np.abs(scores).argmax(axis=0)
    scores *= np.sign(scores[extreme, np.arange(n_components)])
    known = np.minimum(representation.known_token_of_frame(), len(scores) - 1)
    path = np.where(known[:, None] >= 0, scores[known], np.nan).T
    averaged = (
        {}
        if column is None
        else _averages(path, trial_limits(recording), column.values, column.classes)
    )
    yield Progress(2, 2, "Population state")
    return Trajectories(
        states=path,
        explained=pca.explained_variance_ratio_,
        frame_rate_hz=recording.frame_rate_hz,
        by="" if column is None else column.name,
        trial_types=() if column is None else column.classes,
        model_name=representation.model_name,
        recording_name=recording.name,
        **averaged,
    )


def trajectories(
    model: CalmModel,
    recording: Recording,
    *,
    by: str | None = None,
    of: StateOf = "all neurons",
    n_components: int = 3,
    representation: Representation | None = None,
    seed: int = 0,
) -> Trajectories:
    """Principal components of the population state over time.

    Parameters
    ----------
    by : str, optional
        Trial column whose classes are averaged.
    of : {"all neurons", "mean"}
        The state of a token: all neurons' hidden states side by side (on their 8 shared
        axes of largest variance), or their mean.
    n_components : int
    representation : Representation, optional
        The model's hidden states of this recording, where they are known already.

    Raises
    ------
    RecordingError
        If the column is unknown or has no classes, or the recording is too short.
    CalmError
        If components or representation do not fit.
    """
    return run(
        trajectories_steps(
            model,
            recording,
            by=by,
            of=of,
            n_components=n_components,
            representation=representation,
            seed=seed,
        )
    )


def population_states(
    representation: Representation, recording: Recording, of: StateOf = "all neurons"
) -> np.ndarray:
    """State of the whole population after every token, (tokens, dimensions)."""
    if of not in get_args(StateOf):
        raise CalmError(
            f"population state: unknown kind {of!r}; expected {' or '.join(get_args(StateOf))}."
        )
    states = checked_states(representation, recording)
    if of == "mean":
        mean: np.ndarray = states.mean(axis=0)
        return mean
    axes = main_axes(states)[:, :AXES_PER_NEURON]
    beside = (states @ axes).transpose(1, 0, 2)
    return np.ascontiguousarray(beside).reshape(len(beside), -1)


def _averages(
    path: np.ndarray, limits: np.ndarray, values: np.ndarray, classes: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Mean and standard error over the trials of each class that still run."""
    longest = int(np.diff(limits, axis=1).max())
    cut = np.full((len(limits), len(path), longest), np.nan)
    for number, (start, stop) in enumerate(limits):
        cut[number, :, : stop - start] = path[:, start:stop]
    n_types = len(classes)
    averages = np.full((n_types, len(path), longest), np.nan)
    errors = averages.copy()
    counts = np.zeros((n_types, longest), np.int64)
    for kind in range(n_types):
        trials = cut[values == kind]
        running = np.isfinite(trials[:, 0]).sum(axis=0)
        counts[kind] = running
        enough = running >= max(FEWEST_TRIALS, len(trials) / 2)
        averages[kind][:, enough] = np.nanmean(trials[:, :, enough], axis=0)
        spread = np.nanstd(trials[:, :, enough], axis=0, ddof=1)
        errors[kind][:, enough] = spread / np.sqrt(running[enough])
    return {"averages": averages, "errors": errors, "counts": counts}
