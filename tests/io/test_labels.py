import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from napari_calm.core.errors import RecordingError
from napari_calm.io.describe import describe
from napari_calm.io.labels import footprint_arrays, read_footprints, write_footprints


def test_label_numbers_and_pixels_survive(tmp_path):
    labels = np.zeros((24, 32), np.uint16)
    labels[2:5, 3:6], labels[10:12, 20:30] = 4, 9
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    footprints = read_footprints(tmp_path / "labels.tif", image_shape=(24, 32))
    np.testing.assert_array_equal(footprints.label_values, [4, 9])
    np.testing.assert_array_equal(footprints.label_image, labels)


def test_weights_and_overlaps_survive_the_archive(tmp_path, footprints):
    write_footprints(footprints, tmp_path / "rois.npz")
    back = read_footprints(tmp_path / "rois.npz", image_shape=footprints.image_shape)
    np.testing.assert_array_equal(back.weights.toarray(), footprints.weights.toarray())
    np.testing.assert_array_equal(back.label_values, footprints.label_values)
    assert back.overlap_share[0] > 0


def test_the_archive_is_the_same_bytes_each_time(tmp_path, footprints):
    write_footprints(footprints, tmp_path / "a.npz")
    write_footprints(footprints, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_another_image_size_names_both(tmp_path, footprints):
    write_footprints(footprints, tmp_path / "rois.npz")
    with pytest.raises(RecordingError, match="24 x 32 pixels, but the movie has 48 x 64"):
        read_footprints(tmp_path / "rois.npz", image_shape=(48, 64))


def test_an_empty_label_image_has_no_roi(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", np.zeros((24, 32), np.uint8))
    with pytest.raises(RecordingError, match=r"labels\.tif: no ROI found"):
        read_footprints(tmp_path / "labels.tif")


def test_a_movie_is_no_label_image(tmp_path, frames):
    tifffile.imwrite(tmp_path / "m.tif", frames, photometric="minisblack", compression="zlib")
    with pytest.raises(RecordingError, match="found 40 pages"):
        read_footprints(tmp_path / "m.tif")


def test_an_index_outside_the_image_is_refused(tmp_path, footprints):
    arrays = footprint_arrays(footprints)
    arrays["indices"] = arrays["indices"] + 10_000
    np.savez(tmp_path / "rois.npz", **arrays)
    with pytest.raises(RecordingError, match="contradict"):
        read_footprints(tmp_path / "rois.npz")


def test_a_missing_part_is_named(tmp_path, footprints):
    arrays = footprint_arrays(footprints)
    del arrays["indptr"]
    np.savez(tmp_path / "rois.npz", **arrays)
    with pytest.raises(RecordingError, match="indptr missing"):
        read_footprints(tmp_path / "rois.npz")


def test_a_png_label_image_is_read(tmp_path):
    labels = np.zeros((6, 9), np.uint16)
    labels[1:3, 2:5], labels[4:, 6:] = 300, 7
    imsave(tmp_path / "masks.png", labels, check_contrast=False)
    footprints = read_footprints(tmp_path / "masks.png", image_shape=(6, 9))
    assert footprints.label_values.tolist() == [7, 300]
    np.testing.assert_array_equal(footprints.label_image, labels)
    assert describe(tmp_path / "masks.png")["kind"] == "label image"


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nnonsense", b"hello"])
def test_a_damaged_png_is_refused(tmp_path, content):
    (tmp_path / "masks.png").write_bytes(content)
    with pytest.raises(RecordingError, match="not a readable PNG"):
        read_footprints(tmp_path / "masks.png")


def test_a_coloured_png_is_no_label_image(tmp_path):
    imsave(tmp_path / "rgb.png", np.ones((6, 9, 3), np.uint8), check_contrast=False)
    with pytest.raises(RecordingError, match="one label image"):
        read_footprints(tmp_path / "rgb.png")
