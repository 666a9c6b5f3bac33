import numpy as np
import pandas as pd

from napari_calm.decoding.samples import frame_samples, trial_samples, trials_from_column
from napari_calm.decoding.target import Target


def test_training_frames_keep_the_gap_to_every_held_out_frame():
    values = np.random.default_rng(0).standard_normal(200)
    target = Target("speed", "continuous", "frame", values)
    samples = frame_samples(
        target.known, first_frame=20, look_ahead_frames=0, n_blocks=10, gap_frames=6
    )
    splits = samples.deal(target, np.arange(len(samples)), 5)
    held_out = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(180))
    for train, test in splits:
        distance = np.abs(samples.number[train][:, None] - samples.number[test][None])
        assert distance.min() == 7  # six frames lie between
        assert train.size >= 180 - test.size - 4 * 6


def test_frames_of_a_trial_are_never_parted_and_classes_are_spread():
    trial = np.repeat(np.arange(12), 10)
    codes = np.repeat(np.resize([0, 0, 1], 12), 10)
    target = Target("cue", "classes", "frame", codes, ("left", "right"))
    samples = frame_samples(
        target.known,
        first_frame=0,
        look_ahead_frames=0,
        n_blocks=10,
        gap_frames=5,
        trial_of_frame=trial,
    )
    for train, test in samples.deal(target, np.arange(120), 4):
        assert not set(trial[train]) & set(trial[test])
        assert train.size + test.size == 120
        assert set(codes[test]) == {0, 1}


def test_classes_of_few_trials_are_dealt_into_fewer_folds():
    trials = pd.DataFrame({"start_frame": np.arange(6) * 5, "stop_frame": np.arange(6) * 5 + 5})
    target = Target("cue", "classes", "trial", np.resize([0, 1], 6), ("l", "r"))
    samples = trial_samples(
        trials, target.known, window_frames=(0, None), first_frame=0, n_frames=30
    )
    splits = samples.deal(target, np.arange(6), 4)
    assert len(splits) == 3
    np.testing.assert_array_equal(np.sort(np.concatenate([s[1] for s in splits])), np.arange(6))


def test_look_ahead_moves_what_is_seen_and_not_what_is_decoded():
    samples = frame_samples(
        np.ones(30, bool), first_frame=4, look_ahead_frames=3, n_blocks=2, gap_frames=0
    )
    np.testing.assert_array_equal(samples.number, np.arange(4, 27))
    np.testing.assert_array_equal(samples.start_frame, np.arange(7, 30))


def test_trials_are_looked_at_in_their_window():
    trials = pd.DataFrame({"start_frame": [0, 20, 40], "stop_frame": [15, 24, 60]})
    samples = trial_samples(
        trials,
        np.array([True, True, True]),
        window_frames=(2, 8),
        first_frame=6,
        n_frames=60,
    )
    np.testing.assert_array_equal(samples.start_frame, [6, 22, 42])
    np.testing.assert_array_equal(samples.stop_frame, [8, 24, 48])


def test_runs_of_a_column_become_trials():
    found = trials_from_column(pd.Series([-1, 3, 3, 3, -1, 4, 4]))
    np.testing.assert_array_equal(found["start_frame"], [1, 5])
    np.testing.assert_array_equal(found["stop_frame"], [4, 7])
    np.testing.assert_array_equal(found["label"], [3, 4])
