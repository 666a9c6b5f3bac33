import h5py
import numpy as np
import pytest
import scipy.io

from napari_calm.core.errors import RecordingError
from napari_calm.io.read import describe, read_recording


@pytest.fixture
def images(rng):
    images = np.zeros((3, 10, 14))
    for cell in range(3):
        images[cell, cell * 2 : cell * 2 + 3, 4:7] = rng.uniform(0.1, 1, (3, 3))
    return images


@pytest.fixture
def path(tmp_path, rng, images):
    """As MATLAB saves -v7.3: a block of its own first, axes in reverse."""
    path = tmp_path / "extract_output.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["output/spatial_weights"] = images.transpose(0, 2, 1).astype(np.float32)
        file["output/temporal_weights"] = rng.normal(size=(3, 25)).astype(np.float32)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))
    return path


def test_axes_are_matlabs(path, images):
    found = read_recording(path, frame_rate_hz=20)
    np.testing.assert_allclose(
        found.footprints.weights.toarray().reshape(images.shape), images, rtol=1e-6
    )
    with h5py.File(path) as file:
        np.testing.assert_array_equal(found.traces, file["output/temporal_weights"])
    assert found.unit == "a.u."


def test_the_frame_rate_is_asked_for(path):
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_recording(path)


def test_another_number_of_cells_is_told(path):
    with h5py.File(path, "r+") as file:
        del file["output/temporal_weights"]
        file["output/temporal_weights"] = np.ones((4, 25))
    with pytest.raises(RecordingError, match="3 cells in spatial_weights, 4 in"):
        read_recording(path, frame_rate_hz=20)


def test_an_older_matlab_file_says_how_to_save_it(tmp_path, images):
    scipy.io.savemat(tmp_path / "old.mat", {"output": {"spatial_weights": images}})
    with pytest.raises(RecordingError, match=r"version 7 or older.*-v7\.3"):
        read_recording(tmp_path / "old.mat")


def test_it_is_described(path):
    found = describe(path)
    assert (found["kind"], found["n_rois"]) == ("EXTRACT results", 3)
    assert (found["height_px"], found["width_px"], found["n_frames"]) == (10, 14, 25)
