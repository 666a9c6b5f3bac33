import zipfile

import numpy as np
import pytest
import roifile
from roifile import ROI_TYPE, ImagejRoi

from napari_calm.core.errors import RecordingError
from napari_calm.io.read import describe, read_recording
from napari_calm.io.rois import read_rois


def box(left, top, right, bottom, kind=ROI_TYPE.RECT):
    roi = ImagejRoi.frompoints([[left, top], [right, bottom]])
    roi.roitype = kind
    roi.left, roi.top, roi.right, roi.bottom = left, top, right, bottom
    roi.n_coordinates = 0
    roi.integer_coordinates = None
    return roi


def polygon(points):
    roi = ImagejRoi.frompoints(points)
    roi.roitype = ROI_TYPE.POLYGON
    return roi


def pixels(footprints, row):
    index = footprints.weights[[row]].indices
    return {tuple(map(int, divmod(i, footprints.image_shape[1]))) for i in index}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "RoiSet.zip"
    rois = [
        box(2, 3, 6, 5),
        polygon([[10, 1], [14, 1], [14, 5], [10, 5]]),
        polygon([[12, 3], [18, 3], [18, 8]]),
    ]
    roifile.roiwrite(path, rois, name=["0001", "0002", "0003"], mode="w")
    return path


def test_x_and_y_become_column_and_row(path):
    found = read_rois(path, image_shape=(20, 30))
    assert found.image_shape == (20, 30)
    assert pixels(found, 0) == {(y, x) for y in (3, 4) for x in range(2, 6)}
    assert pixels(found, 1) == {(y, x) for y in range(1, 5) for x in range(10, 14)}


def test_a_pixel_belongs_to_an_roi_if_its_centre_does_and_overlaps_are_kept(path):
    found = read_rois(path, image_shape=(20, 30))
    # Below the line from (12, 3) to (18, 8), at the centres of the pixels.
    expected = {
        (y, x)
        for y in range(3, 8)
        for x in range(12, 18)
        if (y + 0.5 - 3) < (x + 0.5 - 12) * 5 / 6
    }
    assert pixels(found, 2) == expected
    assert found.overlap_share[1] > 0


def test_an_oval_has_the_area_of_an_ellipse(tmp_path):
    roi = box(4, 2, 24, 14, ROI_TYPE.OVAL)
    roi.tofile(tmp_path / "cell.roi")
    found = read_rois(tmp_path / "cell.roi", image_shape=(20, 30))
    assert found.areas_px[0] == pytest.approx(np.pi * 10 * 6, rel=0.03)
    np.testing.assert_allclose(found.centroids_px[0], [7.5, 13.5], atol=0.1)


def test_sub_pixel_corners_count(tmp_path):
    roi = polygon(np.array([[2.6, 2.6], [6.4, 2.6], [6.4, 6.4], [2.6, 6.4]]))
    roi.tofile(tmp_path / "cell.roi")
    found = read_rois(tmp_path / "cell.roi", image_shape=(20, 30))
    assert pixels(found, 0) == {(y, x) for y in range(3, 6) for x in range(3, 6)}


def test_what_lies_outside_the_image_is_cut_off_or_told(path):
    found = read_rois(path, image_shape=(4, 30))
    assert pixels(found, 1) == {(y, x) for y in (1, 2, 3) for x in range(10, 14)}
    with pytest.raises(RecordingError, match=r"ROI 0 \(.*covers no pixel.*3 x 30"):
        read_rois(path, image_shape=(3, 30))


def test_what_has_no_area_is_told(tmp_path):
    roi = ImagejRoi.frompoints([[1, 1], [4, 4]])
    roi.roitype = ROI_TYPE.POINT
    roi.tofile(tmp_path / "p.roi")
    with pytest.raises(RecordingError, match=r"is a point, which has no area"):
        read_rois(tmp_path / "p.roi")


def test_they_are_described_and_are_no_recording(path):
    found = describe(path)
    assert (found["kind"], found["n_rois"]) == ("ImageJ ROIs", 3)
    with pytest.raises(RecordingError, match="found a ImageJ ROIs; expected a recording"):
        read_recording(path)


@pytest.mark.parametrize("name", ["../../outside.roi", "/etc/x.roi", "C:\\x.roi"])
def test_an_archive_that_leads_out_of_itself_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr(name, b"Iout")
    with pytest.raises(RecordingError, match="leads out of it"):
        read_rois(tmp_path / "r.zip")


def test_an_archive_that_grows_beyond_all_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_calm.io.archive_check._BOMB_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "r.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.roi", bytes(2 * 2**20))
    with pytest.raises(RecordingError, match="bytes would become"):
        read_rois(tmp_path / "r.zip")


@pytest.mark.parametrize("keep", [3, 20, 70])
def test_a_cut_file_is_told(tmp_path, keep):
    polygon([[1, 1], [4, 1], [4, 4]]).tofile(tmp_path / "a.roi")
    (tmp_path / "a.roi").write_bytes((tmp_path / "a.roi").read_bytes()[:keep])
    with pytest.raises(RecordingError, match=r"a\.roi"):
        read_rois(tmp_path / "a.roi")
