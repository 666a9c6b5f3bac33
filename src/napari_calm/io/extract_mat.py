"""EXTRACT results, saved by MATLAB as version 7.3."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.recording import Recording, check_frame_rate
from .finished import finished_recording
from .hdf5 import array_of, member, number_of, open_hdf5

_WEIGHTS, _TRACES = "spatial_weights", "temporal_weights"
_MATLAB_5 = b"MATLAB 5.0 MAT-file"


def is_extract(file: h5py.File) -> bool:
    """Tell whether an open HDF5 file holds EXTRACT's output."""
    return _output(file) is not None


def refuse_old_matlab(path: Path) -> None:
    """Say what to do with a MATLAB file that is not HDF5.

    Raises
    ------
    RecordingError
        If the file is of version 5 to 7.2.
    """
    with path.open("rb") as file:
        if file.read(len(_MATLAB_5)) == _MATLAB_5:
            raise RecordingError(
                f"{path}: is a MATLAB file of version 7 or older. In MATLAB, load it and save "
                "it again: save('output.mat', 'output', '-v7.3')."
            )


def read_extract(
    path: str | Path, *, frame_rate_hz: float | None = None, drop_unusable: bool = False
) -> Recording:
    """Read ROIs and traces that EXTRACT found.

    ``spatial_weights`` (height, width, cells) become footprints, ``temporal_weights``
    (frames, cells) traces, in EXTRACT's own unit.

    Parameters
    ----------
    path : path
        A ``.mat`` file of version 7.3 with the structure ``output``.
    frame_rate_hz : float, optional
        Frames a second; EXTRACT does not keep it, unless in ``config.fps``.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.

    Raises
    ------
    RecordingError
        If parts are missing or contradict each other, or the frame rate is not given.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        output = _output(file)
        if output is None:
            raise RecordingError(f"{path}: holds no spatial_weights and temporal_weights.")
        recorded = number_of(output, "config/fps")
        rate = check_frame_rate(
            recorded if frame_rate_hz is None else frame_rate_hz, source=str(path)
        )
        footprints, traces = _footprints(output, path), _traces(output, path)
    if traces.shape[0] != footprints.n_neurons:
        raise RecordingError(
            f"{path}: {footprints.n_neurons} cells in {_WEIGHTS}, {traces.shape[0]} in "
            f"{_TRACES}. The file contradicts itself."
        )
    return finished_recording(
        traces,
        rate,
        name=path.stem,
        source=str(path),
        footprints=footprints,
        drop_unusable=drop_unusable,
        unit="a.u.",
        notes=("the traces are in EXTRACT's own unit, a multiple of dF/F.",),
    )


def read_extract_rois(path: str | Path) -> Footprints:
    """Read the ROIs of EXTRACT's results only; see `read_extract`."""
    path = Path(path)
    with open_hdf5(path) as file:
        output = _output(file)
        if output is None:
            raise RecordingError(f"{path}: holds no spatial_weights and temporal_weights.")
        return _footprints(output, path)


def describe_extract(path: str | Path) -> dict[str, Any]:
    """Sizes of EXTRACT's results."""
    path = Path(path)
    with open_hdf5(path) as file:
        output = _output(file)
        if output is None:
            raise RecordingError(f"{path}: holds no spatial_weights and temporal_weights.")
        weights, traces = member(output, _WEIGHTS), member(output, _TRACES)
        return {
            "n_rois": int(weights.shape[0]),
            "n_frames": int(traces.shape[1]),
            "height_px": int(weights.shape[2]),
            "width_px": int(weights.shape[1]),
            "frame_rate_hz": number_of(output, "config/fps"),
            "unit": "a.u.",
        }


def _output(file: h5py.File) -> h5py.Group | None:
    for place in (member(file, "output"), file):
        if isinstance(place, h5py.Group):
            found = [member(place, name) for name in (_WEIGHTS, _TRACES)]
            if isinstance(found[0], h5py.Group):
                raise RecordingError(
                    f"{file.filename}: {_WEIGHTS} is a sparse MATLAB array. Save it as a full "
                    "one: output.spatial_weights = full(output.spatial_weights)."
                )
            shapes = [len(each.shape) for each in found if isinstance(each, h5py.Dataset)]
            if shapes == [3, 2]:
                return place
    return None


def _footprints(output: h5py.Group, path: Path) -> Footprints:
    weights = member(output, _WEIGHTS)
    # MATLAB's axes lie in the file in reverse: (cells, width, height).
    n_cells, width, height = weights.shape
    pixels = []
    for cell in range(n_cells):
        image = np.nan_to_num(np.asarray(weights[cell], dtype=np.float32))
        x, y = np.nonzero(image > 0)
        pixels.append((y, x, image[x, y]))
    return Footprints.from_pixels(pixels, (height, width), source=str(path))


def _traces(output: h5py.Group, path: Path) -> np.ndarray:
    traces = array_of(output, _TRACES)
    if traces is None:
        raise RecordingError(f"{path}: {_TRACES} holds no numbers.")
    return traces
