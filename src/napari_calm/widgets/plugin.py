"""What napari's manifest points at: thin adapters over library and panel."""

from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from ..core.progress import run
from .origin import Origin
from .recording_layers import (
    BEHAVIOUR_KEY,
    PATH_KEY,
    OpenedFolder,
    layers_of_folder,
    movie_layer,
    open_suite2p_steps,
    rois_layer,
)

_SUITE2P_FILES = ("stat.npy", "F.npy")
_SUITE2P_PLACES = (".", "combined", "plane0", "suite2p/combined", "suite2p/plane0")


def open_sample() -> list[tuple]:
    """Return the simulated Y-maze session as layers: the movie and its ROIs."""
    from ..io.session_folder import read_session_folder
    from ..simulate.sample import sample_folder

    folder = sample_folder()
    session = read_session_folder(folder)
    movie = replace(session.movie, name="Y-maze movie")
    data, arguments, kind = movie_layer(movie)
    arguments["metadata"] = {
        BEHAVIOUR_KEY: {"behaviour": session.behaviour, "trials": session.trials},
        PATH_KEY: str(folder),
    }
    rois = rois_layer(session.footprints, name="Y-maze ROIs", pixel_size_um=movie.pixel_size_um)
    rois[1]["metadata"][PATH_KEY] = str(folder)
    return [(data, arguments, kind), rois]


def suite2p_reader(path):
    """Return a reader if `path` is a suite2p folder or a file in one, else None."""
    path = _single(path)
    if not path.is_dir() and path.name not in _SUITE2P_FILES:
        return None
    # Every folder that is dropped on napari comes by here: a few looks must do.
    folder = _folder_of(path)
    if not any((folder / place / "stat.npy").is_file() for place in _SUITE2P_PLACES):
        return None
    return _read_suite2p


def _read_suite2p(path) -> list[tuple]:
    return layers_of_folder(run(open_suite2p_steps(_folder_of(_single(path)))))


def _single(path) -> Path:
    return Path(path[0] if isinstance(path, list) else path)


def _folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def traces_reader(path):
    """Return a reader if `path` is an npz file with traces, else None."""
    try:
        with ZipFile(_single(path)) as archive:
            return _read_traces if "traces.npy" in archive.namelist() else None
    except (OSError, BadZipFile):
        return None


def _read_traces(path) -> list[tuple]:
    from ..io.read import read_recording

    recording = read_recording(_single(path))
    origin = Origin(str(_single(path).resolve()))
    return layers_of_folder(OpenedFolder(recording, origin=origin))
