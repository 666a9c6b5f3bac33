"""Which neurons follow a behaviour or trial column, how strongly, and how surely."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from ..core.errors import CalmError, RecordingError
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording
from ..core.token_map import checked_roi_labels
from .columns import Column, find_column, trial_limits
from .tuning import Tuning, d_prime, explained_share, visit_errors

# A shift has to carry a trace away from what it followed.
LEAST_SHIFT_S = 10.0
FEWEST_PER_CLASS = 2


@dataclass(frozen=True, eq=False, repr=False)
class Selectivity:
    """Selectivity of every neuron for one column.

    A neuron that was left out has NaN everywhere.

    Parameters
    ----------
    column : str
        Name of the column.
    per_trial : bool
        Whether single trials (mean dF/F of each) or single frames were compared.
    bins : tuple of str
        Names of the classes, or of the bins of a continuous column.
    bin_centres : numpy.ndarray, (bins,)
        Mean value in each bin, in the column's unit; 0, 1, 2 ... for classes.
    occupancy : numpy.ndarray, (bins,)
        Seconds in each bin, or trials.
    tuning, tuning_error : numpy.ndarray, (neurons, bins)
        Mean dF/F in each bin and its standard error. Frames that follow one another in a bin
        count as one visit, for neighbouring frames are no independent measurements; NaN for
        bins visited once.
    d_prime : numpy.ndarray, (neurons,)
        Two classes: difference of the means (second less first class, in sorted order) over
        the root of the mean variance. More classes or bins: the bin with the largest mean
        against all others, so never below 0 by chance alone.
    explained : numpy.ndarray, (neurons,)
        Share of variance between the bins (eta squared), 0 to 1; what the test is about.
    p_value, q_value : numpy.ndarray, (neurons,)
        Share of shifted (per frame) or permuted (per trial) columns that explain as much, and
        the same corrected for the number of neurons (Benjamini and Hochberg 1995).
    null_explained : numpy.ndarray, (neurons,)
        Mean of `explained` over those columns.
    draws : int
        Shifts or permutations.
    recording_name : str
    roi_labels : numpy.ndarray of int, (neurons,), optional

    Raises
    ------
    CalmError
        If shapes do not fit.
    """

    column: str
    per_trial: bool
    bins: tuple[str, ...]
    bin_centres: np.ndarray
    occupancy: np.ndarray
    tuning: np.ndarray
    tuning_error: np.ndarray
    d_prime: np.ndarray
    explained: np.ndarray
    p_value: np.ndarray
    q_value: np.ndarray
    null_explained: np.ndarray
    draws: int
    recording_name: str = ""
    roi_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", tuple(str(name) for name in self.bins))
        n_neurons, n_bins = len(self.d_prime), len(self.bins)
        shapes = {
            "bin_centres": (n_bins,),
            "occupancy": (n_bins,),
            "tuning": (n_neurons, n_bins),
            "tuning_error": (n_neurons, n_bins),
            "d_prime": (n_neurons,),
            "explained": (n_neurons,),
            "p_value": (n_neurons,),
            "q_value": (n_neurons,),
            "null_explained": (n_neurons,),
        }
        for name, shape in shapes.items():
            values = np.array(getattr(self, name), np.float64)
            if values.shape != shape:
                raise CalmError(
                    f"selectivity: {name} has shape {values.shape}; expected {shape}."
                )
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        labels = checked_roi_labels(self.roi_labels, n_neurons, what="selectivity")
        object.__setattr__(self, "roi_labels", labels)

    def __repr__(self) -> str:
        return f"Selectivity({self.verdict()})"

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.d_prime)

    @property
    def known(self) -> np.ndarray:
        """Which neurons were tested, (neurons,) of bool; the others were left out."""
        known: np.ndarray = ~np.isnan(self.p_value)
        return known

    def among(self, recording: Recording, neurons: np.ndarray) -> "Selectivity":
        """Return the same for all neurons of a recording, of which these are `neurons`.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray
            Where in it each neuron tested is; indices, or one truth value a neuron.
        """

        def spread(values: np.ndarray) -> np.ndarray:
            wide = np.full((recording.n_neurons, *values.shape[1:]), np.nan)
            wide[neurons] = values
            return wide

        return replace(
            self,
            tuning=spread(self.tuning),
            tuning_error=spread(self.tuning_error),
            d_prime=spread(self.d_prime),
            explained=spread(self.explained),
            p_value=spread(self.p_value),
            q_value=spread(self.q_value),
            null_explained=spread(self.null_explained),
            roi_labels=recording.roi_labels,
        )

    @property
    def preferred(self) -> np.ndarray:
        """Number of the bin with the largest mean, (neurons,); -1 for one left out."""
        found = np.full(self.n_neurons, -1)
        found[self.known] = np.nanargmax(self.tuning[self.known], axis=1)
        return found

    def significant(self, level: float = 0.05) -> np.ndarray:
        """Neurons whose corrected p-value is at most `level`, (neurons,) of bool."""
        found: np.ndarray = self.q_value <= level
        return found

    def features(self) -> pd.DataFrame:
        """Feature columns that views can colour by, one row a neuron."""
        name = self.column
        return pd.DataFrame(
            {
                f"{name}: d'": self.d_prime,
                f"{name}: explained": self.explained,
                f"{name}: preferred": np.array([*self.bins, ""])[self.preferred],
                f"{name}: p": self.p_value,
                f"{name}: q": self.q_value,
            }
        )

    def table(self) -> pd.DataFrame:
        """`features` behind `neuron` and `roi_label`, and the tuning curve behind them."""
        ids = pd.DataFrame({"neuron": np.arange(self.n_neurons), "roi_label": self.roi_labels})
        curves = {
            f"{self.column}: {what} at {name}": values[:, number]
            for number, name in enumerate(self.bins)
            for what, values in (("mean", self.tuning), ("error", self.tuning_error))
        }
        return pd.concat([ids, self.features(), pd.DataFrame(curves)], axis=1)

    def verdict(self) -> str:
        """One sentence in plain words."""
        how = "permutation of trials" if self.per_trial else "circular shift"
        return (
            f"{int(self.significant().sum())} of {self.known.sum()} neurons are selective for "
            f"{self.column} ({how}, false discovery rate 5 %)."
        )


def selectivity_steps(
    recording: Recording,
    column: str,
    *,
    bins: int = 10,
    window_s: tuple[float, float] | None = None,
    draws: int = 500,
    seed: int = 0,
) -> Steps[Selectivity]:
    """`selectivity` as a generator of progress."""
    found = find_column(recording, column)
    if bins < 2 or draws < 20:
        raise CalmError(
            f"selectivity: bins is {bins} and draws {draws}; expected at least 2 and 20."
        )
    tuning = _tuning_of(recording, found, bins, window_s)
    explained = explained_share(tuning.responses, tuning.one_hot)
    rng = np.random.default_rng(seed)
    as_much = np.zeros(len(explained))
    sums = np.zeros(len(explained))
    for number, other in enumerate(_disturbed(recording, found, tuning, draws, rng)):
        by_chance = explained_share(tuning.responses, other)
        as_much += by_chance >= explained - 1e-12
        sums += by_chance
        yield Progress(number + 1, draws, f"Selectivity for {found.name}")
    p_value = (1 + as_much) / (1 + draws)
    means, errors = visit_errors(tuning, per_trial=found.per_trial)
    unit = 1.0 if found.per_trial else 1 / recording.frame_rate_hz
    return Selectivity(
        column=found.name,
        per_trial=found.per_trial,
        bins=tuning.names,
        bin_centres=tuning.centres,
        occupancy=tuning.one_hot.sum(axis=0) * unit,
        tuning=means,
        tuning_error=errors,
        d_prime=d_prime(tuning, signed=len(found.classes) == 2),
        explained=explained,
        p_value=p_value,
        q_value=false_discovery_control(p_value),
        null_explained=sums / draws,
        draws=draws,
        recording_name=recording.name,
        roi_labels=recording.roi_labels,
    )


def selectivity(
    recording: Recording,
    column: str,
    *,
    bins: int = 10,
    window_s: tuple[float, float] | None = None,
    draws: int = 500,
    seed: int = 0,
) -> Selectivity:
    """Selectivity of every neuron for a behaviour or trial column.

    Parameters
    ----------
    column : str
        Text, truth values and few whole numbers are classes; other numbers are cut into bins
        of equal occupancy.
    bins : int
        Bins of a continuous column.
    window_s : (float, float), optional
        Part of each trial to average, in seconds from its start; the whole trial if not
        given. Only for trial columns.
    draws : int
        Frames are no independent measurements, so a behaviour column is tested against itself
        shifted in a circle by at least 10 s (or a tenth of a shorter recording); a trial
        column against itself permuted over the trials. Strictly periodic behaviour looks the
        same after a shift by its period and is never significant.
    seed : int

    Raises
    ------
    RecordingError
        If there is no such column, it is constant, or a class has fewer than 2 trials.
    CalmError
        If bins, draws or window are impossible.

    Examples
    --------
    >>> from napari_calm.simulate.session import simulate_session
    >>> recording = simulate_session(seed=1, n_neurons=12, n_trials=8).recording
    >>> selectivity(recording, "cue", draws=99).bins
    ('left', 'right')
    """
    return run(
        selectivity_steps(
            recording, column, bins=bins, window_s=window_s, draws=draws, seed=seed
        )
    )


def feature_table(results: Sequence[Selectivity]) -> pd.DataFrame:
    """Features of several columns side by side, behind `neuron` and `roi_label`.

    Raises
    ------
    CalmError
        If there is none, or they are of different neurons.
    """
    if not results:
        raise CalmError("selectivity: no result given; expected at least one.")
    first = results[0]
    for other in results[1:]:
        if not np.array_equal(first.roi_labels, other.roi_labels):
            raise CalmError(
                f"selectivity: {first.column} and {other.column} are of different neurons."
            )
    ids = pd.DataFrame({"neuron": np.arange(first.n_neurons), "roi_label": first.roi_labels})
    return pd.concat([ids, *(result.features() for result in results)], axis=1)


def _tuning_of(
    recording: Recording, column: Column, bins: int, window_s: tuple[float, float] | None
) -> Tuning:
    where = recording.source or recording.name
    if column.per_trial:
        responses = trial_means(recording, window_s)
    elif window_s is not None:
        raise CalmError(
            f"selectivity: {column.name} has a value a frame; window_s is for trial columns."
        )
    else:
        responses = recording.traces.astype(np.float64)
    tuning = Tuning.of(responses, column, bins)
    fewest = int(tuning.one_hot.sum(axis=0).min())
    if fewest < FEWEST_PER_CLASS:
        rare = tuning.names[int(tuning.one_hot.sum(axis=0).argmin())]
        what = "trial" if column.per_trial else "frame"
        raise RecordingError(
            f"{where}: {rare!r} of the column {column.name!r} occurs in {fewest} {what}"
            f"{'' if fewest == 1 else 's'}; expected at least {FEWEST_PER_CLASS} of each."
        )
    return tuning


def trial_means(
    recording: Recording, window_s: tuple[float, float] | None = None
) -> np.ndarray:
    """Mean dF/F of every neuron in every trial, or in a window of it, (neurons, trials).

    Raises
    ------
    RecordingError
        If the trials are impossible, or a trial ends before the window begins.
    CalmError
        If the window ends before it begins.
    """
    limits = trial_limits(recording).copy()
    if window_s is not None:
        first, last = window_s
        if not 0 <= first < last:
            raise CalmError(
                f"selectivity: the window goes from {first:g} to {last:g} s; expected 0 or "
                "more, and an end after the beginning."
            )
        starts, stops = limits.T
        begin = starts + np.floor(first * recording.frame_rate_hz).astype(int)
        end = np.minimum(stops, starts + np.ceil(last * recording.frame_rate_hz).astype(int))
        if (begin >= end).any():
            raise RecordingError(
                f"{recording.source or recording.name}: {int((begin >= end).sum())} of "
                f"{len(limits)} trials end before the window of {first:g} to {last:g} s."
            )
        limits = np.stack([begin, end], axis=1)
    return np.stack(
        [recording.traces[:, start:stop].mean(axis=1) for start, stop in limits], axis=1
    ).astype(np.float64)


def _disturbed(
    recording: Recording,
    column: Column,
    tuning: Tuning,
    draws: int,
    rng: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Bins of the column, permuted over trials or shifted in a circle."""
    n_values = len(tuning.one_hot)
    least = round(min(LEAST_SHIFT_S * recording.frame_rate_hz, 0.1 * n_values))
    for _ in range(draws):
        if column.per_trial:
            yield rng.permutation(tuning.one_hot)
        else:
            yield np.roll(tuning.one_hot, rng.integers(least, n_values - least + 1), axis=0)
