import json

import numpy as np
import pytest
import zarr

from napari_calm.core.errors import RecordingError
from napari_calm.io.movies import open_movie
from napari_calm.io.read import describe

AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def write_ome(folder, stack, version, *, axes=AXES, scale=(0.1, 1, 2, 0.5, 0.5)):
    """An OME-Zarr image of two levels, of version 0.4 (zarr 2) or 0.5 (zarr 3)."""
    group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, data in (("0", stack), ("1", stack[..., ::2, ::2])):
        array = group.create_array(
            level,
            shape=data.shape,
            chunks=(1,) * (data.ndim - 2) + data.shape[-2:],
            dtype=data.dtype,
        )
        array[...] = data
    image = {
        "axes": axes,
        "datasets": [
            {
                "path": path,
                "coordinateTransformations": [{"type": "scale", "scale": list(scale)}],
            }
            for path in ("0", "1")
        ],
    }
    if version == "0.4":
        group.attrs["multiscales"] = [{**image, "version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_movie_has_its_rate_and_pixel_size(tmp_path, frames, version):
    stack = frames[:, None, None]
    folder = write_ome(tmp_path / "run7.ome.zarr", stack, version)
    movie = open_movie(folder)
    np.testing.assert_array_equal(np.asarray(movie.frames), frames)
    assert (movie.frame_rate_hz, movie.pixel_size_um, movie.name) == (10, 0.5, "run7")
    assert movie.frames.chunks[0] == 1
    assert describe(folder)["kind"] == "movie"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_channel_and_plane_are_chosen(tmp_path, frames, version):
    stack = np.stack([frames, frames[::-1]], axis=1)[:, :, None]
    stack = np.concatenate([stack, stack + 1, stack + 2], axis=2)
    folder = write_ome(tmp_path / "m.zarr", stack, version)
    with pytest.raises(RecordingError, match=r"2 channels.*--channel"):
        open_movie(folder)
    chosen = open_movie(folder, channel=2, plane=3)
    np.testing.assert_array_equal(np.asarray(chosen.frames), frames[::-1] + 2)
    with pytest.raises(RecordingError, match="no plane 4"):
        open_movie(folder, channel=1, plane=4)


def test_without_time_the_planes_are_the_frames(tmp_path, frames):
    folder = write_ome(tmp_path / "m.zarr", frames, "0.5", axes=AXES[2:], scale=(1, 1, 1))
    movie = open_movie(folder)
    np.testing.assert_array_equal(np.asarray(movie.frames), frames)
    assert movie.frame_rate_hz is None


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_is_frames_height_width(tmp_path, frames, zarr_format):
    folder = tmp_path / "movie.zarr"
    array = zarr.create_array(
        folder, shape=frames.shape, dtype=frames.dtype, zarr_format=zarr_format
    )
    array[...] = frames
    np.testing.assert_array_equal(np.asarray(open_movie(folder).frames), frames)


def test_of_several_arrays_one_must_be_chosen(tmp_path, frames):
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    for name in ("green", "red"):
        group.create_array(name, data=frames)
    with pytest.raises(RecordingError, match=r"2 arrays.*\(green, red\).*FOLDER::ARRAY"):
        open_movie(tmp_path / "g.zarr")
    chosen = open_movie(f"{tmp_path / 'g.zarr'}::red")
    np.testing.assert_array_equal(np.asarray(chosen.frames), frames)


def test_a_description_that_does_not_fit_is_told(tmp_path, frames):
    folder = write_ome(tmp_path / "m.zarr", frames[:, None, None], "0.4")
    attributes = json.loads((folder / ".zattrs").read_text())
    attributes["multiscales"][0]["axes"].pop()
    (folder / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(RecordingError, match=r"multiscales\) is not complete"):
        open_movie(folder)


def test_a_damaged_description_is_told(tmp_path, frames):
    folder = tmp_path / "movie.zarr"
    zarr.create_array(folder, shape=frames.shape, dtype=frames.dtype)
    (folder / "zarr.json").write_text("{")
    with pytest.raises(RecordingError, match=r"movie\.zarr: the Zarr description"):
        open_movie(folder)
