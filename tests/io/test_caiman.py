import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from napari_calm.core.errors import RecordingError
from napari_calm.io.read import describe, read_recording
from napari_calm.io.rois import read_rois

HEIGHT, WIDTH = 6, 9


@pytest.fixture
def images(rng):
    """Four components (component, height, width), the last two overlapping."""
    images = np.zeros((4, HEIGHT, WIDTH))
    images[0, 1, 2:5] = [0.2, 0.9, 0.4]
    images[1, 4:6, 0] = 1
    images[2, 2:4, 5:8] = rng.uniform(0.1, 1, (2, 3))
    images[3, 3, 6:9] = 0.5
    return images


@pytest.fixture
def path(tmp_path, rng, images):
    """Results as CaImAn writes them: A sparse by columns, images in Fortran order."""
    path = tmp_path / "analysis_results.hdf5"
    flat = np.stack([image.ravel(order="F") for image in images], axis=1)
    weights = sp.csc_array(flat)
    with h5py.File(path, "w") as file:
        file["dims"] = np.array([HEIGHT, WIDTH])
        file["dview"] = b"NoneType"
        for name in ("data", "indices", "indptr", "shape"):
            value = getattr(weights, name)
            file[f"estimates/A/{name}"] = np.asarray(value)
        file["estimates/C"] = rng.normal(size=(4, 50))
        file["estimates/YrA"] = rng.normal(size=(4, 50))
        file["estimates/F_dff"] = rng.normal(size=(4, 50))
        file["estimates/idx_components"] = np.array([1, 3])
        file["params/data/fr"] = 30.0
    return path


def change(path, name, value=None):
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


def test_images_are_read_in_fortran_order_with_weights_and_overlaps(path, images):
    found = read_recording(path).footprints
    np.testing.assert_allclose(found.weights.toarray().reshape(images.shape), images, rtol=1e-6)
    np.testing.assert_array_equal(found.label_values, [1, 2, 3, 4])
    np.testing.assert_array_equal(read_rois(path).weights.toarray(), found.weights.toarray())


def test_traces_are_f_dff(path):
    found = read_recording(path)
    with h5py.File(path) as file:
        np.testing.assert_allclose(found.traces, file["estimates/F_dff"], rtol=1e-6)
    assert (found.unit, found.frame_rate_hz, found.notes) == ("dF/F", 30, ())


@pytest.mark.parametrize("missing", [None, b"NoneType"])
def test_without_f_dff_traces_are_model_plus_residual_and_a_note_says_so(path, missing):
    change(path, "estimates/F_dff", missing)
    found = read_recording(path)
    with h5py.File(path) as file:
        expected = file["estimates/C"][()] + file["estimates/YrA"][()]
    np.testing.assert_allclose(found.traces, expected, rtol=1e-5)
    assert found.unit == "a.u."
    assert "no F_dff" in found.notes[0]


def test_accepted_components_may_be_taken_alone(path):
    every, cells = read_recording(path), read_recording(path, cells_only=True)
    np.testing.assert_array_equal(cells.traces, every.traces[[1, 3]])
    np.testing.assert_array_equal(cells.roi_labels, [2, 4])
    change(path, "estimates/idx_components", b"NoneType")
    with pytest.raises(RecordingError, match="accepted no components"):
        read_recording(path, cells_only=True)


def test_the_frame_rate_is_asked_for_where_it_is_missing(path):
    change(path, "params/data/fr")
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_recording(path)
    assert read_recording(path, frame_rate_hz=20).frame_rate_hz == 20


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dims", np.array([5, 9]), "54 pixels for an image of 5 x 9"),
        ("estimates/A/indices", np.array([1000] * 14), "contradicts itself"),
        ("estimates/F_dff", np.zeros((3, 50)), r"shape \(3, 50\) for 4 components"),
        ("estimates/idx_components", np.array([9]), "components that do not exist"),
        ("estimates/A/data", None, "lacks data or indices"),
    ],
)
def test_contradictions_are_told(path, name, value, message):
    change(path, name, value)
    with pytest.raises(RecordingError, match=message) as told:
        read_recording(path)
    assert str(path) in str(told.value)


def test_it_is_described(path):
    found = describe(path)
    assert (found["kind"], found["n_rois"], found["n_cells"]) == ("CaImAn results", 4, 2)
    assert found["duration_s"] == pytest.approx(50 / 30)


def test_all_components_are_read_with_what_was_accepted(path):
    np.testing.assert_array_equal(np.flatnonzero(read_recording(path).accepted), [1, 3])
    change(path, "estimates/idx_components", b"NoneType")
    assert read_recording(path).accepted is None
