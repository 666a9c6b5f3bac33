"""Movies in Zarr and OME-Zarr (0.4 and 0.5), read chunk by chunk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..core.errors import ChoiceNeeded, RecordingError
from ..core.movie import Movie
from .frames_on_demand import FramesOnDemand
from .tiff import check_decodes
from .tiff_pages import position
from .zarr_arrays import array_in, arrays_in, check_plain, open_zarr

_SECONDS = {"second": 1.0, "s": 1.0, "millisecond": 1e-3, "ms": 1e-3, "minute": 60.0}
_MICROMETRES = {"micrometer": 1.0, "um": 1.0, "µm": 1.0, "nanometer": 1e-3, "millimeter": 1e3}
_SIDES_ONLY = ("y", "x")


def read_zarr_movie(
    folder: str | Path,
    *,
    dataset: str | None = None,
    frame_rate_hz: float | None = None,
    channel: int | None = None,
    plane: int | None = None,
) -> Movie:
    """Open a Zarr array or an OME-Zarr image as a movie, without reading it.

    Of an OME-Zarr image the level of full resolution is taken; its axes, scale and units
    give frame rate and pixel size. An array without named axes is (frames, height, width).

    Parameters
    ----------
    folder : path
        The Zarr array or group.
    dataset : str, optional
        Which array of a group; needed where several could be the movie.
    frame_rate_hz : float, optional
        Frames a second; goes before what the metadata say.
    channel, plane : int, optional
        Numbered from 1; needed where the image has several.

    Raises
    ------
    RecordingError
        If there is no movie or several, or a choice is missing or impossible.
    """
    folder = Path(folder)
    source = str(folder)
    found = open_zarr(folder)
    image = None if isinstance(found, zarr.Array) else _ome_image(found)
    if image is not None and dataset is None:
        array, axes, scale = _ome_array(found, image, source)
    else:
        array = _plain_array(found, dataset, source)
        axes, scale = _plain_axes(array, source), {}
    taken, kept = _index(axes, array.shape, channel, plane, source)
    check_plain(array, source)
    frames = _frames(array, taken, kept)
    check_decodes(frames, folder)
    rate = scale.get("t") if frame_rate_hz is None else frame_rate_hz
    return Movie(frames, rate, scale.get("x"), name=_name(folder), source=source)


def _frames(array: Any, taken: tuple[int | slice, ...], kept: str) -> FramesOnDemand:
    """Frames of an array of which `taken` is shown, with the axes `kept` (t, y and x)."""
    axes = [axis for axis, chosen in enumerate(taken) if isinstance(chosen, slice)]
    order = [kept.index(axis) for axis in "tyx"]
    time = axes[order[0]]

    def read(start: int, stop: int) -> np.ndarray:
        index = (*taken[:time], slice(start, stop), *taken[time + 1 :])
        block: np.ndarray = np.asarray(array[index]).transpose(order)
        return block

    n_frames, height, width = (int(array.shape[axes[at]]) for at in order)
    return FramesOnDemand(
        (n_frames, height, width),
        np.dtype(array.dtype),
        read,
        frames_per_chunk=int(array.chunks[time]),
    )


def _ome_image(group: Any) -> Mapping[str, Any] | None:
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    images = ome.get("multiscales") if isinstance(ome, Mapping) else None
    if isinstance(images, list) and images and isinstance(images[0], Mapping):
        return images[0]
    return None


def _ome_array(
    group: Any, image: Mapping[str, Any], source: str
) -> tuple[Any, str, dict[str, float]]:
    try:
        level = image["datasets"][0]
        array = array_in(group, str(level["path"]))
        named = image.get("axes") or list("tczyx")
        axes = [axis["name"] if isinstance(axis, Mapping) else axis for axis in named]
        units = [axis.get("unit", "") if isinstance(axis, Mapping) else "" for axis in named]
        steps = [
            step["scale"]
            for step in level.get("coordinateTransformations", [])
            if step.get("type") == "scale"
        ] or [[1.0] * len(axes)]
        if array is None or len(axes) != array.ndim or len(steps[0]) != array.ndim:
            raise ValueError("axes, scale and array of the first level do not fit together")
        joined = "".join(str(axis).lower() for axis in axes)
        sizes = [float(step) for step in steps[0]]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(
            f"{source}: the OME-Zarr description (multiscales) is not complete ({error})."
        ) from error
    scale: dict[str, float] = {}
    for axis, unit, size in zip(joined, units, sizes, strict=False):
        if axis == "t" and unit in _SECONDS and size > 0:
            scale["t"] = 1 / (size * _SECONDS[unit])
        if axis == "x" and unit in _MICROMETRES and size > 0:
            scale["x"] = size * _MICROMETRES[unit]
    return array, joined, scale


def _plain_array(group: Any, dataset: str | None, source: str) -> Any:
    if isinstance(group, zarr.Array):
        return group
    if dataset is not None:
        array = array_in(group, dataset.strip("/"))
        if array is None:
            raise RecordingError(f"{source}: there is no array {dataset!r}.")
        return array
    names = [name for name, array in arrays_in(group, source) if array.ndim == 3]
    if not names:
        raise RecordingError(
            f"{source}: found no array that could be a movie, which has three axes (frames, "
            "height, width)."
        )
    if len(names) > 1:
        names.sort()
        raise ChoiceNeeded(
            f"{source}: found {len(names)} arrays that could be a movie "
            f"({', '.join(names[:12])}); a movie has three axes (frames, height, width). "
            "Choose one with FOLDER::ARRAY or --dataset.",
            "dataset",
            names,
        )
    return array_in(group, names[0])


def _plain_axes(array: Any, source: str) -> str:
    names = array.attrs.get("_ARRAY_DIMENSIONS") or getattr(
        array.metadata, "dimension_names", None
    )
    letters = {"frame": "t", "time": "t", "height": "y", "width": "x", "channel": "c"}
    if names and all(isinstance(name, str) for name in names):
        axes = "".join(letters.get(name.lower(), name.lower()[:1]) for name in names)
        if sorted(axes) == ["t", "x", "y"]:
            return axes
    lengths = {3: "tyx", 4: "tcyx", 5: "tczyx"}
    if array.ndim not in lengths:
        raise RecordingError(
            f"{source}: found an array of shape {tuple(array.shape)}; a movie has three axes "
            "(frames, height, width)."
        )
    return lengths[array.ndim]


def _index(
    axes: str, shape: tuple[int, ...], channel: int | None, plane: int | None, source: str
) -> tuple[tuple[int | slice, ...], str]:
    index: list[int | slice] = []
    kept = ""
    lengths = dict(zip(axes, shape, strict=True))
    stack = "t" if lengths.get("t", 1) > 1 or "z" not in axes else "z"
    for axis, length in zip(axes, shape, strict=True):
        if axis in _SIDES_ONLY or axis == stack:
            index.append(slice(None))
            kept += "t" if axis == stack else axis
        elif axis == "c":
            index.append(position("channel", channel, range(1, length + 1), source))
        elif axis == "z":
            index.append(position("plane", plane, range(1, length + 1), source))
        elif length == 1:
            index.append(0)
        else:
            raise RecordingError(f"{source}: the axis {axis!r} of {length} is not known.")
    if sorted(kept) != ["t", "x", "y"]:
        raise RecordingError(
            f"{source}: found axes {axes} of shape {tuple(map(int, shape))}; a "
            "movie has time (or planes), height and width."
        )
    return tuple(index), kept


def _name(folder: Path) -> str:
    name = folder.resolve().name
    for ending in (".ome.zarr", ".zarr"):
        name = name.removesuffix(ending)
    return name
