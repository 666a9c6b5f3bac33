"""Finding things in an NWB file, and when their samples were taken."""

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from ..core.errors import RecordingError
from .clock import rate_and_times
from .hdf5 import member, plain_text

# Where series lie; the rest (specifications, general) holds none.
_PLACES = ("processing", "acquisition", "stimulus/presentation", "analysis")


def neurodata_type(found: Any) -> str:
    """NWB type of a group or dataset; empty where it has none."""
    return plain_text(found.attrs.get("neurodata_type", ""))


def is_nwb(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file is NWB."""
    return "nwb_version" in file.attrs or neurodata_type(file) == "NWBFile"


def groups_of_type(file: h5py.File, *types: str) -> list[h5py.Group]:
    """All groups of the given NWB types, in the order of their names."""
    found: list[h5py.Group] = []
    for place in _PLACES:
        top = member(file, place)
        if isinstance(top, h5py.Group):
            found.extend(group for group in _walk(top) if neurodata_type(group) in types)
    return found


def _walk(group: h5py.Group, depth: int = 0) -> Iterator[h5py.Group]:
    yield group
    if depth > 8:
        return
    for name in sorted(group):
        link = group.get(name, getlink=True)
        # Soft links lead to what is found elsewhere, external ones out of the file.
        if isinstance(link, h5py.HardLink):
            below = group.get(name)
            if isinstance(below, h5py.Group):
                yield from _walk(below, depth + 1)


def dataset_of(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return the dataset `name` of a series; None where there is none."""
    found = member(group, name)
    return found if isinstance(found, h5py.Dataset) else None


def sample_times_s(series: h5py.Group, n_samples: int) -> np.ndarray | None:
    """When the samples of a series were taken, (samples,), seconds; None if not said."""
    times = dataset_of(series, "timestamps")
    if times is not None:
        if times.shape != (n_samples,):
            raise RecordingError(
                f"{series.file.filename}: {series.name} has {n_samples} samples and timestamps "
                f"of shape {times.shape}; expected one a sample."
            )
        return np.asarray(times[()], dtype=np.float64)
    start = dataset_of(series, "starting_time")
    if start is None or start.shape != () or "rate" not in start.attrs:
        return None
    rate = float(start.attrs["rate"])
    if not 0 < rate < float("inf"):
        return None
    times_s: np.ndarray = float(start[()]) + np.arange(n_samples) / rate
    return times_s


def frame_clock(
    series: h5py.Group, n_frames: int, frame_rate_hz: float | None
) -> tuple[float | None, np.ndarray | None, tuple[str, ...]]:
    """Rate, times and notes of the frames of a series; see `rate_and_times`."""
    times = sample_times_s(series, n_frames)
    if times is None or n_frames < 2:
        return frame_rate_hz, None, ()
    where = f"{series.file.filename}: {series.name}"
    start = dataset_of(series, "starting_time")
    if frame_rate_hz is None and start is not None and dataset_of(series, "timestamps") is None:
        # The number as it was written, not what is left of it in the times.
        frame_rate_hz = float(start.attrs["rate"])
    return rate_and_times(times, source=where, frame_rate_hz=frame_rate_hz)


def scaled(data: h5py.Dataset, values: np.ndarray) -> np.ndarray:
    """Numbers of a series in its unit: ``data * conversion + offset``."""
    factor, offset = (_attribute(data, name, default) for name, default in _SCALING)
    return values if (factor, offset) == (1.0, 0.0) else values * factor + offset


_SCALING = (("conversion", 1.0), ("offset", 0.0))


def _attribute(data: h5py.Dataset, name: str, default: float) -> float:
    value = np.asarray(data.attrs.get(name, default))
    number = (
        float(value.ravel()[0]) if value.size == 1 and value.dtype.kind in "iuf" else default
    )
    return number if np.isfinite(number) and (number or name == "offset") else default
