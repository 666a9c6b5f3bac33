"""What is to be decoded: a variable of the recording, or one that is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.errors import CalmError, RecordingError
from ..core.recording import Recording

Kind: TypeAlias = Literal["continuous", "circular", "classes"]
Per: TypeAlias = Literal["frame", "trial"]
AngleUnit: TypeAlias = Literal["auto", "rad", "deg"]

KINDS: tuple[Kind, ...] = ("continuous", "circular", "classes")
MOST_CLASSES = 12
# Columns that say when or which, not what the animal does.
CLOCKS = {"time", "time_s", "time_in_trial", "trial", "trial_id", "frame"}
CIRCLE_NAMES = (
    "heading",
    "azimuth",
    "bearing",
    "direction_rad",
    "direction_deg",
    "orientation",
)


@dataclass(frozen=True, eq=False, repr=False)
class Target:
    """A variable with one value a frame or a trial.

    Parameters
    ----------
    name : str
        What it is called.
    kind : {"continuous", "circular", "classes"}
    per : {"frame", "trial"}
        What it has one value of.
    values : numpy.ndarray, (frames,) or (trials,)
        Numbers, NaN where unknown; angles in radians for a circular variable; for classes
        their numbers in `classes`, -1 where unknown.
    classes : tuple of str
        Names of the classes; empty for the other kinds.
    unit : {"", "rad", "deg"}
        Unit in which a circular variable came.

    Raises
    ------
    CalmError
        If there is nothing to tell apart: one class, a constant, or no value at all.
    """

    name: str
    kind: Kind
    per: Per
    values: np.ndarray
    classes: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        known = self.values[self.known]
        if known.size == 0:
            raise CalmError(f"{self.name}: every value is missing; there is nothing to decode.")
        if np.ptp(known) == 0:
            only = self.classes[int(known[0])] if self.kind == "classes" else f"{known[0]:g}"
            raise CalmError(
                f"{self.name}: its value is {only} in all {known.size} {self.per}s; decoding "
                "takes a variable that varies."
            )

    def __repr__(self) -> str:
        of = f" of {', '.join(self.classes)}" if self.classes else ""
        return f"Target({self.name!r}, {self.kind}{of}, {self.values.size} {self.per}s)"

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where the value is known, (frames,) or (trials,) of bool."""
        known: NDArray[np.bool_] = (
            self.values >= 0 if self.kind == "classes" else np.isfinite(self.values)
        )
        return known

    @property
    def n_outputs(self) -> int:
        """Numbers a decoder says of each sample: 1, cosine and sine, or one a class."""
        return {"continuous": 1, "circular": 2}.get(self.kind, len(self.classes))

    def outputs(self, chosen: np.ndarray) -> NDArray[np.float64]:
        """What a decoder is fitted to at the chosen samples, (samples, n_outputs)."""
        values = self.values[chosen]
        columns: NDArray[np.float64]
        if self.kind == "classes":
            columns = np.eye(len(self.classes))[values]
        elif self.kind == "circular":
            columns = np.stack([np.cos(values), np.sin(values)], axis=1)
        else:
            columns = values[:, None].astype(np.float64)
        return columns

    def without_classes(self, unwanted: Sequence[int]) -> "Target":
        """Return the same variable with some classes counted as unknown."""
        kept = [code for code in range(len(self.classes)) if code not in unwanted]
        codes = np.full(len(self.classes) + 1, -1)
        codes[kept] = np.arange(len(kept))
        names = tuple(self.classes[code] for code in kept)
        return Target(self.name, self.kind, self.per, codes[self.values], names)


def list_variables(recording: Recording) -> dict[str, list[str]]:
    """Columns of a recording that can be decoded, by table: "behaviour" and "trials".

    Clocks, columns without a second value, and the limits of the trials are left out.
    """
    found = {}
    for table, columns in (("behaviour", recording.behaviour), ("trials", recording.trials)):
        names = [] if columns is None else [str(name) for name in columns]
        found[table] = [
            name
            for name in names
            if name not in CLOCKS | {"start_frame", "stop_frame"}
            and columns is not None
            and columns[name].nunique() > 1
        ]
    return found


