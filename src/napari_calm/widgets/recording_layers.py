"""Movies, ROIs and recordings that were opened from files, as napari layers.

The ROI layer carries the recording in its metadata; an open CalM panel takes it
from there, whether a reader or the panel itself added the layer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Progress, Steps
from ..core.recording import Recording
from .geometry import Geometry
from .label_rows import rows_by_label
from .layers import RECORDING_KEY, ROIS, ROLE_KEY, roi_features
from .origin import Origin

# On a layer: the file or folder it was read from; on a recording's: how to read it again.
PATH_KEY, ORIGIN_KEY = "napari_calm_path", "napari_calm_origin"
FOOTPRINTS_KEY = "napari_calm_footprints"
# On a movie of several in a file: its channel and plane.
CHOSEN_KEY = "napari_calm_chosen"
# On a movie: what the animal did in it, {"behaviour": table, "trials": table}.
BEHAVIOUR_KEY = "napari_calm_behaviour"


@dataclass(frozen=True)
class OpenedFolder:
    """A recording, the still image that shows where it was made, and what to know of it."""

    recording: Recording
    mean_image: np.ndarray | None = None
    note: str = ""
    origin: Origin | None = None
    pixel_size_um: float | None = None


def open_movie_steps(path: str | Path | list) -> Steps[list[tuple]]:
    """Open a movie lazily, as layers (data, arguments, type).

    Each channel, plane and dataset is a layer; the first, which alone is visible, comes last
    and so lies on top.
    """
    from ..io.movies import open_movies

    yield Progress(0, 1, "opening the movie")
    movies = open_movies(path)
    layers = []
    for number, (chosen, movie) in enumerate(movies):
        yield Progress(number, len(movies), "opening the movie")
        layer = _from(_address(path, chosen.pop("dataset", None)), movie_layer(movie))
        layer[1]["metadata"] = {**layer[1].get("metadata", {}), CHOSEN_KEY: chosen}
        layer[1]["visible"] = number == 0
        layers.append(layer)
    return layers[::-1]


def _address(path: str | Path | list, dataset: str | None) -> str | Path | list:
    return path if dataset is None else f"{path}::{dataset}"


def open_rois_steps(
    path: str | Path,
    *,
    image_shape: tuple[int, int] | None = None,
    pixel_size_um: float | None = None,
) -> Steps[tuple]:
    """Open ROIs of any kind, as a layer (data, arguments, type).

    `image_shape` (height, width) and pixel size are those of the movie, which files of ROIs
    do not tell.
    """
    from ..io.rois import read_rois

    yield Progress(0, 1, "opening the ROIs")
    footprints = read_rois(path, image_shape=image_shape)
    layer = rois_layer(footprints, name=Path(path).stem, pixel_size_um=pixel_size_um)
    return _from(path, layer)


def movie_layer(movie: Movie) -> tuple:
    """Return a movie as a layer, its brightness judged from a few frames."""
    some = np.asarray(movie.frames[:: max(1, movie.n_frames // 20)])
    # A few bright pixels would leave the rest dark.
    low, high = np.nanpercentile(some, (0.5, 99.8))
    look = {
        "name": movie.name,
        "contrast_limits": (float(low), float(max(high, low + 1e-6))),
    }
    geometry = Geometry(movie.frame_rate_hz or 1.0, movie.pixel_size_um)
    place = geometry.of_frames()
    if movie.frame_rate_hz is None:
        # Frames, not seconds: a rate is never made up.
        place["units"] = ("pixel", *place["units"][1:])
    return movie.frames, {**look, **place}, "image"


def rois_layer(footprints: Footprints, *, name: str, pixel_size_um: float | None) -> tuple:
    """Return ROIs as a Labels layer that carries their weights and overlaps."""
    arguments = {
        "name": name,
        "features": roi_features(footprints),
        "metadata": {FOOTPRINTS_KEY: footprints},
        "opacity": 0.5,
        **Geometry(1.0, pixel_size_um).of_image(),
    }
    return footprints.label_image, arguments, "labels"


def open_recording_steps(
    path: str | Path,
    *,
    frame_rate_hz: float | None = None,
    drop_unusable: bool = False,
    cells_only: bool = False,
    transpose: bool | None = None,
    channel: int | None = None,
    plane: int | None = None,
    extraction: dict[str, float | bool] | None = None,
    rois: str | None = None,
    tables: tuple[str, ...] = (),
    pixel_size_um: float | None = None,
) -> Steps[OpenedFolder]:
    """Read whatever holds a recording, with the still image that its source has.

    The arguments are those of an `Origin`, and a pixel size in place of the source's.
    """
    from ..extraction.options import ExtractionOptions
    from ..io.read import read_recording_steps
    from ..io.stills import read_still
    from ..io.suite2p import describe_suite2p, is_suite2p

    yield Progress(0, 1, "reading traces and ROIs")
    recording = yield from read_recording_steps(
        path,
        frame_rate_hz=frame_rate_hz,
        drop_unusable=drop_unusable,
        cells_only=cells_only,
        transpose=transpose,
        channel=channel,
        plane=plane,
        rois=rois,
        behaviour=tables,
        extraction=ExtractionOptions(**extraction) if extraction else None,
    )
    notes = list(recording.notes)
    if recording.accepted is not None and not recording.accepted.all():
        notes.insert(
            0,
            f"{np.count_nonzero(recording.accepted)} of {recording.n_neurons} ROIs are "
            "accepted as cells; the others are marked as rejected (K accepts, R rejects).",
        )
    elif Path(path).is_dir() and is_suite2p(path):
        facts = describe_suite2p(path)
        if "n_cells" in facts:
            notes.insert(
                0, f"{facts['n_cells']} of {facts['n_rois']} ROIs are accepted as cells."
            )
    still = None
    if recording.footprints is not None and recording.movie is None:
        still = read_still(path, recording.footprints.image_shape)
    origin = Origin(
        str(Path(path).resolve()),
        rois=rois,
        frame_rate_hz=frame_rate_hz,
        drop_unusable=drop_unusable,
        cells_only=cells_only,
        transpose=transpose,
        channel=channel,
        plane=plane,
        extraction=extraction or {},
        tables=tables,
    )
    return OpenedFolder(recording, still, sentences(notes), origin, pixel_size_um)


def sentences(notes: Iterable[str]) -> str:
    """Write notes of a reader one after the other, with a capital where a word begins one.

    Examples
    --------
    >>> sentences(("the frames come evenly.", "t.csv: 1 of 3 trials is left out."))
    'The frames come evenly. t.csv: 1 of 3 trials is left out.'
    """
    begun = []
    for note in filter(None, notes):
        first = note.partition(" ")[0]
        begun.append(note[0].upper() + note[1:] if first.isalpha() else note)
    return " ".join(begun)


def layers_of_folder(opened: OpenedFolder) -> list[tuple]:
    """Return the layers (data, arguments, type) of what was opened."""
    recording = opened.recording
    movie = recording.movie
    pixel_size_um = opened.pixel_size_um
    if pixel_size_um is None and movie is not None:
        pixel_size_um = movie.pixel_size_um
    geometry = Geometry(recording.frame_rate_hz, pixel_size_um)
    layers: list[tuple] = []
    if movie is not None:
        arguments = {"name": f"{recording.name} movie", **geometry.of_frames()}
        layers.append((movie.frames, arguments, "image"))
    elif opened.mean_image is not None:
        layers.append(still_layer(opened.mean_image, f"{recording.name} mean image", geometry))
    if recording.footprints is None:
        layers.append(_raster(recording))
    else:
        layers.append(_rois(recording, geometry))
    layers[-1][1]["metadata"][ORIGIN_KEY] = opened.origin
    return layers


def still_layer(image: np.ndarray, name: str, geometry: Geometry) -> tuple:
    """Return a still image of the field of view as a layer."""
    low, high = np.percentile(image, (1, 99.7))
    look = {"name": name, "contrast_limits": (float(low), float(max(high, low + 1e-6)))}
    return image, {**look, **geometry.of_image()}, "image"


def _rois(recording: Recording, geometry: Geometry) -> tuple:
    arguments = {
        "name": ROIS,
        "features": rows_by_label(
            roi_features(recording.footprints, recording.traces, recording.quality)
        ),
        "metadata": {ROLE_KEY: ROIS, RECORDING_KEY: recording},
        "opacity": 1.0,
        **geometry.of_image(),
    }
    return recording.footprints.label_image, arguments, "labels"


def _raster(recording: Recording) -> tuple:
    """Traces without ROIs have no place in an image; they are shown as neurons x time."""
    arguments = {
        "name": f"{recording.name} traces",
        "metadata": {RECORDING_KEY: recording},
        "scale": (1.0, 1 / recording.frame_rate_hz),
        "units": ("pixel", "s"),
        "axis_labels": ("neuron", "time"),
        "colormap": "magma",
    }
    return recording.traces, arguments, "image"


def _from(path: str | Path | list, layer: tuple) -> tuple:
    """Note in a layer where it was read from, where that is one place."""
    if isinstance(path, list):
        return layer
    data, arguments, kind = layer
    metadata = {**arguments.get("metadata", {}), PATH_KEY: str(Path(path).resolve())}
    return data, {**arguments, "metadata": metadata}, kind


def path_of(layer) -> str | None:
    """Return the file or folder that a layer was read from; None if it is not known."""
    return layer.metadata.get(PATH_KEY) or layer.source.path


def origin_of(
    movie_path: str | None,
    rois_path: str | None,
    *,
    chosen: dict[str, int],
    movie_shape: tuple[int, ...],
    labels: np.ndarray,
    frame_rate_hz: float,
    drop_unusable: bool,
    extraction: dict[str, float | bool],
) -> Origin | None:
    """Return how to extract the same traces from files; None where files give other ones.

    Layers may have been cropped or painted since they were opened, so the files are looked at.
    """
    from ..core.errors import CalmError
    from ..io.movies import open_movie
    from ..io.rois import read_rois
    from ..io.session_folder import is_session_folder, read_session_folder

    if movie_path is None or rois_path is None:
        return None
    options = {
        "frame_rate_hz": frame_rate_hz,
        "drop_unusable": drop_unusable,
        "extraction": extraction,
    }
    try:
        if movie_path == rois_path and is_session_folder(movie_path):
            session = read_session_folder(movie_path)
            movie, footprints = session.movie, session.footprints
            origin = Origin(movie_path, **options)
        else:
            movie = open_movie(movie_path, **chosen)
            footprints = read_rois(rois_path, image_shape=movie.image_shape)
            origin = Origin(movie_path, rois_path, **chosen, **options)
    except CalmError:
        return None
    same_movie = movie.frames.shape == movie_shape
    return origin if same_movie and np.array_equal(footprints.label_image, labels) else None
