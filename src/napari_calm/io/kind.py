"""Telling what a file or folder is by its name and content."""

from enum import StrEnum
from pathlib import Path

from ..core.errors import RecordingError
from .npz import open_npz
from .session_folder import is_session_folder
from .suite2p import is_suite2p
from .tiff import open_tiff

_PNG_MAGIC = b"\x89PNG\r\n"
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
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
    SESSION = "session folder"
    MOVIE = "movie"
    IMAGE = "label image"
    FOOTPRINTS = "footprints archive"
    FORECAST = "forecast"
    TOKENS = "token map"
    CLUSTERS = "clusters"
    EMBEDDING = "neuron embedding"
    SELECTIVITY = "selectivity"
    TRAJECTORIES = "population trajectories"
    CHECKPOINT = "checkpoint"


def kind_of(path: str | Path) -> Kind:
    """Tell what is at `path`.

    Raises
    ------
    RecordingError
        If nothing is there, or it is of no kind that napari-calm reads.
    """
    path = Path(path)
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file or folder.")
    return _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)


def _kind_of_folder(path: Path) -> Kind:
    if is_session_folder(path):
        return Kind.SESSION
    if is_suite2p(path):
        return Kind.SUITE2P
    if (path / "config.json").is_file() or (path / "model.safetensors").is_file():
        return Kind.CHECKPOINT
    raise RecordingError(
        f"{path}: the folder is of no known kind. Expected a suite2p folder (stat.npy), a "
        "session folder (movie.tif) or a checkpoint (config.json)."
    )


def _kind_of_file(path: Path) -> Kind:
    with path.open("rb") as file:
        magic = file.read(6)
    suffix = path.suffix.lower()
    if magic[:4] in _TIFF_MAGIC or suffix in (".tif", ".tiff", ".btf"):
        with open_tiff(path) as tif:
            single = len(tif.pages) == 1 and len(tif.series[0].shape) == 2
        return Kind.IMAGE if single else Kind.MOVIE
    if magic == _PNG_MAGIC or suffix == ".png":
        return Kind.IMAGE
    if magic[:2] == b"PK" or suffix == ".npz":
        return _kind_of_archive(path)
    if magic == b"\x93NUMPY" and is_suite2p(path.parent):
        return Kind.SUITE2P
    raise RecordingError(
        f"{path}: the file is of no known kind (it begins with {magic!r}). Expected a TIFF "
        "movie, an npz archive, or a suite2p or session folder."
    )


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
