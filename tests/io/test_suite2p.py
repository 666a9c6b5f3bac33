import os
import shutil
from functools import partial

import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.core.progress import Progress
from napari_calm.io.suite2p import (
    read_suite2p,
    read_suite2p_mean_image,
    read_suite2p_steps,
)
from napari_calm.io.suite2p import suite2p_plane as find_plane


class Payload:
    """Runs a shell command when unpickled in the usual way."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def running_percentile(trace, window):
    """The baseline, written out frame by frame."""
    return np.array(
        [np.percentile(trace[max(0, t - window + 1) : t + 1], 20) for t in range(trace.size)]
    )


def replace_npy(path, change):
    contents = np.load(path, allow_pickle=True)
    np.save(path, change(contents), allow_pickle=True)


def test_traces_are_the_change_of_corrected_fluorescence_over_the_raw_baseline(suite2p_plane):
    recording = read_suite2p(suite2p_plane, frame_rate_hz=0.5)
    raw = np.load(suite2p_plane / "F.npy").astype(float)
    corrected = raw - 0.7 * np.load(suite2p_plane / "Fneu.npy")
    for neuron in range(4):
        base = running_percentile(corrected[neuron], 30)
        expected = (corrected[neuron] - base) / running_percentile(raw[neuron], 30)
        np.testing.assert_allclose(recording.traces[neuron], expected, atol=1e-5)


def test_the_divisor_is_at_least_one_grey_value(suite2p_plane):
    raw = np.load(suite2p_plane / "F.npy") - 1000
    np.save(suite2p_plane / "F.npy", raw)
    recording = read_suite2p(suite2p_plane, neuropil_coefficient=0)
    base = running_percentile(raw[0].astype(float), 900)
    np.testing.assert_allclose(recording.traces[0], raw[0] - base, rtol=1e-4, atol=1e-3)


def test_footprints_keep_weights_and_overlaps(suite2p_plane):
    stat = np.load(suite2p_plane / "stat.npy", allow_pickle=True)
    footprints = read_suite2p(suite2p_plane).footprints
    assert footprints.image_shape == (20, 30)
    for roi, entry in enumerate(stat):
        image = footprints.weights[[roi]].toarray().reshape(20, 30)
        np.testing.assert_array_equal(image[entry["ypix"], entry["xpix"]], entry["lam"])
        assert np.count_nonzero(image) == entry["npix"]
    # Neighbours share one of four rows; those in the middle share two.
    np.testing.assert_allclose(footprints.overlap_share, [0.25, 0.5, 0.5, 0.25])


@pytest.mark.parametrize("up", [0, 1, 2])
def test_any_folder_on_the_way_is_accepted(suite2p_plane, up):
    folder = [suite2p_plane, *suite2p_plane.parents][up]
    recording = read_suite2p(folder)
    assert recording.frame_rate_hz == 15
    assert (recording.n_neurons, recording.n_frames) == (4, 60)
    assert recording.name == "mouse7"


def test_of_several_planes_the_combined_one_is_read(suite2p_plane):
    shutil.copytree(suite2p_plane, suite2p_plane.parent / "plane1")
    with pytest.raises(RecordingError, match=r"found 2 planes \(plane0, plane1\)"):
        read_suite2p(suite2p_plane.parent)
    shutil.copytree(suite2p_plane, suite2p_plane.parent / "combined")
    assert find_plane(suite2p_plane.parents[1]).name == "combined"


def test_a_folder_without_suite2p_output_is_told(tmp_path):
    with pytest.raises(RecordingError, match=r"no suite2p output found.*stat\.npy"):
        read_suite2p(tmp_path)


def test_all_rois_are_kept_unless_only_cells_are_wanted(suite2p_plane):
    everything = read_suite2p(suite2p_plane)
    cells = read_suite2p(suite2p_plane, cells_only=True)
    np.testing.assert_array_equal(everything.footprints.label_values, [1, 2, 3, 4])
    np.testing.assert_array_equal(cells.footprints.label_values, [1, 3])
    np.testing.assert_array_equal(cells.traces, everything.traces[[0, 2]])


def test_settings_of_version_1_are_read_from_their_several_files(suite2p_plane):
    ops = np.load(suite2p_plane / "ops.npy", allow_pickle=True).item()
    (suite2p_plane / "ops.npy").unlink()
    for name, keys in {
        "settings": ["fs", "tau"],
        "db": ["save_path"],
        "reg_outputs": ["Ly", "Lx", "meanImg"],
    }.items():
        np.save(
            suite2p_plane / f"{name}.npy",
            np.array({key: ops[key] for key in keys}, dtype=object),
            allow_pickle=True,
        )
    recording = read_suite2p(suite2p_plane)
    assert recording.frame_rate_hz == 15
    assert recording.footprints.image_shape == (20, 30)
    np.testing.assert_array_equal(read_suite2p_mean_image(suite2p_plane), ops["meanImg"])


def test_without_settings_the_rate_must_be_given_and_the_image_holds_all_rois(suite2p_plane):
    (suite2p_plane / "ops.npy").unlink()
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_suite2p(suite2p_plane)
    recording = read_suite2p(suite2p_plane, frame_rate_hz=8)
    assert recording.footprints.image_shape == (13, 6)
    assert read_suite2p_mean_image(suite2p_plane) is None


def test_the_registered_movie_is_mapped_if_its_size_fits(suite2p_plane, rng):
    frames = rng.integers(0, 500, (60, 20, 30)).astype("<i2")
    frames.tofile(suite2p_plane / "data.bin")
    movie = read_suite2p(suite2p_plane).movie
    assert isinstance(movie.frames, np.memmap)
    np.testing.assert_array_equal(movie.frames, frames)
    frames[:50].tofile(suite2p_plane / "data.bin")
    assert read_suite2p(suite2p_plane).movie is None


def test_different_numbers_of_rois_are_told(suite2p_plane):
    replace_npy(suite2p_plane / "F.npy", lambda traces: traces[:3])
    with pytest.raises(RecordingError, match=r"F\.npy: 3 traces, but stat\.npy has 4 ROIs"):
        read_suite2p(suite2p_plane)


def test_different_numbers_of_frames_are_told(suite2p_plane):
    replace_npy(suite2p_plane / "Fneu.npy", lambda traces: traces[:, :50])
    with pytest.raises(RecordingError, match=r"F\.npy is \(4, 60\), Fneu\.npy \(4, 50\)"):
        read_suite2p(suite2p_plane)


def test_an_roi_outside_the_image_is_told(suite2p_plane):
    def move(stat):
        stat[2]["xpix"] = stat[2]["xpix"] + 100
        return stat

    replace_npy(suite2p_plane / "stat.npy", move)
    with pytest.raises(RecordingError, match=r"stat\.npy: ROI 2 reaches outside.*20 x 30"):
        read_suite2p(suite2p_plane)


def test_no_roi_is_told(suite2p_plane):
    replace_npy(suite2p_plane / "stat.npy", lambda stat: stat[:0])
    with pytest.raises(RecordingError, match="no ROI found"):
        read_suite2p(suite2p_plane)


def test_constant_traces_are_told_or_left_out(suite2p_plane):
    for name in ("F.npy", "Fneu.npy"):
        replace_npy(
            suite2p_plane / name,
            lambda traces: np.where(np.arange(4)[:, None] == 1, np.float32(5), traces),
        )
    with pytest.raises(RecordingError, match=r"constant value in 1 of 4 traces"):
        read_suite2p(suite2p_plane)
    kept = read_suite2p(suite2p_plane, drop_unusable=True)
    np.testing.assert_array_equal(kept.footprints.label_values, [1, 3, 4])


@pytest.mark.parametrize("name", ["stat", "ops", "F", "iscell"])
def test_a_payload_in_any_file_does_not_run(suite2p_plane, tmp_path, name):
    target = tmp_path / "touched"
    payload = np.empty(4 if name == "stat" else (), object)
    payload[...] = Payload(f"touch {target}")
    np.save(suite2p_plane / f"{name}.npy", payload, allow_pickle=True)
    with pytest.raises(
        RecordingError, match=rf"{name}\.npy: refused to load (posix|nt).system"
    ):
        read_suite2p(suite2p_plane, cells_only=True)
    assert not target.exists()


def test_later_frames_do_not_change_earlier_values(suite2p_plane):
    read = partial(read_suite2p, suite2p_plane, frame_rate_hz=2)
    before = read().traces
    replace_npy(
        suite2p_plane / "F.npy",
        lambda raw: np.concatenate([raw[:, :40], 3 * raw[:, 40:]], axis=1),
    )
    after = read().traces
    np.testing.assert_array_equal(after[:, :40], before[:, :40])
    assert not np.allclose(after[:, 40:], before[:, 40:])


def test_progress_is_told(suite2p_plane):
    assert next(read_suite2p_steps(suite2p_plane)) == Progress(4, 4, "Computing dF/F")
