"""Behaviour and trials of NWB files, brought to the frames of a recording."""

import h5py
import numpy as np
import pandas as pd

from .alignment import at_frames, trials_at_frames
from .hdf5 import member, plain_text
from .nwb_series import dataset_of, groups_of_type, sample_times_s, scaled

_BEHAVIOUR_TYPES = ("TimeSeries", "SpatialSeries")
_MOST_COLUMNS = 200
_MOST_VALUES = 50_000_000


def behaviour_at_frames(file: h5py.File, frame_times_s: np.ndarray) -> pd.DataFrame | None:
    """Every TimeSeries and SpatialSeries of the file at the times of the frames.

    Columns are called after their series, with their unit; those of several dimensions get
    a number (SpatialSeries: x, y, z). None where there is none.
    """
    columns: dict[str, np.ndarray] = {}
    for series in groups_of_type(file, *_BEHAVIOUR_TYPES):
        data = dataset_of(series, "data")
        if data is None or data.ndim not in (1, 2) or data.dtype.kind not in "biuf":
            continue
        if not 1 < data.size <= _MOST_VALUES or (data.ndim == 2 and data.shape[1] > 32):
            continue
        times = sample_times_s(series, int(data.shape[0]))
        if times is None:
            continue
        values = scaled(data, np.asarray(data[()]))
        samples = pd.DataFrame(values.reshape(len(values), -1))
        samples.columns = pd.Index(_names(series, data, samples.shape[1]))
        found = at_frames(samples, times, frame_times_s)
        columns |= {str(name): found[name].to_numpy() for name in found}
        if len(columns) > _MOST_COLUMNS:
            break
    return pd.DataFrame(columns) if columns else None


def trials_of(file: h5py.File, frame_times_s: np.ndarray) -> pd.DataFrame | None:
    """Return the trials table with frames in place of seconds; None where there is none."""
    group = member(file, "intervals/trials")
    if not isinstance(group, h5py.Group):
        return None
    starts, stops = (dataset_of(group, name) for name in ("start_time", "stop_time"))
    if starts is None or stops is None or starts.shape != stops.shape or starts.ndim != 1:
        return None
    table = {"start_s": np.asarray(starts[()], float), "stop_s": np.asarray(stops[()], float)}
    names = group.attrs.get("colnames", ())
    for name in map(plain_text, np.ravel(names)):
        column = dataset_of(group, name)
        if name in ("start_time", "stop_time") or column is None:
            continue
        if column.shape == starts.shape and f"{name}_index" not in group:
            table[name] = _plain_column(column)
    return trials_at_frames(pd.DataFrame(table), frame_times_s, source=str(file.filename))


def _plain_column(column: h5py.Dataset) -> np.ndarray:
    values = np.asarray(column[()])
    if values.dtype.kind in "biuf":
        return values
    if isinstance(values.ravel()[0], np.bool_ | bool):
        return values.astype(bool)
    return np.array([plain_text(value) for value in values], dtype=np.str_)


def _names(series: h5py.Group, data: h5py.Dataset, n_columns: int) -> list[str]:
    stem = str(series.name).rsplit("/", 1)[-1]
    unit = plain_text(data.attrs.get("unit", "")).strip().replace("/", "_per_")
    known = unit.lower() not in ("", "unknown", "n.a.", "na", "a.u.", "none", "no unit", "-1")
    ending = f"_{unit.replace(' ', '_')}" if known else ""
    if n_columns == 1:
        return [f"{stem}{ending}"]
    spatial = n_columns <= 3 and "SpatialSeries" in plain_text(series.attrs["neurodata_type"])
    axes = list("xyz") if spatial else [str(number) for number in range(n_columns)]
    return [f"{stem}_{axes[number]}{ending}" for number in range(n_columns)]
