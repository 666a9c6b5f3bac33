"""What a source takes for cells is read with all ROIs, and written by every format."""

from dataclasses import replace

import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.core.recording import Recording
from napari_calm.io.export import export_recording
from napari_calm.io.read import read_recording

from .conftest import write_suite2p_plane


def test_suite2p_says_which_rois_are_cells(suite2p_plane):
    every = read_recording(suite2p_plane)
    np.testing.assert_array_equal(every.accepted, [True, False, True, False])
    cells = read_recording(suite2p_plane, cells_only=True)
    np.testing.assert_array_equal(cells.traces, every.traces[every.accepted])
    assert cells.accepted is None


def test_flags_go_with_their_traces_where_unusable_ones_are_left_out(suite2p_plane):
    for name in ("F", "Fneu"):
        values = np.load(suite2p_plane / f"{name}.npy")
        values[1] = 7
        np.save(suite2p_plane / f"{name}.npy", values)
    found = read_recording(suite2p_plane, drop_unusable=True)
    np.testing.assert_array_equal(found.roi_labels, [1, 3, 4])
    np.testing.assert_array_equal(found.accepted, [True, True, False])


@pytest.mark.parametrize("flags", [np.ones((2, 2)), np.full((4, 2), "yes"), None])
def test_lost_flags_are_told_and_do_not_hide_the_traces(suite2p_plane, flags):
    if flags is None:
        (suite2p_plane / "iscell.npy").write_bytes(b"no array")
    else:
        np.save(suite2p_plane / "iscell.npy", flags)
    found = read_recording(suite2p_plane)
    assert found.accepted is None
    assert "what suite2p accepted is lost" in found.notes[0]
    with pytest.raises(RecordingError, match=r"iscell\.npy"):
        read_recording(suite2p_plane, cells_only=True)


def test_without_flags_nothing_is_said(suite2p_plane):
    (suite2p_plane / "iscell.npy").unlink()
    found = read_recording(suite2p_plane)
    assert (found.accepted, found.notes) == (None, ())


@pytest.mark.parametrize("name", ["plane0", "r.npz", "r.nwb"])
def test_judgements_come_back_from_what_was_written(tmp_path, recording, name):
    if name.endswith("nwb"):
        pytest.importorskip("pynwb")
    judged = replace(recording, accepted=[True, False, True])
    export_recording(judged, tmp_path / name)
    found = read_recording(tmp_path / name)
    np.testing.assert_array_equal(found.accepted, [True, False, True])
    if not name.endswith("npz"):
        cells = read_recording(tmp_path / name, cells_only=True)
        np.testing.assert_array_equal(cells.traces, recording.traces[[0, 2]])


def test_suite2p_finds_its_own_file_of_cells(tmp_path, recording):
    export_recording(replace(recording, accepted=[True, False, True]), tmp_path / "plane0")
    flags = np.load(tmp_path / "plane0" / "iscell.npy")
    np.testing.assert_array_equal(flags[:, 0], [1, 0, 1])
    export_recording(recording, tmp_path / "all")
    assert (np.load(tmp_path / "all" / "iscell.npy") == 1).all()


def test_a_rewritten_folder_keeps_the_judgement(tmp_path, rng):
    plane = write_suite2p_plane(tmp_path / "one" / "suite2p" / "plane0", rng)
    export_recording(read_recording(plane), tmp_path / "two")
    found = read_recording(tmp_path / "two")
    np.testing.assert_array_equal(found.accepted, [True, False, True, False])


def test_a_part_of_a_recording_has_all_that_belongs_to_it(recording):
    judged = replace(recording, accepted=[True, False, True])
    for rows in (np.array([2, 0]), np.array([True, False, True])):
        part = judged.select(rows)
        order = np.flatnonzero(rows) if rows.dtype == bool else rows
        np.testing.assert_array_equal(part.traces, recording.traces[order])
        np.testing.assert_array_equal(part.roi_labels, recording.roi_labels[order])
        assert part.accepted.all()
        assert part.behaviour is judged.behaviour


@pytest.mark.parametrize(
    "rows", [np.array([], int), np.array([3]), np.array([-1]), np.zeros(3, bool), [0.5]]
)
def test_parts_that_cannot_be_are_told(recording, rows):
    with pytest.raises(RecordingError, match="cannot take"):
        recording.select(rows)


def test_flags_of_another_number_of_neurons_are_refused():
    with pytest.raises(RecordingError, match="2 flags of accepted cells"):
        Recording(np.eye(3, 60), 6.0, accepted=[True, False])
