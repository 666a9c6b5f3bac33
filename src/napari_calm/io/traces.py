"""Recordings as npz archives of plain arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.recording import Recording, check_frame_rate, usable_traces
from ..extraction.usable import leave_out_unusable
from .labels import footprint_arrays, footprints_from_arrays
from .npz import open_npz, write_npz

_RATE_KEYS = ("fps", "frame_rate_hz")
_OWN_KEYS = ("traces", "name", "timestamps_s", "unit", "notes", *_RATE_KEYS)
_ACCEPTED = "accepted_cells"
_COLUMN_KINDS = "biufU"


def read_traces_npz(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    drop_unusable: bool = False,
    footprints: Footprints | None = None,
) -> Recording:
    """Read traces and what goes with them from an npz archive.

    Besides `traces` (neurons, frames) in dF/F and the frame rate (`fps` or
    `frame_rate_hz`, NaN = not known), any array of numbers or text with one value a frame
    becomes a behaviour column under its own name. Archives of `write_recording` hold
    ``behaviour/<column>``, ``trials/<column>``, ``quality/<column>``, ``footprints/<part>``,
    `timestamps_s`, `unit`, `notes` and `accepted_cells` as well. All other arrays are left
    alone. Pickled contents are never read.

    Parameters
    ----------
    path : path
        The archive.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.
    footprints : Footprints, optional
        ROIs of the traces, used where the archive has none.

    Raises
    ------
    RecordingError
        If the file is missing or no such archive, the frame rate is missing or 0, or a
        trace is constant or not finite.
    """
    path = Path(path)
    with open_npz(path) as arrays:
        if "traces" not in arrays:
            raise RecordingError(
                f"{path}: no array named 'traces' (neurons, frames). Found: "
                f"{', '.join(arrays) or 'nothing'}."
            )
        traces = arrays["traces"]
        if traces.ndim != 2 or traces.dtype.kind not in "biuf":
            raise RecordingError(
                f"{path}: traces are {traces.dtype} of shape {traces.shape}; expected numbers "
                "(neurons, frames)."
            )
        rate = check_frame_rate(
            recorded_rate_hz(arrays) if frame_rate_hz is None else frame_rate_hz,
            source=str(path),
        )
        parts = _part(arrays, "footprints/")
        if parts:
            footprints = footprints_from_arrays(parts, source=str(path))
        behaviour = _behaviour(arrays, traces.shape[1])
        trials = _part(arrays, "trials/")
        name = str(arrays["name"]) if "name" in arrays else path.stem
        timestamps_s = arrays.get("timestamps_s")
        unit = str(arrays["unit"]) if "unit" in arrays else "dF/F"
        quality = _part(arrays, "quality/")
        notes = tuple(map(str, np.ravel(arrays["notes"]))) if "notes" in arrays else ()
        accepted = arrays.get(_ACCEPTED)
        if accepted is not None and accepted.shape != (len(traces),):
            raise RecordingError(
                f"{path}: {_ACCEPTED} is of shape {accepted.shape} for {len(traces)} traces."
            )
    usable = usable_traces(traces) if drop_unusable else slice(None)
    if drop_unusable:
        traces, footprints = leave_out_unusable(traces, footprints, source=str(path))
    return Recording(
        traces,
        rate,
        name=name,
        source=str(path),
        footprints=footprints,
        behaviour=pd.DataFrame(behaviour) if behaviour else None,
        trials=_table(trials, path) if trials else None,
        timestamps_s=timestamps_s,
        unit=unit,
        quality=_quality(quality, usable, path) if quality else None,
        notes=notes,
        accepted=None if accepted is None else np.asarray(accepted)[usable],
    )


def write_recording(recording: Recording, path: str | Path) -> None:
    """Write traces, frame rate, footprints, behaviour and trials to an npz archive.

    The movie stays where it is. Missing text becomes empty text; columns of other kinds
    than numbers, truth values and text are written as text.
    """
    arrays: dict[str, Any] = {
        "traces": recording.traces,
        "fps": np.float64(recording.frame_rate_hz),
        "name": np.str_(recording.name),
        "unit": np.str_(recording.unit),
    }
    if recording.timestamps_s is not None:
        arrays["timestamps_s"] = recording.timestamps_s
    if recording.accepted is not None:
        arrays[_ACCEPTED] = recording.accepted
    if recording.notes:
        arrays["notes"] = np.array(recording.notes, dtype=np.str_)
    for prefix, table in (
        ("behaviour/", recording.behaviour),
        ("trials/", recording.trials),
        ("quality/", recording.quality),
    ):
        if table is not None:
            arrays |= {f"{prefix}{column}": _plain_column(table[column]) for column in table}
    if recording.footprints is not None:
        parts = footprint_arrays(recording.footprints)
        arrays |= {f"footprints/{name}": part for name, part in parts.items()}
    write_npz(path, arrays)


def recorded_rate_hz(arrays: Mapping[str, np.ndarray]) -> float | None:
    """Frame rate that an archive gives, else None; NaN stands for "not known"."""
    for key in _RATE_KEYS:
        if key in arrays and arrays[key].size == 1 and arrays[key].dtype.kind in "iuf":
            return float(arrays[key].item())
    return None


def _behaviour(arrays: Mapping[str, np.ndarray], n_frames: int) -> dict[str, np.ndarray]:
    columns = _part(arrays, "behaviour/")
    for name in arrays:
        if "/" not in name and name not in (*_OWN_KEYS, _ACCEPTED):
            values = arrays[name]
            if values.shape == (n_frames,) and values.dtype.kind in _COLUMN_KINDS:
                columns[name] = values
    return columns


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)
    }


def _quality(
    columns: dict[str, np.ndarray], usable: np.ndarray | slice, path: Path
) -> pd.DataFrame | None:
    table = _table(columns, path)
    return table.loc[usable].reset_index(drop=True)


def _table(columns: dict[str, np.ndarray], path: Path) -> pd.DataFrame:
    lengths = {name: values.shape for name, values in columns.items()}
    if len(set(lengths.values())) != 1 or any(len(shape) != 1 for shape in lengths.values()):
        raise RecordingError(
            f"{path}: the columns of a table are of different length: {lengths}."
        )
    return pd.DataFrame(columns)


def _plain_column(column: "pd.Series[Any]") -> np.ndarray:
    if pd.api.types.is_bool_dtype(column) and not column.hasnans:
        return column.to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy()
        # Nullable pandas numbers with gaps would become objects.
        return (
            values
            if values.dtype.kind in "iuf"
            else column.to_numpy(dtype=float, na_value=np.nan)
        )
    return np.array(["" if pd.isna(value) else str(value) for value in column], dtype=np.str_)
