import numpy as np
import pytest
import zarr

from napari_calm.core.errors import RecordingError
from napari_calm.io.read import describe, read_recording


def write_minian(folder, name, data, units, dims, zarr_format=2):
    group = zarr.open_group(folder / f"{name}.zarr", mode="w", zarr_format=zarr_format)
    array = group.create_array(name, data=data, chunks=(1, *data.shape[1:]))
    array.attrs["_ARRAY_DIMENSIONS"] = ["unit_id", *dims]
    group.create_array("unit_id", data=np.asarray(units))


@pytest.fixture
def images(rng):
    images = np.zeros((3, 8, 12))
    for unit in range(3):
        images[unit, unit : unit + 3, 2 * unit : 2 * unit + 2] = rng.uniform(0.1, 1, (3, 2))
    return images


@pytest.fixture
def folder(tmp_path, rng, images):
    """Unit numbers begin at 4, have gaps, and lie in another order in C, with one more."""
    folder = tmp_path / "mouse3" / "minian"
    folder.mkdir(parents=True)
    write_minian(folder, "A", images, [4, 7, 12], ["height", "width"])
    traces = rng.normal(size=(4, 30)).astype(np.float32)
    write_minian(folder, "C", traces, [12, 4, 9, 7], ["frame"])
    return folder


def test_units_are_matched_by_number_not_by_row(folder, images):
    found = read_recording(folder, frame_rate_hz=20)
    traces = zarr.open_group(folder / "C.zarr", mode="r")["C"][...]
    np.testing.assert_array_equal(found.traces, traces[[1, 3, 0]])
    np.testing.assert_allclose(
        found.footprints.weights.toarray().reshape(images.shape), images, rtol=1e-6
    )
    np.testing.assert_array_equal(found.roi_labels, [5, 8, 13])
    assert "1 units are in only one" in found.notes[1]
    assert (found.name, found.unit) == ("mouse3", "a.u.")


def test_it_is_found_from_the_folder_above_and_from_its_arrays(folder):
    expected = read_recording(folder, frame_rate_hz=20).traces
    for path in (folder.parent, folder / "A.zarr", folder / "C.zarr"):
        np.testing.assert_array_equal(read_recording(path, frame_rate_hz=20).traces, expected)


def test_the_frame_rate_is_asked_for(folder):
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_recording(folder)


def test_other_units_or_axes_are_told(folder, images, rng):
    write_minian(folder, "C", rng.normal(size=(2, 30)), [0, 1], ["frame"])
    with pytest.raises(RecordingError, match="no unit in common"):
        read_recording(folder, frame_rate_hz=20)
    write_minian(folder, "C", rng.normal(size=(2, 30)), [4, 4], ["frame"])
    with pytest.raises(RecordingError, match=r"2 unit numbers \(1 different\)"):
        read_recording(folder, frame_rate_hz=20)
    group = zarr.open_group(folder / "C.zarr", mode="a")
    group["C"].attrs["_ARRAY_DIMENSIONS"] = ["frame", "unit_id"]
    with pytest.raises(RecordingError, match="expected unit_id first"):
        read_recording(folder, frame_rate_hz=20)


def test_a_damaged_chunk_is_told(folder):
    chunk = next(p for p in (folder / "A.zarr" / "A").iterdir() if p.name == "0.0.0")
    chunk.write_bytes(b"garbage")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(folder, frame_rate_hz=20)


def test_it_is_described(folder):
    found = describe(folder)
    assert (found["kind"], found["n_rois"], found["n_frames"]) == ("minian results", 3, 30)
    assert found["unit_ids"] == [4, 7, 12]
