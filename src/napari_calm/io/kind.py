"""Telling what a file or folder is by its name and content."""

from enum import StrEnum
from os import PathLike
from pathlib import Path

from ..core.errors import RecordingError
from .address import check_readable, several_files, split_address
from .caiman import is_caiman
from .cellpose import ENDING as CELLPOSE_ENDING
from .extract_mat import is_extract, refuse_old_matlab
from .hdf5 import is_hdf5, open_hdf5
from .imagej import is_imagej_roi
from .minian import minian_folder
from .npz import open_npz
from .nwb_series import is_nwb
from .session_folder import is_session_folder
from .suite2p import is_suite2p
from .tables import TABLE_SUFFIXES
from .tiff import TIFF_MAGIC, TIFF_SUFFIXES, open_tiff
from .tiff_files import tiff_files_in
from .zarr_arrays import is_zarr

_PNG_MAGIC = b"\x89PNG\r\n"
# Which array names give an archive away, most special first.
_ARCHIVES = (
    ({"quantiles", "quantile_levels", "start_frame"}, "FORECAST"),
    ({"tokens", "n_codes", "frames_per_token"}, "TOKENS"),
    ({"labels", "confidence", "stability"}, "CLUSTERS"),
    ({"vectors", "halves"}, "EMBEDDING"),
    ({"tuning", "d_prime", "q_value"}, "SELECTIVITY"),
    ({"states", "averages", "trial_types"}, "TRAJECTORIES"),
    ({"traces"}, "TRACES"),
    ({"indices", "indptr", "image_shape"}, "FOOTPRINTS"),
)


class Kind(StrEnum):
    """What a path can hold."""

    TRACES = "traces archive"
    SUITE2P = "suite2p folder"
    CAIMAN = "CaImAn results"
    NWB = "NWB file"
    MINIAN = "minian results"
    EXTRACT = "EXTRACT results"
    ARRAY = "traces array"
    TABLE = "table"
    SESSION = "session folder"
    MOVIE = "movie"
    IMAGE = "label image"
    FOOTPRINTS = "footprints archive"
    IMAGEJ = "ImageJ ROIs"
    CELLPOSE = "Cellpose segmentation"
    FORECAST = "forecast"
    TOKENS = "token map"
    CLUSTERS = "clusters"
    EMBEDDING = "neuron embedding"
    SELECTIVITY = "selectivity"
    TRAJECTORIES = "population trajectories"
    CHECKPOINT = "checkpoint"


def kind_of(path: str | PathLike[str]) -> Kind:
    """Tell what is at `path`.

    Raises
    ------
    RecordingError
        If nothing is there, or it is of no kind that napari-calm reads.
    """
    place, _ = split_address(path)
    files = several_files(place)
    if len(files) > 1:
        return Kind.MOVIE
    path = files[0]
    check_readable(path)
    return _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)


def _kind_of_folder(path: Path) -> Kind:
    if is_session_folder(path):
        return Kind.SESSION
    if is_suite2p(path):
        return Kind.SUITE2P
    if minian_folder(path) is not None:
        return Kind.MINIAN
    if is_zarr(path):
        return Kind.MOVIE
    if (path / "config.json").is_file() or (path / "model.safetensors").is_file():
        return Kind.CHECKPOINT
    if tiff_files_in(path):
        return Kind.MOVIE
    raise RecordingError(
        f"{path}: the folder is of no known kind. Expected a suite2p folder (stat.npy), minian "
        "results (A.zarr and C.zarr), a Zarr movie, TIFF files of one movie, a session folder "
        "(movie.tif) or a checkpoint (config.json)."
    )


def _kind_of_file(path: Path) -> Kind:
    with path.open("rb") as file:
        magic = file.read(6)
    suffix = path.suffix.lower()
    if magic[:4] in TIFF_MAGIC or suffix in TIFF_SUFFIXES:
        with open_tiff(path) as tif:
            single = len(tif.pages) == 1 and len(tif.series[0].shape) == 2
        return Kind.IMAGE if single else Kind.MOVIE
    if magic == _PNG_MAGIC or suffix == ".png":
        return Kind.IMAGE
    if is_hdf5(path):
        return _kind_of_hdf5(path)
    if suffix in (".roi", ".zip") or magic[:4] == b"Iout":
        if is_imagej_roi(path):
            return Kind.IMAGEJ
        if magic[:2] != b"PK":
            raise RecordingError(f"{path}: holds no ImageJ ROIs (it begins with {magic!r}).")
    if magic[:2] == b"PK" or suffix == ".npz":
        return _kind_of_archive(path)
    if magic == b"\x93NUMPY" or suffix == ".npy":
        if path.name.lower().endswith(CELLPOSE_ENDING):
            return Kind.CELLPOSE
        return Kind.SUITE2P if is_suite2p(path.parent) else Kind.ARRAY
    if suffix in TABLE_SUFFIXES:
        return Kind.TABLE
    refuse_old_matlab(path)
    raise RecordingError(
        f"{path}: the file is of no known kind (it begins with {magic!r}). Expected a movie "
        "(TIFF, HDF5, NWB, Zarr), ROIs, traces, or the results of suite2p, CaImAn, minian or "
        "EXTRACT; docs/formats.md lists what is read."
    )


def _kind_of_hdf5(path: Path) -> Kind:
    with open_hdf5(path) as file:
        if is_nwb(file):
            return Kind.NWB
        if is_caiman(file):
            return Kind.CAIMAN
        return Kind.EXTRACT if is_extract(file) else Kind.MOVIE


def _kind_of_archive(path: Path) -> Kind:
    with open_npz(path) as arrays:
        names = set(arrays)
    for signs, kind in _ARCHIVES:
        if signs <= names:
            return Kind[kind]
    raise RecordingError(
        f"{path}: the archive is of no known kind. Expected an array named 'traces' "
        f"(neurons, frames); found {', '.join(sorted(names)) or 'nothing'}."
    )
