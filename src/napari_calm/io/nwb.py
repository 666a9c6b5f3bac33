"""NWB files of optical physiology: traces, ROIs, behaviour and trials."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Steps
from ..core.recording import Recording, check_frame_rate
from ..extraction.dff import dff_steps
from ..preprocess.baseline import running_baseline
from .finished import finished_recording
from .hdf5 import array_of, open_hdf5, plain_text
from .nwb_movie import movie_series_in, read_nwb_movie
from .nwb_rois import NwbRois, read_rois
from .nwb_series import (
    dataset_of,
    frame_clock,
    groups_of_type,
    neurodata_type,
    sample_times_s,
    scaled,
)
from .nwb_tables import behaviour_at_frames, trials_of

DEFAULT_NEUROPIL_COEFFICIENT = 0.7
# Share of traces with a baseline above 0 that raw fluorescence has at least.
_MOSTLY = 0.5
_NOT_TRACES = (
    "neuropil",
    "deconv",
    "spike",
    "background",
    "event",
    "/napari_calm/tokens",
    "/napari_calm/forecast",
)


def read_nwb_steps(
    path: str | Path,
    *,
    dataset: str | None = None,
    frame_rate_hz: float | None = None,
    cells_only: bool = False,
    drop_unusable: bool = False,
    transpose: bool | None = None,
    neuropil_coefficient: float = DEFAULT_NEUROPIL_COEFFICIENT,
) -> Steps[Recording]:
    """Read the traces of an NWB file with ROIs, behaviour and trials.

    1. Of the RoiResponseSeries, one in a DfOverF is taken as it is; else one of raw
       fluorescence. Whether it holds (time, ROI) or (ROI, time) is decided by the number of
       ROIs it refers to and of its timestamps.
    2. Raw fluorescence becomes dF/F as that of suite2p does: less `neuropil_coefficient` of
       a series called "neuropil" of the same shape, over the running baseline before the
       subtraction. Where most baselines are not above 0 (the traces are not raw) the traces
       stay as they are, and `unit` and a note say so.
    3. ROIs are those that the series refers to, which may be some of the table in another
       order. ROI id i is known as label i + 1.
    4. Behaviour (TimeSeries, SpatialSeries) and trials are brought to the frames by time.

    Parameters
    ----------
    path : path
        The file; what its links say of other files is not followed.
    dataset : str, optional
        Name of the RoiResponseSeries; needed where there are several of a kind.
    frame_rate_hz : float, optional
        Frames a second; goes before rate and timestamps of the series.
    cells_only : bool
        Keep only ROIs that the table accepts (column iscell or Accepted); all otherwise, and
        `accepted` says which those are.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.
    transpose : bool, optional
        Exchange the axes of the ROI masks, or do not; see `nwb_rois`.
    neuropil_coefficient : float
        Share of the neuropil to subtract.

    Raises
    ------
    RecordingError
        If there are no traces, several of which none was chosen, or parts contradict each
        other.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        series = _chosen(file, dataset, path)
        segmentation, rows = _roi_rows(series)
        values = _traces(series, rows, segmentation, str(path))
        rate, times, notes = frame_clock(series, values.shape[1], frame_rate_hz)
        rate = check_frame_rate(rate, source=str(path))
        neuropil = _neuropil(file, series, rows, segmentation, values.shape, str(path))
        rois = _rois(file, segmentation, rows, values.shape[0], transpose)
        is_dff = _is_dff(series)
        frame_times = np.arange(values.shape[1]) / rate if times is None else times
        behaviour = behaviour_at_frames(file, frame_times)
        trials = trials_of(file, frame_times)
        movie = _movie(file, path, series, values.shape[1], rois, transpose)
        name = path.stem
    if cells_only:
        if rois is None or rois.accepted is None:
            raise RecordingError(
                f"{path}: the ROI table does not say which ROIs are cells (no column iscell "
                "or Accepted). Leave the choice of accepted cells out."
            )
        if not rois.accepted.any():
            raise RecordingError(f"{path}: none of the ROIs is accepted as a cell.")
        kept = np.flatnonzero(rois.accepted)
        values, rois = values[kept], rois.select(kept)
        neuropil = None if neuropil is None else neuropil[kept]
    unit = "dF/F"
    if not is_dff:
        corrected = values
        if neuropil is not None and neuropil_coefficient:
            corrected = values - np.float32(neuropil_coefficient) * neuropil
        lowest = _lowest_baseline(values, rate)
        if lowest is not None:
            values = yield from dff_steps(
                corrected, rate, reference=values, lowest_reference=lowest
            )
        else:
            unit = "a.u."
            notes = (
                *notes,
                "the traces are no raw fluorescence (their baselines are not above 0); "
                "the values are taken as they are.",
            )
    return finished_recording(
        values,
        rate,
        name=name,
        source=str(path),
        footprints=None if rois is None else rois.footprints,
        drop_unusable=drop_unusable,
        unit=unit,
        timestamps_s=times,
        notes=(*notes, *(rois.notes if rois is not None else ())),
        movie=movie,
        behaviour=behaviour,
        trials=trials,
        accepted=None if rois is None or cells_only else rois.accepted,
    )


