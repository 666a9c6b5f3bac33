"""CaImAn results (HDF5): ROIs and traces of CNMF and CNMF-E."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.sparse as sp

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.recording import Recording, check_frame_rate
from .finished import finished_recording
from .hdf5 import array_of, member, number_of, open_hdf5


def is_caiman(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file holds CaImAn's estimates."""
    return member(file, "estimates/A") is not None and member(file, "estimates/C") is not None


def read_caiman(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    cells_only: bool = False,
    drop_unusable: bool = False,
) -> Recording:
    """Read the results that CaImAn saved as HDF5.

    Traces are ``F_dff`` where CaImAn computed it; else ``C + YrA`` (the model's trace and its
    residual), in CaImAn's own unit, which a note says. ROIs are the columns of ``A``, images
    in Fortran order; component i is known as label i + 1.

    Parameters
    ----------
    path : path
        The HDF5 file.
    frame_rate_hz : float, optional
        Frames a second; goes before ``params/data/fr``.
    cells_only : bool
        Keep only the accepted components (``idx_components``); all otherwise, and `accepted`
        says which those are.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.

    Raises
    ------
    RecordingError
        If parts are missing or contradict each other, or the frame rate is not recorded.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        rate = check_frame_rate(
            number_of(file, "params/data/fr") if frame_rate_hz is None else frame_rate_hz,
            source=str(path),
        )
        footprints = _footprints(file, str(path))
        traces, unit, notes = _traces(file, footprints.n_neurons, str(path))
        accepted = _accepted(file, footprints.n_neurons, str(path))
    if cells_only:
        if accepted is None:
            raise RecordingError(
                f"{path}: CaImAn accepted no components (idx_components is missing or empty). "
                "Leave the choice of accepted cells out."
            )
        traces, footprints = traces[accepted], footprints.select(accepted)
        accepted = None
    return finished_recording(
        traces,
        rate,
        name=path.stem,
        source=str(path),
        footprints=footprints,
        drop_unusable=drop_unusable,
        unit=unit,
        notes=notes,
        accepted=None if accepted is None else np.isin(np.arange(len(traces)), accepted),
    )


def read_caiman_rois(path: str | Path) -> Footprints:
    """Read the ROIs of CaImAn results only; see `read_caiman`."""
    with open_hdf5(path) as file:
        return _footprints(file, str(path))


def describe_caiman(path: str | Path) -> dict[str, Any]:
    """Sizes, frame rate and counts of CaImAn results."""
    path = Path(path)
    with open_hdf5(path) as file:
        footprints = _footprints(file, str(path))
        traces, unit, notes = _traces(file, footprints.n_neurons, str(path))
        accepted = _accepted(file, footprints.n_neurons, str(path))
        return {
            "n_rois": footprints.n_neurons,
            "n_cells": None if accepted is None else int(accepted.size),
            "n_frames": int(traces.shape[1]),
            "height_px": footprints.image_shape[0],
            "width_px": footprints.image_shape[1],
            "frame_rate_hz": number_of(file, "params/data/fr"),
            "unit": unit,
            "notes": list(notes),
        }


def _footprints(file: h5py.File, where: str) -> Footprints:
    dims = array_of(file, "estimates/dims")
    if dims is None:
        dims = array_of(file, "dims")
    if dims is None or dims.shape != (2,):
        raise RecordingError(
            f"{where}: the image size (dims) is missing or not of two axes; found {dims}. Only "
            "results of one plane are read."
        )
    height, width = (int(side) for side in dims)
    weights = _weights(file, where)
    if weights.shape[0] != height * width:
        raise RecordingError(
            f"{where}: A has {weights.shape[0]} pixels for an image of {height} x {width}. The "
            "file contradicts itself."
        )
    pixels = weights.tocoo()
    index, component = pixels.coords
    # Fortran order: rows run fastest.
    column, row = np.divmod(index, height)
    values = np.maximum(np.nan_to_num(pixels.data), 0)
    rows = sp.csr_array(
        (values, (component, row * width + column)), shape=(weights.shape[1], height * width)
    )
    return Footprints(rows, (height, width), source=where)


def _weights(file: h5py.File, where: str) -> sp.csc_array:
    found = member(file, "estimates/A")
    if isinstance(found, h5py.Dataset):
        dense = array_of(file, "estimates/A")
        if dense is None or dense.ndim != 2:
            raise RecordingError(f"{where}: estimates/A is no matrix (pixels, components).")
        return sp.csc_array(dense)
    names = ("data", "indices", "indptr", "shape")
    data, indices, indptr, shape = (array_of(found, name) for name in names)
    if data is None or indices is None or indptr is None or shape is None:
        raise RecordingError(
            f"{where}: estimates/A lacks {' or '.join(names)}; expected a sparse matrix."
        )
    try:
        weights = sp.csc_array((data, indices, indptr), shape=tuple(map(int, shape)))
        weights.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise RecordingError(f"{where}: estimates/A contradicts itself ({error}).") from error
    return weights


def _traces(
    file: h5py.File, n_neurons: int, where: str
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    dff = array_of(file, "estimates/F_dff")
    if dff is not None:
        return _checked(dff, "F_dff", n_neurons, where), "dF/F", ()
    model = array_of(file, "estimates/C")
    if model is None:
        raise RecordingError(f"{where}: neither estimates/F_dff nor estimates/C holds traces.")
    traces = _checked(model, "C", n_neurons, where)
    residual = array_of(file, "estimates/YrA")
    used = "C"
    if residual is not None and residual.shape == traces.shape:
        traces, used = traces + residual, "C + YrA"
    return (
        traces,
        "a.u.",
        (f"CaImAn saved no F_dff; the traces are {used} in CaImAn's own unit, not dF/F.",),
    )


def _checked(traces: np.ndarray, name: str, n_neurons: int, where: str) -> np.ndarray:
    if traces.ndim != 2 or traces.shape[0] != n_neurons:
        raise RecordingError(
            f"{where}: estimates/{name} is of shape {traces.shape} for {n_neurons} components "
            "in A; expected (components, frames)."
        )
    return traces


def _accepted(file: h5py.File, n_neurons: int, where: str) -> np.ndarray | None:
    accepted = array_of(file, "estimates/idx_components")
    if accepted is None or accepted.size == 0:
        return None
    accepted = accepted.ravel()
    if accepted.dtype.kind not in "iu" or accepted.min() < 0 or accepted.max() >= n_neurons:
        raise RecordingError(
            f"{where}: idx_components names components that do not exist ({n_neurons} do)."
        )
    return accepted
