from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.decoding.prepare import prepare, smoothed
from napari_calm.decoding.settings import Settings
from napari_calm.decoding.target import Target, read_target


def _with_trials(recording, n_trials, **columns):
    start = np.arange(n_trials) * 20
    trials = pd.DataFrame({"start_frame": start, "stop_frame": start + 15, **columns})
    return replace(recording, trials=trials)


def test_too_few_trials_are_told(recording):
    few = _with_trials(recording, 6, cue=list("abbaab"))
    with pytest.raises(CalmError, match=r"only 6 trials .* at least 8"):
        prepare(few, read_target(few, "cue"), Settings(), None)


def test_a_class_that_can_hardly_be_held_out_is_left_out(recording):
    trials = _with_trials(recording, 12, cue=list("aabbabcabbaa"))
    problem, left_out = prepare(trials, read_target(trials, "cue"), Settings(), None)
    assert left_out == ["c"]
    assert problem.target.classes == ("a", "b")
    assert 6 not in problem.samples.number


def test_a_class_in_a_single_stretch_cannot_be_told_apart(recording):
    values = np.zeros(recording.n_frames, int)
    values[100:120] = 1
    with pytest.raises(CalmError, match="found 0 in 10, 1 in 1"):
        prepare(recording, read_target(recording, values), Settings(), None)


def test_trials_outside_the_recording_are_told(recording):
    wrong = _with_trials(recording, 30, cue=["a", "b"] * 15)
    with pytest.raises(CalmError, match="trial 21 goes from frame 420 to 435"):
        prepare(wrong, read_target(wrong, "cue"), Settings(), None)


def test_whole_trials_are_held_out_where_there_are_enough(recording):
    trials = _with_trials(recording, 12, cue=["a", "b"] * 6)
    speed = read_target(trials, "speed")
    assert prepare(trials, speed, Settings(), None)[0].samples.whole_trials
    stretches = prepare(trials, speed, Settings(blocks="time"), None)[0].samples
    assert not stretches.whole_trials
    assert len(stretches) == recording.n_frames


def test_smoothing_looks_backwards_only():
    values = np.array([1.0, 2.0, np.nan, 4.0, 8.0])
    target = smoothed(Target("speed", "continuous", "frame", values), 3)
    np.testing.assert_allclose(target.values, [1, 1.5, np.nan, 3, 6])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"head": "magic"}, "found the head 'magic'"),
        ({"blocks": "weeks"}, "found the blocks 'weeks'"),
        ({"folds": 1}, "found 1 folds"),
        ({"gap_s": -1.0}, "gap_s is -1 s"),
        ({"trial_window_s": (2.0, 1.0)}, "trial window goes from 2 s to 1.0"),
    ],
)
def test_senseless_settings_are_told(choices, message):
    with pytest.raises(CalmError, match=message):
        Settings(**choices)
