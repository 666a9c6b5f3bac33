"""Traces as plain arrays (npy) and as tables (csv, tsv, parquet)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import CalmError, RecordingError
from ..core.footprints import Footprints
from ..core.recording import Recording, check_frame_rate
from .clock import rate_and_times
from .finished import finished_recording
from .restricted_pickle import load_npy
from .tables import RESULT_TABLES, read_table, time_column, write_table

_FRAME_NAMES = ("frame", "frames", "frame_index", "index")
# Our own long tables are results, not traces.
_LONG = ({"neuron", "frame"}, {"neuron", "token"}, {"start_frame", "stop_frame"})


def read_trace_array(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    drop_unusable: bool = False,
    footprints: Footprints | None = None,
    transpose: bool = False,
) -> Recording:
    """Read traces (neurons, frames) from an ``.npy`` file.

    Parameters
    ----------
    path : path
        One array of numbers; nothing pickled.
    frame_rate_hz : float
        Frames a second, which such a file cannot hold.
    footprints : Footprints, optional
        ROIs of the traces.
    transpose : bool
        The array holds (frames, neurons).

    Raises
    ------
    RecordingError
        If the file is damaged or no such array, or the frame rate is missing.
    """
    path = Path(path)
    traces = load_npy(path)
    if (
        not isinstance(traces, np.ndarray)
        or traces.ndim != 2
        or traces.dtype.kind not in "biuf"
    ):
        found = f"{getattr(traces, 'dtype', type(traces).__name__)} of shape "
        raise RecordingError(
            f"{path}: holds {found}{getattr(traces, 'shape', '')}; expected numbers "
            "(neurons, frames)."
        )
    rate = check_frame_rate(frame_rate_hz, source=str(path))
    return finished_recording(
        traces.T if transpose else traces,
        rate,
        name=path.stem,
        source=str(path),
        footprints=footprints,
        drop_unusable=drop_unusable,
        notes=_note(traces.T if transpose else traces),
    )


def read_trace_table(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    drop_unusable: bool = False,
    footprints: Footprints | None = None,
    transpose: bool = False,
) -> Recording:
    """Read traces from a table with one row a frame and one column a neuron.

    A column of seconds (`time_s`, `timestamp`, `time` ...) gives frame rate and timestamps;
    a column of frame numbers is left out.

    Parameters
    ----------
    path : path
        csv, tsv or parquet with column names.
    frame_rate_hz : float, optional
        Frames a second; goes before the times.
    footprints : Footprints, optional
        ROIs of the traces.
    transpose : bool
        The table has one row a neuron and one column a frame.

    Raises
    ------
    RecordingError
        If the table is damaged or holds something else than traces, or the frame rate is
        missing.
    """
    path = Path(path)
    table = read_table(path)
    names = {str(name) for name in table}
    if any(signs <= names for signs in _LONG):
        raise RecordingError(
            f"{path}: holds results or trials, not traces (columns "
            f"{', '.join(sorted(names))}). Expected one column a neuron and one row a frame."
        )
    times: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    rate = frame_rate_hz
    seconds = None if transpose else time_column(table)
    if seconds is not None:
        rate, times, notes = rate_and_times(
            table[seconds].to_numpy(dtype=float), source=str(path), frame_rate_hz=frame_rate_hz
        )
    dropped = [n for n in table if n == seconds or str(n).strip().lower() in _FRAME_NAMES]
    columns = table.drop(columns=dropped)
    if columns.shape[1] and str(columns.columns[0]).startswith("Unnamed"):
        columns = columns.iloc[:, 1:]
    other = [str(n) for n in columns if not pd.api.types.is_numeric_dtype(columns[n])]
    if other or columns.empty:
        raise RecordingError(
            f"{path}: expected numbers, one column a neuron and one row a frame; "
            + (f"the columns {', '.join(other[:5])} hold text." if other else "found nothing.")
        )
    traces = columns.to_numpy(dtype=np.float32, na_value=np.nan)
    traces = traces if transpose else traces.T
    return finished_recording(
        traces,
        check_frame_rate(rate, source=str(path)),
        name=path.stem,
        source=str(path),
        footprints=footprints,
        drop_unusable=drop_unusable,
        timestamps_s=times,
        notes=(*notes, *_note(traces)),
    )


def describe_trace_array(path: str | Path) -> dict[str, Any]:
    """Size of an array of traces."""
    path = Path(path)
    traces = load_npy(path)
    shape = tuple(getattr(traces, "shape", ()))
    if len(shape) != 2:
        raise RecordingError(f"{path}: an array of shape {shape}; expected (neurons, frames).")
    return {"n_neurons": shape[0], "n_frames": shape[1], "frame_rate_hz": None}


def describe_table(path: str | Path) -> dict[str, Any]:
    """Size and columns of a table."""
    table = read_table(path)
    seconds = time_column(table)
    rate = None
    if seconds is not None and len(table) > 1:
        step_s = float(np.nanmedian(np.diff(table[seconds].to_numpy(dtype=float))))
        rate = 1 / step_s if step_s > 0 else None
    return {
        "n_rows": len(table),
        "columns": [str(name) for name in table][:1000],
        "time_column": seconds,
        "sampling_rate_hz": rate,
    }


def trace_table(recording: Recording) -> pd.DataFrame:
    """Traces as a table: `time_s`, and one column a neuron called by its label."""
    columns: dict[str, np.ndarray] = {"time_s": recording.frame_times_s}
    for label, trace in zip(recording.roi_labels, recording.traces, strict=True):
        columns[f"neuron_{label}"] = trace
    return pd.DataFrame(columns)


def write_traces(recording: Recording, path: str | Path) -> None:
    """Write the traces of a recording as ``.csv`` or ``.parquet``; see `trace_table`.

    Raises
    ------
    CalmError
        If the path ends in neither.
    """
    path = Path(path)
    if path.suffix.lower() not in RESULT_TABLES:
        raise CalmError(
            f"{path}: tables are written as .csv or .parquet; found {path.suffix!r}."
        )
    write_table(trace_table(recording), path)


def _note(traces: np.ndarray) -> tuple[str, ...]:
    if traces.shape[0] <= traces.shape[1]:
        return ()
    return (
        f"{traces.shape[0]} neurons x {traces.shape[1]} frames: more neurons than frames. If "
        "the axes are exchanged, give --transpose (transpose=True in Python, 'Exchange axes' "
        "in the window).",
    )
