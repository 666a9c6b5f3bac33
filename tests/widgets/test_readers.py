import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_calm.io.export import export_recording
from napari_calm.widgets import layers
from napari_calm.widgets.plugin import movie_reader, recording_reader, rois_reader
from napari_calm.widgets.recording_layers import FOOTPRINTS_KEY, RECORDING_KEY

pytestmark = pytest.mark.filterwarnings("ignore:Inconsistent units")


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(10, 900, (20, 40, 40)).astype(np.uint16)


def write_caiman(path, recording, frame_rate_hz):
    weights = recording.footprints.weights.toarray().reshape(-1, 40, 40)
    with h5py.File(path, "w") as file:
        file["dims"] = np.array([40, 40])
        file["estimates/A"] = np.stack([image.ravel(order="F") for image in weights], axis=1)
        file["estimates/F_dff"] = file["estimates/C"] = recording.traces
        if frame_rate_hz:
            file["params/data/fr"] = frame_rate_hz
    return path


def test_results_become_outlined_rois_with_features_and_their_recording(
    viewer, tmp_path, recording
):
    path = write_caiman(tmp_path / "c.hdf5", recording, 6.0)
    assert recording_reader(str(path)) is not None
    viewer.open(str(path), plugin="napari-calm")
    rois = viewer.layers[layers.ROIS]
    np.testing.assert_array_equal(rois.data, recording.footprints.label_image)
    assert rois.axis_labels == ("y", "x")
    # One row a label, the background among them.
    assert list(rois.features["index"]) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(rois.metadata[RECORDING_KEY].traces, recording.traces, rtol=1e-6)


def test_without_a_frame_rate_only_the_rois_are_shown_and_a_message_says_why(
    viewer, tmp_path, recording, monkeypatch
):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    path = write_caiman(tmp_path / "c.hdf5", recording, None)
    viewer.open(str(path), plugin="napari-calm")
    assert "does not say its frame rate" in said[0]
    (rois,) = viewer.layers
    assert rois.metadata[FOOTPRINTS_KEY].n_neurons == 4


def test_movies_have_seconds_and_micrometres(viewer, tmp_path, frames):
    group = zarr.open_group(tmp_path / "m.ome.zarr", mode="w")
    group.create_array("0", data=frames)
    axes = [("t", "second"), ("y", "micrometer"), ("x", "micrometer")]
    scale = {"type": "scale", "scale": [0.2, 1.5, 1.5]}
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": name, "unit": unit} for name, unit in axes],
                "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
            }
        ],
    }
    viewer.open(str(tmp_path / "m.ome.zarr"), plugin="napari-calm")
    (movie,) = viewer.layers
    np.testing.assert_allclose(movie.scale, (0.2, 1.5, 1.5))
    assert [str(unit) for unit in movie.units] == ["second", "micrometer", "micrometer"]
    assert movie.axis_labels == ("time", "y", "x")
    np.testing.assert_array_equal(np.asarray(movie.data[7]), frames[7])


def test_rois_lie_on_the_movie_that_is_open(viewer, tmp_path, frames, recording):
    tifffile.imwrite(
        tmp_path / "m.tif",
        frames,
        photometric="minisblack",
        metadata={"axes": "TYX", "fps": 5.0, "pixel_size_um": 2.0},
    )
    export_recording(recording, tmp_path / "r.zip")
    viewer.open(str(tmp_path / "m.tif"), plugin="napari-calm")
    viewer.open(str(tmp_path / "r.zip"), plugin="napari-calm")
    movie, rois = viewer.layers
    assert rois.data.shape == (40, 40)
    np.testing.assert_allclose(rois.scale, movie.scale[1:])
    assert list(rois.features["area_px"]) == [64] * 4


def test_tiff_movies_of_every_shape_are_taken_and_pictures_are_not(tmp_path, frames):
    plain, picture, labels = (tmp_path / f"{name}.tif" for name in ("a", "b", "c"))
    tifffile.imwrite(plain, frames, photometric="minisblack")
    tifffile.imwrite(picture, frames[0])
    tifffile.imwrite(labels, (frames[0] > 500).astype(np.uint8))
    (tmp_path / "parts").mkdir()
    for number in range(3):
        tifffile.imwrite(tmp_path / "parts" / f"{number}.tif", frames[number])
    for path in (plain, tmp_path / "parts"):
        assert movie_reader(str(path)) is not None
    assert movie_reader([str(plain), str(picture)]) is not None
    assert movie_reader([str(plain), "notes.txt"]) is None
    # A label image has background; a picture of the field of view has none.
    assert rois_reader(str(labels)) is not None
    assert rois_reader(str(picture)) is None
    assert movie_reader(str(picture)) is None


def test_what_is_no_movie_and_no_result_is_left_to_napari(tmp_path):
    np.savez(tmp_path / "other.zip", a=np.zeros(3))
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.h5").write_text("no HDF5")
    for name in ("other.zip", "folder", "text.h5", "nothing.nwb"):
        for reader in (movie_reader, recording_reader, rois_reader):
            assert reader(str(tmp_path / name)) is None
