"""Behaviour and trial columns of a recording, found by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import CalmError, RecordingError
from ..core.recording import Recording

LIMITS = ("start_frame", "stop_frame")
# Whole numbers with at most so many different values are taken for classes.
MOST_CLASSES = 24
# Columns that count instead of telling what the animal does.
COUNTERS = frozenset({"trial", "trial_id", "trial_number", "frame", "index"})


@dataclass(frozen=True, eq=False)
class Column:
    """One behaviour or trial column.

    Parameters
    ----------
    name : str
        As in the table.
    values : numpy.ndarray, (frames,) or (trials,)
        float64 (NaN = not known); for classes the position in `classes`.
    classes : tuple of str
        Names of the classes in sorted order; empty for a continuous column.
    per_trial : bool
        Whether there is a value a trial instead of a frame.
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...]
    per_trial: bool

    @property
    def known(self) -> np.ndarray:
        """Where there is a value, (values,) of bool."""
        known: np.ndarray = np.isfinite(self.values)
        return known


def find_column(recording: Recording, name: str) -> Column:
    """Find a column by its name, or ``behaviour/NAME`` or ``trials/NAME`` where both have it.

    Text, truth values and at most `MOST_CLASSES` different whole numbers are classes; all
    other numbers are continuous.

    Raises
    ------
    RecordingError
        If there is no such column (the message lists what there is), it has the name of two,
        it is constant or empty, or a trial lies outside the recording.
    """
    found = [
        (table, per_trial)
        for prefix, table, per_trial in _tables(recording)
        for column in table
        if name in (column, prefix + str(column))
    ]
    where = recording.source or recording.name
    if not found:
        there = ", ".join(column_names(recording)) or "none"
        raise RecordingError(
            f"{where}: there is no behaviour or trial column {name!r}. There are: {there}."
        )
    if len(found) > 1:
        raise RecordingError(
            f"{where}: behaviour and trials both have a column {name!r}; write "
            f"behaviour/{name} or trials/{name}."
        )
    table, per_trial = found[0]
    plain = name.split("/", 1)[1] if name not in table else name
    values, classes = _as_numbers(table[plain])
    different = np.unique(values[np.isfinite(values)]).size
    if different < 2:
        raise RecordingError(
            f"{where}: the column {name!r} holds {different} different "
            f"value{'' if different == 1 else 's'}; expected at least 2."
        )
    if per_trial:
        trial_limits(recording)
    return Column(plain, values, classes, per_trial)


def column_names(recording: Recording) -> list[str]:
    """All columns that `find_column` knows, trial columns last."""
    tables = list(_tables(recording))
    every = [str(column) for _, table, _ in tables for column in table]
    return [
        prefix + str(column) if every.count(str(column)) > 1 else str(column)
        for prefix, table, _ in tables
        for column in table
    ]


def telling_columns(recording: Recording) -> list[str]:
    """Columns that say what the animal does: no clocks, counters or constants."""
    names = []
    for name in column_names(recording):
        plain = name.split("/", 1)[-1]
        if plain.lower() in COUNTERS or plain.lower().startswith("time"):
            continue
        try:
            column = find_column(recording, name)
        except CalmError:
            continue
        steps = np.diff(column.values[column.known])
        if not column.classes and ((steps > 0).all() or (steps < 0).all()):
            continue
        names.append(name)
    return names


def trial_limits(recording: Recording) -> np.ndarray:
    """First frame of each trial and the frame after its last, (trials, 2).

    Raises
    ------
    RecordingError
        If there are no trials, or one is empty or lies outside the recording.
    """
    where = recording.source or recording.name
    if recording.trials is None or len(recording.trials) == 0:
        raise RecordingError(f"{where}: there is no trial table.")
    try:
        limits = recording.trials[list(LIMITS)].to_numpy(np.int64)
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"{where}: start_frame and stop_frame of the trials must be whole numbers."
        ) from error
    wrong = (limits[:, 0] < 0) | (limits[:, 1] > recording.n_frames)
    wrong |= limits[:, 1] <= limits[:, 0]
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise RecordingError(
            f"{where}: trial {first} goes from frame {limits[first, 0]} to {limits[first, 1]}; "
            f"expected a part of the {recording.n_frames} frames ({int(wrong.sum())} of "
            f"{len(limits)} trials are wrong)."
        )
    return limits


def _tables(recording: Recording) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    if recording.behaviour is not None:
        yield "behaviour/", recording.behaviour, False
    if recording.trials is not None:
        yield "trials/", recording.trials.drop(columns=list(LIMITS)), True


def _as_numbers(column: "pd.Series[Any]") -> tuple[np.ndarray, tuple[str, ...]]:
    """Values as float64, and the classes they are positions in."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(np.float64, na_value=np.nan)
        values = np.where(np.isfinite(values), values, np.nan)
        levels = np.unique(values[np.isfinite(values)])
        if levels.size > MOST_CLASSES or (levels != np.round(levels)).any():
            return values, ()
        names = tuple(f"{level:g}" for level in levels)
        codes = np.searchsorted(levels, values).astype(np.float64)
        return np.where(np.isfinite(values), codes, np.nan), names
    text = np.array(["" if pd.isna(value) else str(value) for value in column])
    levels = np.unique(text[text != ""])
    if levels.size > len(text) / 2:
        raise CalmError(
            f"column {column.name!r}: {levels.size} different texts in {len(text)} rows are "
            "names, not classes."
        )
    codes = np.searchsorted(levels, text).astype(np.float64)
    return np.where(text == "", np.nan, codes), tuple(map(str, levels))
