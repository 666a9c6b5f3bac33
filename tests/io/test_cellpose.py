import os

import numpy as np
import pytest
import tifffile

from napari_calm.core.errors import RecordingError
from napari_calm.io.read import describe
from napari_calm.io.rois import read_rois


@pytest.fixture
def masks():
    masks = np.zeros((12, 20), np.uint16)
    masks[1:4, 2:5], masks[5:9, 8:14], masks[10, 15:19] = 1, 4, 9
    return masks


def save(path, contents):
    np.save(path, contents, allow_pickle=True)
    return path


@pytest.fixture
def path(tmp_path, masks):
    return save(
        tmp_path / "mean_seg.npy",
        {
            "outlines": masks > 0,
            "masks": masks,
            "chan_choose": [0, 0],
            "ismanual": np.zeros(3, bool),
            "filename": "mean.tif",
            "flows": [np.zeros((1, 12, 20, 3), np.uint8), [], None],
            "diameter": np.float64(30.0),
        },
    )


def test_masks_with_gaps_in_their_numbers_keep_them(path, masks):
    found = read_rois(path)
    np.testing.assert_array_equal(found.label_values, [1, 4, 9])
    np.testing.assert_array_equal(found.label_image, masks)
    assert describe(path)["kind"] == "Cellpose segmentation"


def test_the_mask_image_gives_the_same(path, tmp_path, masks):
    tifffile.imwrite(tmp_path / "mean_cp_masks.tif", masks)
    image = read_rois(tmp_path / "mean_cp_masks.tif")
    np.testing.assert_array_equal(image.label_image, read_rois(path).label_image)


def test_nothing_in_it_is_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = save(tmp_path / "bad_seg.npy", {"masks": np.ones((3, 3), int), "flows": Payload()})
    with pytest.raises(RecordingError, match=r"bad_seg\.npy.*system"):
        read_rois(path)
    assert not (tmp_path / "ran").exists()


def test_a_stack_or_no_masks_is_told(tmp_path, masks):
    stack = save(tmp_path / "stack_seg.npy", {"masks": np.stack([masks, masks])})
    with pytest.raises(RecordingError, match="masks are a stack"):
        read_rois(stack)
    other = save(tmp_path / "other_seg.npy", {"outlines": masks})
    with pytest.raises(RecordingError, match="holds no masks"):
        read_rois(other)