def read_target(
    recording: Recording,
    target: str | Sequence[Any] | np.ndarray,
    *,
    kind: Kind | Literal["auto"] = "auto",
    unit: AngleUnit = "auto",
    name: str = "target",
) -> Target:
    """Find a variable and tell what kind it is.

    Text, truth values and up to `MOST_CLASSES` different whole numbers are classes. A column
    called heading, azimuth or the like that stays within one circle is circular.

    Parameters
    ----------
    target : str or array
        A column of the recording's behaviour or trials ("trials/cue" where both have one),
        or the values themselves, one a frame or one a trial.
    kind : {"auto", "continuous", "circular", "classes"}
    unit : {"auto", "rad", "deg"}
        Of a circular variable; radians if no value is beyond one turn of them.
    name : str
        What to call values that are given as an array.

    Raises
    ------
    CalmError
        If there is no such column, the length fits neither frames nor trials, or the values
        cannot be of that kind.
    """
    if kind not in ("auto", *KINDS):
        raise CalmError(
            f"decode: found the kind {kind!r}; expected auto or {', '.join(KINDS)}."
        )
    if unit not in ("auto", "rad", "deg"):
        raise CalmError(f"decode: found the unit {unit!r}; expected auto, rad or deg.")
    if isinstance(target, str):
        column, per, name = _column(recording, target)
    else:
        column, per = pd.Series(_one_dimensional(target, name)), _per(recording, target, name)
    if kind == "auto":
        kind = _kind(column, name)
    if kind == "classes":
        return Target(name, kind, per, *_classes(column))
    values = _numbers(column, name, kind)
    if kind == "continuous":
        return Target(name, kind, per, values)
    if unit == "auto":
        unit = _circle_unit(values, name)
    radians = values if unit == "rad" else np.deg2rad(values)
    return Target(name, kind, per, np.angle(np.exp(1j * radians)), unit=unit)


def _column(recording: Recording, target: str) -> tuple["pd.Series[Any]", Per, str]:
    where = recording.source or recording.name
    tables: dict[str, tuple[pd.DataFrame | None, Per]] = {
        "behaviour": (recording.behaviour, "frame"),
        "trials": (recording.trials, "trial"),
    }
    table, _, name = target.rpartition("/")
    found: list[tuple[pd.Series[Any], Per]] = [
        (columns[name], per)
        for kind, (columns, per) in tables.items()
        if columns is not None and name in columns and table in ("", kind)
    ]
    if len(found) == 1:
        return (*found[0], name)
    if found:
        raise CalmError(
            f"{where}: both behaviour and trials have a column {name!r}. Say which: "
            f"behaviour/{name} or trials/{name}."
        )
    there = list_variables(recording)
    listed = "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in there.items())
    raise RecordingError(
        f"{where}: there is no column {target!r} to decode. Found {listed}. Choose one of "
        "these, or give the values as an array."
    )


def _one_dimensional(target: Sequence[Any] | np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(target)
    if values.ndim != 1:
        raise CalmError(
            f"{name}: found values of shape {values.shape}; expected one a frame or a trial."
        )
    return values


def _per(recording: Recording, target: Sequence[Any] | np.ndarray, name: str) -> Per:
    n_trials = 0 if recording.trials is None else len(recording.trials)
    if len(target) == recording.n_frames:
        return "frame"
    if len(target) == n_trials:
        return "trial"
    longer = "longer" if len(target) > recording.n_frames else "shorter"
    trials = f" or {n_trials} (one a trial)" if n_trials else ""
    raise CalmError(
        f"{name}: found {len(target)} values, which is {longer} than the recording; expected "
        f"{recording.n_frames} (one a frame){trials}. Cut or resample it to the frames."
    )


def _classes(column: "pd.Series[Any]") -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers of the classes, -1 where missing, and their names in order."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        codes, found = pd.factorize(column, sort=True)
        return codes, tuple(f"{value:g}" for value in found)
    text = column.map(lambda value: value if pd.isna(value) else str(value))
    codes, found = pd.factorize(text.replace("", np.nan), sort=True)
    return codes, tuple(map(str, found))


def _kind(column: "pd.Series[Any]", name: str) -> Kind:
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return "classes"
    values = column.dropna().to_numpy(float)
    if values.size and (values == np.round(values)).all():
        if np.unique(values).size <= MOST_CLASSES:
            return "classes"
    elif any(part in name.lower() for part in CIRCLE_NAMES):
        span = float(np.ptp(values)) if values.size else 0.0
        if np.pi < span <= 2 * np.pi + 1e-3 or 180 < span <= 360 + 1e-3:
            return "circular"
    return "continuous"


def _numbers(column: "pd.Series[Any]", name: str, kind: str) -> np.ndarray:
    try:
        values = pd.to_numeric(column).to_numpy(float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise CalmError(
            f"{name}: its values are text or other things ({error}); a {kind} variable is "
            "numbers. Decode it as classes."
        ) from error
    return np.where(np.isfinite(values), values, np.nan)


def _circle_unit(values: np.ndarray, name: str) -> Literal["rad", "deg"]:
    largest, span = float(np.nanmax(np.abs(values))), float(np.ptp(values[~np.isnan(values)]))
    if max(largest, span) <= 2 * np.pi + 1e-3:
        return "rad"
    if largest <= 360 + 1e-3 and span <= 360 + 1e-3:
        return "deg"
    raise CalmError(
        f"{name}: values up to {largest:g} lie on more than one turn, in radians as in "
        "degrees. Say which it is: --unit deg on the command line, unit='deg' in Python."
    )
