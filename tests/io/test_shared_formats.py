"""Real files of each format, where they lie beside the project (or CALM_DATA says where)."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from napari_calm.io.export import export_recording
from napari_calm.io.imagej import write_imagej_rois
from napari_calm.io.read import describe, read_recording
from napari_calm.io.rois import read_rois
from napari_calm.preprocess.baseline import running_baseline

BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
FORMATS = Path(os.environ.get("CALM_DATA", BESIDE)) / "formats"
SUITE2P_NWB = FORMATS / "nwb" / "suite2p_2022_08_08.nwb"
OTHER_NWB = FORMATS / "nwb" / "A0634-210127.nwb"
CAIMAN = FORMATS / "caiman" / "sample_cellset_msr_1.hdf5"
MINIAN = FORMATS / "minian" / "camap_1d"
pytestmark = pytest.mark.skipif(
    not FORMATS.is_dir(), reason="no shared files of real formats (set CALM_DATA)"
)


def test_suite2ps_nwb_says_the_same_as_its_folder():
    """Its masks are (y, x) against the format, its traces (ROI, time) too."""
    nwb, folder = read_recording(SUITE2P_NWB), read_recording(FORMATS / "suite2p")
    np.testing.assert_array_equal(nwb.traces, folder.traces)
    difference = nwb.footprints.weights - folder.footprints.weights
    assert abs(difference).max() == 0
    cells = read_recording(SUITE2P_NWB, cells_only=True)
    expected = read_recording(FORMATS / "suite2p", cells_only=True)
    np.testing.assert_array_equal(cells.traces, expected.traces)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", [SUITE2P_NWB, OTHER_NWB])
def test_pynwb_confirms_the_numbers(path):
    pynwb = pytest.importorskip("pynwb", reason="needs pynwb (napari-calm[nwb])")
    found = describe(path)
    with pynwb.NWBHDF5IO(path, "r") as file:
        nwb = file.read()
        series = nwb.processing["ophys"]["Fluorescence"].roi_response_series
        series = next(iter(series.values()))
        assert sorted(series.data.shape) == sorted((found["n_neurons"], found["n_frames"]))
        table = nwb.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        rois = read_rois(path)
        assert len(table) == rois.n_neurons
        if "pixel_mask" in table.colnames:
            for row in (0, 100, 218):
                mask = table["pixel_mask"][row]
                weights = sorted(float(pixel[2]) for pixel in mask)
                part = slice(*rois.weights.indptr[row : row + 2])
                np.testing.assert_allclose(sorted(rois.weights.data[part]), weights, rtol=1e-6)
        else:
            total = [np.sum(table["image_mask"][row]) for row in range(len(table))]
            np.testing.assert_allclose(rois.weights.sum(axis=1), total, rtol=1e-4)


def test_real_traces_by_time_first_with_timestamps():
    found = read_recording(OTHER_NWB)
    with h5py.File(OTHER_NWB) as file:
        series = file["processing/ophys/Fluorescence/RoiResponseSeries"]
        np.testing.assert_allclose(found.traces, series["data"][()].T, rtol=1e-5)
        times = series["timestamps"][()]
    assert found.frame_rate_hz == pytest.approx(1 / np.median(np.diff(times)))
    assert found.frame_times_s[-1] == pytest.approx(times[-1], abs=0.02)


def test_real_caiman_results_without_f_dff():
    found = read_recording(CAIMAN)
    assert (found.n_neurons, found.n_frames, found.unit) == (5, 100, "a.u.")
    assert found.frame_rate_hz == pytest.approx(20.0152, abs=1e-3)
    with h5py.File(CAIMAN) as file:
        estimates = file["estimates"]
        expected = estimates["C"][()] + estimates["YrA"][()]
        np.testing.assert_allclose(found.traces, expected, rtol=1e-4, atol=1e-4)
        # The first component, laid out as CaImAn does it.
        start, stop = estimates["A/indptr"][:2]
        flat = np.zeros(np.prod(file["dims"][()]))
        flat[estimates["A/indices"][start:stop]] = estimates["A/data"][start:stop]
        expected = flat.reshape(file["dims"][()], order="F")
    image = found.footprints.weights[[0]].toarray().reshape(found.footprints.image_shape)
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_real_minian_results():
    found = read_recording(MINIAN, frame_rate_hz=20)
    traces = zarr.open_group(MINIAN / "C.zarr", mode="r")["C"][...]
    images = zarr.open_group(MINIAN / "A.zarr", mode="r")["A"][...]
    np.testing.assert_array_equal(found.traces, traces)
    np.testing.assert_allclose(
        found.footprints.weights.toarray().reshape(images.shape), images, rtol=1e-5
    )


@pytest.mark.filterwarnings("ignore")
def test_a_real_nwb_file_gets_results_in_a_valid_copy(tmp_path):
    pytest.importorskip("pynwb", reason="needs pynwb (napari-calm[nwb])")
    recording = read_recording(SUITE2P_NWB)
    groups = np.arange(recording.n_neurons) % 5
    export_recording(recording, tmp_path / "copy.nwb", copy_of=SUITE2P_NWB, groups=groups)
    again = read_recording(tmp_path / "copy.nwb")
    np.testing.assert_array_equal(again.traces, recording.traces)
    with h5py.File(tmp_path / "copy.nwb") as file, h5py.File(SUITE2P_NWB) as source:
        name = "processing/ophys/Fluorescence/Fluorescence/data"
        np.testing.assert_array_equal(file[name], source[name])
        table = file["processing/napari_calm/ImageSegmentation/PlaneSegmentation"]
        np.testing.assert_array_equal(table["cluster"], groups)


def test_real_labels_come_back_through_imagej(tmp_path):
    path = FORMATS / "movie" / "two_photon_mouse_labels.tif"
    labels = read_rois(path)
    write_imagej_rois(labels, tmp_path / "r.zip")
    found = read_rois(tmp_path / "r.zip", image_shape=labels.image_shape)
    np.testing.assert_array_equal(found.weights.toarray() > 0, labels.weights.toarray() > 0)


def extracted(name, path):
    """What roiextractors reads: masks (ROI, height, width), traces (ROI, frames) by name."""
    reason = "needs roiextractors and what it imports (pip install roiextractors natsort)"
    pytest.importorskip("natsort", reason=reason)
    roiextractors = pytest.importorskip("roiextractors", reason=reason)
    theirs = getattr(roiextractors, f"{name}SegmentationExtractor")(str(path))
    traces = theirs.get_traces_dict()
    masks = np.asarray(theirs.get_roi_image_masks()).transpose(2, 0, 1)
    known = {key: np.asarray(values).T for key, values in traces.items() if values is not None}
    return theirs, masks, known


def weights_of(recording):
    return recording.footprints.weights.toarray().reshape(-1, *recording.footprints.image_shape)


@pytest.mark.filterwarnings("ignore")
def test_roiextractors_confirms_caiman():
    theirs, masks, traces = extracted("Caiman", CAIMAN)
    ours = read_recording(CAIMAN)
    np.testing.assert_allclose(ours.traces, traces["raw"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(weights_of(ours) > 0, masks > 0)
    assert ours.frame_rate_hz == pytest.approx(theirs.get_sampling_frequency())


@pytest.mark.filterwarnings("ignore")
def test_roiextractors_confirms_suite2p():
    """It gives what suite2p saved; from that dF/F follows as the docs say."""
    theirs, masks, traces = extracted("Suite2p", FORMATS / "suite2p" / "suite2p")
    ours = read_recording(FORMATS / "suite2p")
    rate = theirs.get_sampling_frequency()
    assert ours.frame_rate_hz == rate
    np.testing.assert_allclose(weights_of(ours), masks, rtol=1e-4, atol=1e-6)
    corrected = traces["raw"] - 0.7 * traces["neuropil"]
    divisor = np.maximum(running_baseline(traces["raw"], rate), 1)
    expected = (corrected - running_baseline(corrected, rate)) / divisor
    np.testing.assert_allclose(ours.traces, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_roiextractors_confirms_nwb():
    _, masks, traces = extracted("Nwb", OTHER_NWB)
    ours = read_recording(OTHER_NWB)
    np.testing.assert_allclose(ours.traces, traces["raw"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(weights_of(ours), masks, rtol=1e-4, atol=1e-6)
