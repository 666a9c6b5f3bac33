from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.alignment import at_frames
from napari_calm.io.behaviour import with_behaviour
from napari_calm.io.read import read_recording
from napari_calm.io.traces import write_recording

FRAMES = np.arange(40) / 7.5


def test_sparse_numbers_lie_on_the_line_between_samples():
    times = np.arange(0, 6, 0.4)
    found = at_frames(pd.DataFrame({"v": 3 * times + 1}), times, FRAMES)
    np.testing.assert_allclose(found["v"], 3 * FRAMES + 1)


def test_dense_numbers_are_the_mean_of_the_samples_of_a_frame():
    times = np.arange(-0.05, 5.3, 0.01) + 1e-4
    values = np.sin(40 * times)
    found = at_frames(pd.DataFrame({"v": values}), times, FRAMES)
    for frame in (5, 20):
        mine = np.abs(times - FRAMES[frame]) < 0.5 / 7.5
        assert found["v"][frame] == pytest.approx(values[mine].mean())


@pytest.mark.parametrize("step_s", [0.02, 0.1, 0.3])
def test_gaps_stay_gaps(step_s):
    times = np.arange(0, 5.4, step_s)
    gap = (times > 1.5) & (times < 3.5)
    table = pd.DataFrame({"v": times, "state": "run", "lick": True})[~gap]
    found = at_frames(table, times[~gap], FRAMES)
    inside = (FRAMES > 1.5 + 0.5) & (FRAMES < 3.5 - 0.5)
    outside = (FRAMES < 1.4) | ((FRAMES > 3.7) & (FRAMES < 5))
    for name in found:
        assert found[name][inside].isna().all()
        assert not found[name][outside].isna().any()


def test_text_and_truth_values_are_those_of_the_closest_sample():
    times = np.array([0, 1, 2, 3, 4, 5.0])
    table = pd.DataFrame({"state": list("abcdef"), "lick": [True, False] * 3})
    found = at_frames(table, times, FRAMES)
    expected = [list("abcdef")[int(np.argmin(np.abs(times - t)))] for t in FRAMES]
    assert list(found["state"]) == expected
    assert found["lick"].dtype == bool


def test_a_table_with_times_is_aligned_to_the_timestamps_of_the_recording(tmp_path, recording):
    times = 100 + np.arange(40) / 7.5
    times[20:] += 2
    recording = replace(recording, timestamps_s=times, behaviour=None)
    sampled = np.arange(99, 110, 0.25)
    pd.DataFrame({"timestamp": sampled, "x_mm": sampled**2}).to_csv(
        tmp_path / "b.csv", index=False
    )
    found = with_behaviour(recording, tmp_path / "b.csv").behaviour
    np.testing.assert_allclose(found["x_mm"], times**2, atol=0.02)


def test_trials_in_seconds_become_frames(tmp_path, recording):
    table = pd.DataFrame(
        {"start_time": [0.0, 2.0, 80], "stop_time": [1.0, 2.4, 90], "cue": list("abc")}
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    read = with_behaviour(recording, tmp_path / "t.csv")
    assert read.notes == ("t.csv: 1 of 3 trials lie outside the recording and are left out.",)
    found = read.trials
    inside = [(FRAMES >= 0) & (FRAMES < 1), (FRAMES >= 2) & (FRAMES < 2.4)]
    assert list(found["start_frame"]) == [int(np.flatnonzero(f)[0]) for f in inside]
    assert list(found["stop_frame"]) == [int(np.flatnonzero(f)[-1]) + 1 for f in inside]
    assert list(found["cue"]) == ["a", "b"]


def test_archives_are_tables(tmp_path, recording):
    np.savez(tmp_path / "b.npz", time_s=FRAMES, speed=FRAMES * 2)
    found = with_behaviour(recording, tmp_path / "b.npz").behaviour
    np.testing.assert_allclose(found["speed"], FRAMES * 2)
    np.savez(tmp_path / "b.npz", a=np.arange(3), b=np.arange(4))
    with pytest.raises(RecordingError, match="arrays of one length"):
        with_behaviour(recording, tmp_path / "b.npz")


def test_behaviour_is_read_along(tmp_path, recording):
    write_recording(replace(recording, behaviour=None, trials=None), tmp_path / "r.npz")
    pd.DataFrame({"speed": FRAMES}).to_csv(tmp_path / "b.csv", index=False)
    pd.DataFrame({"start_s": [1.0], "stop_s": [2.0]}).to_csv(tmp_path / "t.csv", index=False)
    found = read_recording(
        tmp_path / "r.npz", behaviour=[tmp_path / "b.csv", tmp_path / "t.csv"]
    )
    assert (list(found.behaviour), len(found.trials)) == (["speed"], 1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"time_s": [1e9, 1e9 + 1], "v": [1, 2]}, "no sample lies in the recording.*one clock"),
        ({"start_s": [1e9], "stop_s": [2e9]}, "none of the 1 trials lies"),
        ({"start_s": [2.0], "stop_s": [1.0]}, "trial 0 stops"),
        ({"start_s": ["a"], "stop_s": ["b"]}, "column start_s holds text"),
        ({"time_s": [1.0, 2.0]}, "but no behaviour"),
        ({"v": [1, 2, 3]}, "3 rows; expected one a frame"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, recording, table, message):
    pd.DataFrame(table).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(RecordingError, match=message):
        with_behaviour(recording, tmp_path / "b.csv")


def test_no_line_is_drawn_across_a_gap():
    times = np.array([0, 0.3, 0.6, 0.9, 4.2, 4.5, 4.8])
    found = at_frames(pd.DataFrame({"v": times}), times, np.array([0.45, 0.9, 1.1, 4.0, 4.2]))
    np.testing.assert_allclose(found["v"], [0.45, 0.9, np.nan, np.nan, 4.2])
