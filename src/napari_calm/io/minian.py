"""minian results: zarr arrays A (unit, height, width) and C (unit, frame)."""

from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.recording import Recording, check_frame_rate
from .finished import finished_recording, label_numbers
from .zarr_arrays import array_in, is_zarr, open_zarr, read_whole

_UNIT, _FRAME = "unit_id", "frame"
_SUBFOLDERS = ("", "minian", "minian_data")


def minian_folder(folder: str | Path) -> Path | None:
    """Find the folder with ``A.zarr`` and ``C.zarr``, here or in "minian"; None if none."""
    folder = Path(folder)
    for name in _SUBFOLDERS:
        place = folder / name
        if is_zarr(place / "A.zarr") and is_zarr(place / "C.zarr"):
            return place
        if is_zarr(place) and is_zarr(place / "A") and is_zarr(place / "C"):
            return place
    # A user may have named one of the two.
    if folder.name in ("A.zarr", "C.zarr") and is_zarr(folder):
        return minian_folder(folder.parent)
    return None


def read_minian(
    folder: str | Path, *, frame_rate_hz: float | None = None, drop_unusable: bool = False
) -> Recording:
    """Read ROIs and traces of minian.

    A and C are matched by their unit numbers, which need neither begin at 0 nor be without
    gaps; unit u is known as label u + 1. Traces are C, in minian's own unit.

    Parameters
    ----------
    folder : path
        The folder with ``A.zarr`` and ``C.zarr``, or the one that holds it.
    frame_rate_hz : float, optional
        Frames a second; minian does not keep it.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.

    Raises
    ------
    RecordingError
        If an array is missing or damaged, no unit is in both, or there is no frame rate.
    """
    place = _place(folder)
    source = str(place)
    rate = check_frame_rate(frame_rate_hz, source=source)
    rois, roi_units = _array(place, "A")
    traces, trace_units = _array(place, "C")
    units, in_rois, in_traces = np.intersect1d(roi_units, trace_units, return_indices=True)
    if units.size == 0:
        raise RecordingError(
            f"{source}: A and C have no unit in common (A: {_listed(roi_units)}; C: "
            f"{_listed(trace_units)}). Both must come from the same run of minian."
        )
    left_out = np.union1d(roi_units, trace_units).size - units.size
    notes: tuple[str, ...] = ("the traces are minian's C in its own unit, not dF/F.",)
    if left_out:
        notes += (f"{left_out} units are in only one of A and C and are left out.",)
    values = read_whole(traces, f"{source}: C")
    return finished_recording(
        values[in_traces],
        rate,
        name=_name(place),
        source=source,
        footprints=_footprints(rois, in_rois, units, source),
        drop_unusable=drop_unusable,
        unit="a.u.",
        notes=notes,
    )


def read_minian_rois(folder: str | Path) -> Footprints:
    """Read the ROIs of minian's results only; see `read_minian`."""
    place = _place(folder)
    rois, units = _array(place, "A")
    return _footprints(rois, np.arange(units.size), units, str(place))


def describe_minian(folder: str | Path) -> dict[str, Any]:
    """Sizes of minian's results."""
    place = _place(folder)
    rois, roi_units = _array(place, "A")
    traces, trace_units = _array(place, "C")
    return {
        "folder": str(place),
        "n_rois": int(np.intersect1d(roi_units, trace_units).size),
        "n_frames": int(traces.shape[1]),
        "height_px": int(rois.shape[1]),
        "width_px": int(rois.shape[2]),
        "frame_rate_hz": None,
        "unit": "a.u.",
        "unit_ids": [int(unit) for unit in roi_units[:1000]],
    }


def read_minian_still(folder: str | Path) -> np.ndarray | None:
    """Maximum projection beside the results, float32 (height, width); None if not saved."""
    place = minian_folder(folder)
    if place is None or not is_zarr(place / "max_proj.zarr"):
        return None
    array = array_in(open_zarr(place / "max_proj.zarr"), "max_proj")
    if array is None or array.ndim != 2:
        return None
    return read_whole(array, f"{place}: max_proj").astype(np.float32)


def _place(folder: str | Path) -> Path:
    place = minian_folder(folder)
    if place is None:
        raise RecordingError(f"{folder}: no minian results (A.zarr and C.zarr) found.")
    return place


def _array(place: Path, name: str) -> tuple[Any, np.ndarray]:
    """Return an array with units as its first axis, and the numbers of the units."""
    group = open_zarr(
        place / f"{name}.zarr" if is_zarr(place / f"{name}.zarr") else place / name
    )
    array = array_in(group, name)
    n_axes = {"A": 3, "C": 2}[name]
    if array is None or array.ndim != n_axes or np.dtype(array.dtype).kind not in "biuf":
        raise RecordingError(
            f"{place}: {name} is missing, or no array of {n_axes} axes; expected minian's "
            "A (unit_id, height, width) and C (unit_id, frame)."
        )
    dims = list(array.attrs.get("_ARRAY_DIMENSIONS") or [])
    if dims and dims[0] != _UNIT:
        raise RecordingError(
            f"{place}: {name} has the axes {', '.join(map(str, dims))}; expected {_UNIT} first."
        )
    units = array_in(group, _UNIT)
    if units is None:
        return array, np.arange(array.shape[0])
    numbers = read_whole(units, f"{place}: {name}/{_UNIT}").astype(np.int64)
    if numbers.shape != (array.shape[0],) or np.unique(numbers).size != numbers.size:
        raise RecordingError(
            f"{place}: {name} has {array.shape[0]} units, but {numbers.size} unit numbers "
            f"({np.unique(numbers).size} different)."
        )
    return array, numbers


def _footprints(rois: Any, rows: np.ndarray, units: np.ndarray, source: str) -> Footprints:
    pixels = []
    for row in rows:
        image = np.nan_to_num(np.asarray(_row(rois, int(row), source), dtype=np.float32))
        y, x = np.nonzero(image > 0)
        pixels.append((y, x, image[y, x]))
    return Footprints.from_pixels(
        pixels,
        (int(rois.shape[1]), int(rois.shape[2])),
        label_values=label_numbers(units, units.size),
        source=source,
    )


def _row(array: Any, row: int, source: str) -> np.ndarray:
    try:
        return np.asarray(array[row])
    except Exception as error:
        # A codec raises what it likes on damaged chunks.
        raise RecordingError(
            f"{source}: the ROI in row {row} of A cannot be read ({type(error).__name__}: "
            f"{error}). Copy the folder again from its source."
        ) from error


def _listed(units: np.ndarray) -> str:
    return ", ".join(map(str, units[:5])) + (" ..." if units.size > 5 else "")


def _name(place: Path) -> str:
    resolved = place.resolve()
    return resolved.parent.name if resolved.name in _SUBFOLDERS else resolved.name