def holds_traces(path: str | Path) -> bool:
    """Tell whether an NWB file holds traces of ROIs."""
    with open_hdf5(path) as file:
        return bool(_response_series(file))


def read_nwb_rois(path: str | Path, *, transpose: bool | None = None) -> Footprints:
    """Read the ROIs of the only plane segmentation of an NWB file.

    Raises
    ------
    RecordingError
        If there is none, or several.
    """
    with open_hdf5(path) as file:
        tables = groups_of_type(file, "PlaneSegmentation")
        found = read_rois(file, tables[0], transpose=transpose) if len(tables) == 1 else None
    if found is None:
        raise RecordingError(
            f"{path}: found {len(tables)} tables of ROIs with masks of pixels; expected one."
        )
    return found.footprints


def _lowest_baseline(values: np.ndarray, rate: float) -> float | None:
    """Return the smallest baseline to divide by; None where the traces are not raw."""
    some = np.where(np.isfinite(values), values, 0)
    lows = running_baseline(some, rate).min(axis=1)
    typical = float(np.median(lows))
    if (lows > 0).mean() < _MOSTLY:
        return None
    # One grey value; a twentieth of what is usual where the movie was scaled to less.
    return 1.0 if typical >= 1 else typical / 20


def describe_nwb(path: str | Path) -> dict[str, Any]:
    """Return what an NWB file holds, without computing traces."""
    path = Path(path)
    with open_hdf5(path) as file:
        found = _response_series(file)
        facts: dict[str, Any] = {
            "nwb_version": plain_text(file.attrs.get("nwb_version", "")) or None,
            "traces": {series.name: _shape(series) for series in found},
            "movies": {
                series.name: list(series["data"].shape) for series in movie_series_in(file)
            },
        }
        if found:
            series = _preferred(found)[0]
            segmentation, rows = _roi_rows(series)
            axis = _roi_axis(series, rows, segmentation, str(path))
            shape = series["data"].shape
            facts["n_neurons"], facts["n_frames"] = int(shape[axis]), int(shape[1 - axis])
            rate, times, notes = frame_clock(series, facts["n_frames"], None)
            facts["frame_rate_hz"] = rate
            facts["has_timestamps"] = times is not None
            facts["notes"] = list(notes)
            facts["n_rois"] = 0 if segmentation is None else _table_length(segmentation)
        trials = file.get("intervals/trials/start_time")
        facts["n_trials"] = None if trials is None else int(trials.shape[0])
        facts["behaviour"] = [
            series.name for series in groups_of_type(file, "TimeSeries", "SpatialSeries")
        ]
    return facts


def _response_series(file: h5py.File) -> list[h5py.Group]:
    found = []
    for series in groups_of_type(file, "RoiResponseSeries"):
        data = dataset_of(series, "data")
        if data is not None and data.ndim in (1, 2) and data.dtype.kind in "biuf" and data.size:
            found.append(series)
    return found


def _preferred(found: list[h5py.Group]) -> list[h5py.Group]:
    """Return the series that are most like traces: dF/F, then fluorescence, then any."""
    dff = [series for series in found if _is_dff(series)]
    raw = [
        series
        for series in found
        if not any(word in series.name.lower() for word in _NOT_TRACES)
    ]
    return dff or raw or found


def _chosen(file: h5py.File, dataset: str | None, path: Path) -> h5py.Group:
    found = _response_series(file)
    if not found:
        raise RecordingError(
            f"{path}: there are no traces in the file (no RoiResponseSeries). Give the ROIs of "
            "its movie with --rois (rois= in Python) to extract them."
        )
    if dataset is None:
        offered = _preferred(found)
    else:
        wanted = dataset.strip("/")
        offered = [s for s in found if f"{s.name}/".endswith(f"/{wanted}/")]
    if len(offered) != 1:
        raise RecordingError(
            f"{path}: traces in it: {', '.join(series.name for series in found)}. Choose one "
            f"with {path.name}::NAME or --dataset on the command line, dataset= in Python."
        )
    return offered[0]


