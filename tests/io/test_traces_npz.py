from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.traces import read_traces_npz, write_recording


def test_a_recording_survives_with_all_it_carries(tmp_path, recording):
    write_recording(recording, tmp_path / "r.npz")
    back = read_traces_npz(tmp_path / "r.npz")
    np.testing.assert_array_equal(back.traces, recording.traces)
    assert (back.frame_rate_hz, back.name) == (recording.frame_rate_hz, recording.name)
    np.testing.assert_array_equal(
        back.footprints.weights.toarray(), recording.footprints.weights.toarray()
    )
    pd.testing.assert_frame_equal(back.behaviour, recording.behaviour)
    pd.testing.assert_frame_equal(back.trials, recording.trials)


def test_nothing_in_the_archive_is_a_pickle(tmp_path, recording):
    mixed = pd.DataFrame({"start_frame": [0], "stop_frame": [9], "odd": [{"a": 1}]})
    write_recording(replace(recording, trials=mixed), tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz", allow_pickle=False) as arrays:
        assert all(not arrays[name].dtype.hasobject for name in arrays)


def test_gaps_in_columns_are_kept_as_nan_and_empty_text(tmp_path, recording):
    trials = pd.DataFrame(
        {
            "start_frame": [0, 5],
            "stop_frame": [5, 9],
            "choice": ["left", None],
            "score": pd.array([1, None], dtype="Int64"),
        }
    )
    write_recording(replace(recording, trials=trials), tmp_path / "r.npz")
    back = read_traces_npz(tmp_path / "r.npz").trials
    assert list(back["choice"]) == ["left", ""]
    np.testing.assert_array_equal(back["score"], [1, np.nan])


def test_arrays_with_one_value_a_frame_become_behaviour(tmp_path, rng):
    np.savez(
        tmp_path / "fly.npz",
        traces=rng.normal(size=(5, 30)).astype(np.float32),
        fps=np.float32(6),
        heading=np.arange(30.0),
        trial=np.array(["a"] * 30),
        stage_xy=rng.normal(size=(2, 30)),
        roi_channel=np.arange(5),
    )
    found = read_traces_npz(tmp_path / "fly.npz")
    assert list(found.behaviour) == ["heading", "trial"]
    assert (found.name, found.frame_rate_hz) == ("fly", 6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "frame rate is not recorded"),
        ({"fps": np.nan}, "frame rate is not recorded"),
        ({"frame_rate_hz": 0.0}, "frame rate is 0 Hz"),
    ],
)
def test_a_missing_or_zero_frame_rate_is_told_and_can_be_given(tmp_path, rng, arrays, message):
    np.savez(tmp_path / "r.npz", traces=rng.normal(size=(2, 20)), **arrays)
    with pytest.raises(RecordingError, match=message):
        read_traces_npz(tmp_path / "r.npz")
    assert read_traces_npz(tmp_path / "r.npz", frame_rate_hz=4).frame_rate_hz == 4


def test_unusable_traces_are_named_or_left_out_with_their_rois(tmp_path, recording):
    write_recording(recording, tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as archive:
        arrays = dict(archive)
    arrays["traces"][0, 5] = np.nan
    arrays["traces"][2] = 1.0
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(RecordingError, match=r"NaN.*neurons 0\).*constant.*neurons 2\)"):
        read_traces_npz(tmp_path / "r.npz")
    kept = read_traces_npz(tmp_path / "r.npz", drop_unusable=True)
    np.testing.assert_array_equal(kept.traces, recording.traces[[1]])
    np.testing.assert_array_equal(kept.footprints.label_values, [7])


def test_if_no_trace_is_usable_that_is_said(tmp_path):
    np.savez(tmp_path / "r.npz", traces=np.zeros((3, 20)), fps=5.0)
    with pytest.raises(RecordingError, match="none of the 3 traces is usable"):
        read_traces_npz(tmp_path / "r.npz", drop_unusable=True)


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "r.npz", traces=np.array([{"a": 1}], dtype=object), fps=5.0)
    with pytest.raises(RecordingError, match="pickle"):
        read_traces_npz(tmp_path / "r.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive_is_named(tmp_path, content):
    (tmp_path / "r.npz").write_bytes(content)
    with pytest.raises(RecordingError, match=r"r\.npz: not a readable npz archive"):
        read_traces_npz(tmp_path / "r.npz")


def test_a_truncated_archive_is_told(tmp_path, recording):
    write_recording(recording, tmp_path / "r.npz")
    whole = (tmp_path / "r.npz").read_bytes()
    (tmp_path / "r.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="not a readable npz archive"):
        read_traces_npz(tmp_path / "r.npz")


def test_without_traces_the_found_names_are_listed(tmp_path):
    np.savez(tmp_path / "r.npz", other=np.ones(3))
    with pytest.raises(RecordingError, match=r"no array named 'traces'.*other"):
        read_traces_npz(tmp_path / "r.npz")
