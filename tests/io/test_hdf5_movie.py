import h5py
import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.movies import open_movie
from napari_calm.io.read import describe, read_recording


@pytest.fixture
def path(tmp_path, frames):
    path = tmp_path / "movie.h5"
    with h5py.File(path, "w") as file:
        movie = file.create_dataset("mov", data=frames, chunks=(8, 24, 32), compression="gzip")
        movie.attrs["fs"] = 7.5
        file.create_dataset("notes/mean", data=frames.mean(axis=0))
    return path


def test_the_only_dataset_of_three_axes_is_the_movie(path, frames):
    movie = open_movie(path)
    np.testing.assert_array_equal(np.asarray(movie.frames), frames)
    assert (movie.frame_rate_hz, movie.name, movie.frames.dtype) == (7.5, "movie", np.uint16)
    assert describe(path)["kind"] == "movie"


def test_frames_are_read_in_the_chunks_of_the_file_and_nothing_stays_open(path, frames):
    movie = open_movie(path)
    assert movie.frames.chunks[0] == 8
    np.testing.assert_array_equal(np.asarray(movie.frames[30:3:-7]), frames[30:3:-7])
    with h5py.File(path, "r+") as file:
        file["mov"][5] = 0
    assert not np.asarray(movie.frames[5]).any()


def test_of_several_datasets_one_must_be_chosen(path, frames):
    with h5py.File(path, "r+") as file:
        file.create_dataset("raw/mov", data=frames[:, ::-1])
    with pytest.raises(RecordingError, match=r"2 datasets.*Movies are: /mov, /raw/mov.*::"):
        open_movie(path)
    for chosen in (open_movie(f"{path}::/raw/mov"), open_movie(path, dataset="raw/mov")):
        np.testing.assert_array_equal(np.asarray(chosen.frames), frames[:, ::-1])
    with pytest.raises(RecordingError, match=r"no dataset 'other'"):
        open_movie(path, dataset="other")
    with pytest.raises(RecordingError, match=r"shape \(24, 32\); a movie holds"):
        open_movie(path, dataset="notes/mean")


def test_axes_of_length_one_do_not_count(tmp_path, frames):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["a"] = frames[:, None]
    np.testing.assert_array_equal(np.asarray(open_movie(path).frames), frames)


def test_a_file_without_a_movie_is_told(tmp_path):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.arange(5)
    with pytest.raises(RecordingError, match=r"no dataset.*three axes"):
        open_movie(path)


def test_a_link_into_another_file_is_not_followed(tmp_path, path):
    link = tmp_path / "link.h5"
    with h5py.File(link, "w") as file:
        file["mov"] = h5py.ExternalLink("movie.h5", "mov")
    with pytest.raises(RecordingError, match=r"lies in another file \(movie\.h5\)"):
        open_movie(link, dataset="mov")


def test_numbers_kept_in_another_file_are_not_read(tmp_path, frames):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(frames.tobytes())
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "mov", frames.shape, frames.dtype, external=[(str(secret), 0, frames.nbytes)]
        )
    with pytest.raises(RecordingError, match="another file"):
        open_movie(path)


def test_numbers_that_were_never_written_are_told(tmp_path):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("mov", (100_000, 512, 512), np.uint16, chunks=(1, 512, 512))
    with pytest.raises(
        RecordingError, match=r"announces \d+ bytes, but only 0 lie in the file"
    ):
        open_movie(path)


def test_a_cut_file_is_told(path):
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(
        RecordingError, match=r"movie\.h5: .*(damaged|cut short|no HDF5|not an HDF5)"
    ):
        open_movie(path)


def test_traces_are_extracted_from_it(path, footprints, tmp_path, frames):
    from napari_calm.io.labels import write_footprints

    write_footprints(footprints, tmp_path / "rois.npz")
    found = read_recording(path, rois=tmp_path / "rois.npz")
    weights = footprints.weights[[0]].toarray()[0]
    expected = (frames.reshape(40, -1) @ weights) / weights.sum()
    baseline = np.array([np.percentile(expected[: t + 1], 20) for t in range(40)])
    np.testing.assert_allclose(found.traces[0], expected / baseline - 1, rtol=1e-4, atol=1e-5)
