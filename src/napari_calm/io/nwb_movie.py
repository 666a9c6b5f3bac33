"""Movies in NWB files: TwoPhotonSeries and OnePhotonSeries."""

from dataclasses import replace
from pathlib import Path

import h5py

from ..core.errors import ChoiceNeeded, RecordingError
from ..core.movie import Movie
from .hdf5 import array_of, member, open_hdf5
from .hdf5_movie import hdf5_frames
from .nwb_rois import reference_images
from .nwb_series import dataset_of, frame_clock, groups_of_type
from .tiff import check_decodes

_TYPES = ("TwoPhotonSeries", "OnePhotonSeries")


def read_nwb_movie(
    path: str | Path,
    *,
    dataset: str | None = None,
    frame_rate_hz: float | None = None,
    transpose: bool | None = None,
) -> Movie:
    """Open a TwoPhotonSeries or OnePhotonSeries without reading it.

    The format keeps (frames, x, y), so the images are transposed, unless `dimension` or a
    reference image in the file shows that they lie there as (frames, y, x).

    Parameters
    ----------
    path : path
        The NWB file.
    dataset : str, optional
        Name of the series; needed where there are several.
    frame_rate_hz : float, optional
        Frames a second; goes before what the series says.
    transpose : bool, optional
        Transpose the images or do not, whatever the file shows.

    Raises
    ------
    RecordingError
        If there is no movie in the file, or several of which none was chosen.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        series = _chosen(file, dataset, path)
        data = dataset_of(series, "data")
        if data is None:
            raise RecordingError(f"{path}: {series.name} has no data.")
        exchange = _is_x_first(file, series, data) if transpose is None else transpose
        rate, _, _ = frame_clock(series, int(data.shape[0]), frame_rate_hz)
        pixel_um = _pixel_size_um(series)
        name, where = str(data.name), str(series.name)
    frames = hdf5_frames(path, name, transposed=exchange)
    check_decodes(frames, path)
    movie = Movie(frames, rate, pixel_um, name=where.rsplit("/", 1)[-1])
    return replace(movie, source=f"{path}::{where}")


def movie_series_in(file: h5py.File) -> list[h5py.Group]:
    """Series of an open file that hold a movie of their own."""
    return [series for series in groups_of_type(file, *_TYPES) if _holds_movie(series)]


def _holds_movie(series: h5py.Group) -> bool:
    data = dataset_of(series, "data")
    return data is not None and data.ndim == 3 and 0 not in data.shape


def _chosen(file: h5py.File, dataset: str | None, path: Path) -> h5py.Group:
    offered = movie_series_in(file)
    if dataset is not None:
        wanted = dataset.strip("/")
        found = [
            s for s in offered if s.name.strip("/") == wanted or s.name.endswith(f"/{wanted}")
        ]
    else:
        found = offered
    if len(found) == 1:
        return found[0]
    names = [s.name for s in offered]
    outside = [s.name for s in groups_of_type(file, *_TYPES) if s not in offered]
    hint = f" {outside[0]} keeps its frames in other files; open those." if outside else ""
    if not offered:
        raise RecordingError(f"{path}: there is no movie in the file.{hint}")
    message = (
        f"{path}: movies in it: {', '.join(names)}.{hint} Choose one with {path.name}::NAME or "
        "--dataset on the command line, dataset= in Python."
    )
    if dataset is None:
        raise ChoiceNeeded(message, "dataset", names)
    raise RecordingError(message)


def _is_x_first(file: h5py.File, series: h5py.Group, data: h5py.Dataset) -> bool:
    stored = (int(data.shape[1]), int(data.shape[2]))
    sides = array_of(series, "dimension")
    if sides is not None and sides.shape == (2,) and sides[0] != sides[1]:
        if stored == (int(sides[0]), int(sides[1])):
            return True
        if stored == (int(sides[1]), int(sides[0])):
            return False
    for image in reference_images(file):
        if stored[0] != stored[1] and image.shape in (stored, stored[::-1]):
            return bool(image.shape != stored)
    return True


def _pixel_size_um(series: h5py.Group) -> float | None:
    plane = member(series, "imaging_plane")
    if not isinstance(plane, h5py.Group):
        return None
    spacing = dataset_of(plane, "grid_spacing")
    if spacing is None or spacing.shape not in ((2,), (3,)):
        return None
    unit = str(spacing.attrs.get("unit", ""))
    size = float(spacing[0]) * {"meters": 1e6, "microns": 1.0, "micrometers": 1.0}.get(
        unit, 0.0
    )
    return size if 0 < size < 1e4 else None
