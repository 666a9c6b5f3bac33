from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import roifile

from napari_calm.core.errors import CalmError
from napari_calm.core.footprints import Footprints
from napari_calm.io.export import export_recording
from napari_calm.io.imagej import write_imagej_rois
from napari_calm.io.read import read_recording
from napari_calm.io.rois import read_rois


def covered(footprints):
    return footprints.weights.toarray() > 0


def test_imagej_rois_come_back_pixel_by_pixel(tmp_path, rng):
    image = np.zeros((6, 30, 40), bool)
    image[0, 0:4, 0:5] = True  # in the corner
    image[1, 10, 10] = True  # one pixel
    image[2, 5:12, 20:30], image[2, 7:9, 23:26] = True, False  # with a hole
    image[3, 20:24, 3:6] = image[3, 26:29, 8:12] = True  # in two pieces
    image[4, [15, 16, 17], [15, 16, 17]] = True  # pieces that touch in corners
    image[5, 22:30, 25:40] = rng.random((8, 15)) < 0.6
    pixels = [(*np.nonzero(each), np.ones(each.sum())) for each in image]
    footprints = Footprints.from_pixels(pixels, (30, 40))
    write_imagej_rois(footprints, tmp_path / "r.zip")
    found = read_rois(tmp_path / "r.zip", image_shape=(30, 40))
    np.testing.assert_array_equal(covered(found), covered(footprints))


def test_clusters_are_groups_and_labels_names(tmp_path, recording):
    export_recording(recording, tmp_path / "r.zip", groups=np.array([2, 0, -1]))
    rois = roifile.roiread(tmp_path / "r.zip")
    assert [roi.group for roi in rois] == [3, 1, 0]
    assert [roi.name for roi in rois] == ["0003", "0007", "0009"]


def test_suite2p_layout_comes_back_with_weights_and_traces(tmp_path, recording):
    export_recording(recording, tmp_path / "mouse" / "plane0")
    found = read_recording(tmp_path / "mouse" / "plane0")
    np.testing.assert_array_equal(found.traces, recording.traces)
    np.testing.assert_allclose(
        found.footprints.weights.toarray(), recording.footprints.weights.toarray()
    )
    assert (found.frame_rate_hz, found.unit) == (7.5, "dF/F")
    stat = np.load(tmp_path / "mouse" / "plane0" / "stat.npy", allow_pickle=True)
    assert stat[0]["overlap"].sum() == 1
    assert list(tmp_path.rglob(".partial-*")) == []
    with pytest.raises(CalmError, match="exists already"):
        export_recording(recording, tmp_path / "mouse" / "plane0")


def test_tables_and_archives(tmp_path, recording):
    for name in ("t.csv", "t.npz"):
        export_recording(recording, tmp_path / name)
        np.testing.assert_allclose(
            read_recording(tmp_path / name).traces, recording.traces, rtol=1e-6
        )
    assert len(pd.read_csv(tmp_path / "t.csv")) == 40


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("r.zip", {"groups": np.array([0])}, "1 groups for 3 ROIs"),
        ("r.csv", {"groups": np.array([0, 1, 2])}, r"clusters go into \.nwb and \.zip"),
        ("r.docx", {}, "found the ending '.docx'"),
    ],
)
def test_what_a_format_cannot_hold_is_told(tmp_path, recording, name, given, message):
    with pytest.raises(CalmError, match=message):
        export_recording(recording, tmp_path / name, **given)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["r.zip", "folder"])
def test_formats_of_rois_need_rois(tmp_path, recording, name):
    with pytest.raises(CalmError, match=r"has no(ne| ROIs)"):
        export_recording(replace(recording, footprints=None), tmp_path / name)