def _is_dff(series: h5py.Group) -> bool:
    name = series.name.rsplit("/", 1)[-1].lower()
    return neurodata_type(series.parent) == "DfOverF" or any(
        word in name for word in ("dff", "df_over_f", "dfoverf", "deltaf")
    )


def _shape(series: h5py.Group) -> list[int]:
    return [int(side) for side in series["data"].shape]


def _roi_rows(series: h5py.Group) -> tuple[h5py.Group | None, np.ndarray | None]:
    """Return the ROI table that a series refers to, and which of its rows."""
    region = dataset_of(series, "rois")
    if region is None:
        return None, None
    rows = np.asarray(region[()]).ravel() if region.dtype.kind in "iu" else None
    table = None
    reference = region.attrs.get("table")
    if isinstance(reference, h5py.Reference) and reference:
        table = series.file[reference]
    return (table if isinstance(table, h5py.Group) else None), rows


def _table_length(segmentation: h5py.Group) -> int:
    ids = array_of(segmentation, "id")
    return 0 if ids is None else int(ids.size)


def _roi_axis(
    series: h5py.Group, rows: np.ndarray | None, segmentation: h5py.Group | None, where: str
) -> int:
    shape = series["data"].shape
    if len(shape) == 1:
        return 1
    counts = [] if rows is None else [rows.size]
    if segmentation is not None:
        counts.append(_table_length(segmentation))
    for count in counts:
        fits = [axis for axis in (0, 1) if shape[axis] == count]
        if len(fits) == 1:
            return fits[0]
        if len(fits) == 2:
            break
    for axis in (0, 1):
        times = dataset_of(series, "timestamps")
        if times is not None and shape[0] != shape[1] and times.shape == (shape[axis],):
            return 1 - axis
    if counts and counts[0] not in shape:
        raise RecordingError(
            f"{where}: {series.name} is {shape}, but refers to {counts[0]} ROIs; one of the "
            "two numbers must be the number of ROIs. The file contradicts itself."
        )
    # The format says (time, ROI).
    return 1


def _traces(
    series: h5py.Group, rows: np.ndarray | None, segmentation: h5py.Group | None, where: str
) -> np.ndarray:
    data = dataset_of(series, "data")
    assert data is not None
    axis = _roi_axis(series, rows, segmentation, where)
    values = scaled(data, np.asarray(data[()], dtype=np.float32))
    values = values.reshape(values.shape[0], -1)
    return np.ascontiguousarray(values if axis == 0 else values.T, dtype=np.float32)


def _neuropil(
    file: h5py.File,
    chosen: h5py.Group,
    rows: np.ndarray | None,
    segmentation: h5py.Group | None,
    shape: tuple[int, ...],
    where: str,
) -> np.ndarray | None:
    for series in _response_series(file):
        if series != chosen and "neuropil" in series.name.lower():
            values = _traces(series, rows, segmentation, where)
            if values.shape == shape:
                return values
    return None


def _rois(
    file: h5py.File,
    segmentation: h5py.Group | None,
    rows: np.ndarray | None,
    n_traces: int,
    transpose: bool | None,
) -> NwbRois | None:
    if segmentation is None:
        tables = groups_of_type(file, "PlaneSegmentation")
        # Without a reference only a table of just as many ROIs can be meant.
        tables = [table for table in tables if _table_length(table) == n_traces]
        if len(tables) != 1:
            return None
        segmentation = tables[0]
    rois = read_rois(file, segmentation, transpose=transpose)
    if rois is None:
        return None
    n_rois = rois.footprints.n_neurons
    if rows is None:
        rows = np.arange(n_rois)
    if rows.size != n_traces or rows.min() < 0 or rows.max() >= n_rois:
        raise RecordingError(
            f"{file.filename}: {n_traces} traces refer to rows {rows.min()} to {rows.max()} of "
            f"an ROI table with {n_rois} rows. The file contradicts itself."
        )
    return rois.select(rows)


def _movie(
    file: h5py.File,
    path: Path,
    series: h5py.Group,
    n_frames: int,
    rois: NwbRois | None,
    transpose: bool | None,
) -> Movie | None:
    """Return the only movie of the file, if it is the one the traces come from."""
    movies = movie_series_in(file)
    if len(movies) != 1 or movies[0]["data"].shape[0] != n_frames:
        return None
    times, movie_times = (sample_times_s(each, n_frames) for each in (series, movies[0]))
    if times is not None and movie_times is not None:
        apart = float(np.abs(times - movie_times).max())
        if apart > float(np.median(np.diff(times))):
            return None
    movie = read_nwb_movie(path, transpose=transpose)
    if rois is not None and movie.image_shape != rois.footprints.image_shape:
        return None
    return movie
