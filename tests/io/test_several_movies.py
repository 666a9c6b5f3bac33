"""All movies of a file that holds several."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_calm.core.errors import ChoiceNeeded, RecordingError
from napari_calm.io.movies import open_movie, open_movies


@pytest.fixture
def hyperstack(tmp_path, rng):
    """Frames, 3 planes, 2 channels; and the path of the file."""
    stack = rng.integers(50, 2000, (20, 3, 2, 24, 32)).astype(np.uint16)
    path = tmp_path / "two colours.tif"
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZCYX", "fps": 10.0})
    return stack, path


def test_every_channel_of_every_plane_is_a_movie_with_its_name(hyperstack):
    stack, path = hyperstack
    found = open_movies(path)
    assert [tuple(sorted(chosen.items())) for chosen, _ in found] == [
        (("channel", channel), ("plane", plane)) for plane in (1, 2, 3) for channel in (1, 2)
    ]
    for chosen, movie in found:
        expected = stack[:, chosen["plane"] - 1, chosen["channel"] - 1]
        np.testing.assert_array_equal(movie.frames, expected)
        np.testing.assert_array_equal(open_movie(path, **chosen).frames, expected)
        assert f"channel {chosen['channel']}" in movie.name
        assert f"plane {chosen['plane']}" in movie.name
        assert movie.frame_rate_hz == 10.0


def test_a_file_of_one_movie_needs_no_choice(tmp_path, frames):
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    ((chosen, movie),) = open_movies(tmp_path / "movie.tif")
    assert chosen == {}
    assert movie.name == "movie"


def test_every_dataset_of_an_hdf5_file_is_a_movie(tmp_path, frames):
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file["raw/mov"], file["registered"] = frames, frames + 1
    found = {movie.name: (chosen, movie) for chosen, movie in open_movies(path)}
    assert list(found) == ["two, raw/mov", "two, registered"]
    np.testing.assert_array_equal(found["two, registered"][1].frames, frames + 1)
    assert found["two, raw/mov"][0] == {"dataset": "/raw/mov"}
    with pytest.raises(ChoiceNeeded, match="raw/mov, /registered") as told:
        open_movie(path)
    assert told.value.option == "dataset"
    assert [chosen for chosen, _ in open_movies(f"{path}::/registered")] == [{}]
    with pytest.raises(RecordingError, match="no dataset '/other'"):
        open_movies(f"{path}::/other")


def test_every_array_of_a_zarr_group_is_a_movie(tmp_path, frames):
    group = zarr.open_group(tmp_path / "two.zarr", mode="w")
    for name, data in (("b", frames + 1), ("a", frames)):
        group.create_array(name, data=data)
    found = open_movies(tmp_path / "two.zarr")
    assert [chosen["dataset"] for chosen, _ in found] == ["a", "b"]
    np.testing.assert_array_equal(found[1][1].frames[:], frames + 1)


@pytest.mark.parametrize(("n_planes", "n_channels"), [(17, 1), (9, 2)])
def test_more_than_can_be_shown_are_told_and_not_opened(tmp_path, rng, n_planes, n_channels):
    volume = rng.integers(0, 99, (5, n_planes, n_channels, 16, 16)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "v.tif", volume, imagej=True, metadata={"axes": "TZCYX"})
    with pytest.raises(ChoiceNeeded, match=rf"{n_planes} planes.*--plane NUMBER"):
        open_movies(tmp_path / "v.tif")
