"""What napari's manifest points at: thin adapters over library and panel."""

from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from ..core.progress import run
from .explored_results import CLUSTER
from .geometry import Geometry
from .layer_sources import footprints_of, is_movie, place_of
from .neuron_features import ACCEPTED
from .origin import Origin
from .recording_layers import (
    BEHAVIOUR_KEY,
    FOOTPRINTS_KEY,
    PATH_KEY,
    RECORDING_KEY,
    OpenedFolder,
    layers_of_folder,
    movie_layer,
    open_movie_steps,
    open_recording_steps,
    open_rois_steps,
    rois_layer,
    still_layer,
)

_SUITE2P_FILES = ("stat.npy", "F.npy")
_LEAST_BACKGROUND = 0.1
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


def start_tour() -> None:
    """Open the panel, if it is not open, and begin the guided tour."""
    _panel().start_tour()


def show_help() -> None:
    """Open the panel, if it is not open, and the help below the canvas."""
    _panel().show_help()


def _panel():
    import napari

    from .panel import CalmPanel

    window = napari.current_viewer().window
    docked = [each for each in window.dock_widgets.values() if isinstance(each, CalmPanel)]
    if docked:
        return docked[0]
    return window.add_plugin_dock_widget("napari-calm", "CalM")[1]


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
    return layers_of_folder(run(open_recording_steps(_folder_of(_single(path)))))


def recording_reader(path):
    """Return a reader if `path` is what another program made of a movie, else None.

    That is an NWB, CaImAn or EXTRACT file, minian's folder, or traces as parquet.
    """
    kind = _kind_of(path)
    if kind in ("NWB file", "CaImAn results", "EXTRACT results", "minian results"):
        return _read_recording
    is_table = kind == "table" and _single(path).suffix.lower() == ".parquet"
    return _read_recording if is_table else None


def movie_reader(path):
    """Return a reader if `path` is a movie, else None.

    Several TIFF files, or a folder of them, are one movie.
    """
    from ..io.tiff import TIFF_SUFFIXES

    if isinstance(path, list) and path[1:]:
        are_tiff = all(Path(each).suffix.lower() in TIFF_SUFFIXES for each in path)
        return _read_movie if are_tiff else None
    return _read_movie if _kind_of(path) == "movie" else None


def rois_reader(path):
    """Return a reader if `path` holds ROIs, else None.

    They are ImageJ's, Cellpose's, our footprints, or a label image: integers, with background.
    """
    kind = _kind_of(path)
    if kind == "label image":
        return _read_rois if _has_background(_single(path)) else None
    of_rois = ("ImageJ ROIs", "Cellpose segmentation", "footprints archive")
    return _read_rois if kind in of_rois else None


def _has_background(path: Path) -> bool:
    """Tell a label image from a picture of the field of view, in which few pixels are 0."""
    from ..core.errors import CalmError
    from ..io.labels import read_label_image

    try:
        labels = read_label_image(path)
    except CalmError:
        return False
    return labels.dtype.kind in "biu" and bool((labels == 0).mean() > _LEAST_BACKGROUND)


def _kind_of(path) -> str:
    from ..core.errors import CalmError
    from ..io.kind import kind_of
    from ..io.minian import minian_folder
    from ..io.tiff_files import tiff_files_in
    from ..io.zarr_arrays import is_zarr

    single = _single(path)
    try:
        # Every folder that is dropped on napari comes by here: a few looks must do.
        if single.is_dir() and not is_zarr(single) and minian_folder(single) is None:
            return "movie" if tiff_files_in(single) else ""
        return str(kind_of(single))
    except (CalmError, OSError):
        return ""


def _read_recording(path) -> list[tuple]:
    single = _single(path)
    from ..io.describe import describe
    from ..io.kind import Kind, kind_of
    from ..io.nwb import holds_traces

    if kind_of(single) is Kind.NWB and not holds_traces(single):
        return _read_movie(path)
    if describe(single).get("frame_rate_hz", 0.0) is None:
        return _rois_and_still(single)
    return layers_of_folder(run(open_recording_steps(single)))


def _rois_and_still(path: Path) -> list[tuple]:
    """Show where the neurons are, and say what the traces lack: a rate is never made up."""
    from napari.utils.notifications import show_warning

    from ..io.rois import read_rois
    from ..io.stills import read_still

    footprints = read_rois(path)
    layers = [rois_layer(footprints, name=f"{path.stem} ROIs", pixel_size_um=None)]
    still = read_still(path, footprints.image_shape)
    if still is not None:
        layers.insert(0, still_layer(still, f"{path.stem} image", Geometry(1.0, None)))
    show_warning(
        f"{path.name} does not say its frame rate, so only its ROIs are shown. For the traces, "
        "open the CalM panel, give the frame rate there and open it again with its buttons."
    )
    return layers


def _read_movie(path) -> list[tuple]:
    several = isinstance(path, list) and path[1:]
    return run(open_movie_steps(path if several else _single(path)))


def _read_rois(path) -> list[tuple]:
    import napari

    viewer = napari.current_viewer()
    layers = [] if viewer is None else [each for each in viewer.layers if is_movie(each)]
    # ROIs are drawn on a movie: they belong onto the one that is open.
    place = place_of(layers[-1] if layers else None)
    return [run(open_rois_steps(_single(path), **place))]


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


def write_rois(path: str, data, attributes: dict) -> list[str]:
    """Write a Labels layer: ImageJ ROIs (zip), or with its recording as npz or NWB.

    A column ``cluster`` of the layer's features becomes ImageJ's groups.
    """
    from ..core.errors import CalmError
    from ..io.export import export_recording
    from ..io.imagej import write_imagej_rois
    from ..io.labels import write_footprints

    name, metadata = attributes.get("name", "labels"), attributes.get("metadata", {})
    recording = metadata.get(RECORDING_KEY)
    if recording is not None and recording.footprints is not None:
        footprints = recording.footprints
    else:
        weighted = metadata.get(FOOTPRINTS_KEY)
        footprints = footprints_of(np.asarray(data), weighted, source=f"layer '{name}'")
    groups = _groups_of(attributes.get("features"), footprints.label_values)
    match Path(path).suffix.lower():
        case ".zip":
            write_imagej_rois(footprints, path, groups=groups)
        case ".npz" if recording is None:
            write_footprints(footprints, path)
        case _ if recording is None:
            raise CalmError(
                f"{path}: the layer '{name}' holds ROIs without traces, which go into .zip "
                "(ImageJ) or .npz. Extract traces in the CalM panel, then save 'CalM ROIs'."
            )
        case suffix:
            accepted = _accepted_of(attributes.get("features"), footprints.label_values)
            if accepted is not None:
                recording = replace(recording, accepted=accepted)
            export_recording(recording, path, groups=groups if suffix == ".nwb" else None)
    return [path]


def _accepted_of(features, labels: np.ndarray) -> np.ndarray | None:
    """Return which labels a layer's table accepts as cells; None where it does not say."""
    if features is None or ACCEPTED not in features or "index" not in features:
        return None
    of_label = dict(zip(features["index"], features[ACCEPTED], strict=True))
    return np.array([str(of_label.get(label)) != "False" for label in labels.tolist()])


def _groups_of(features, labels: np.ndarray) -> np.ndarray | None:
    """Return the cluster of each label in a layer's table; None where it has none."""
    if features is None or CLUSTER not in features or "index" not in features:
        return None
    of_label = dict(zip(features["index"], features[CLUSTER], strict=True))
    return np.array([of_label.get(label, -1) for label in labels.tolist()])
