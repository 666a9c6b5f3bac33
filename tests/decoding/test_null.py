from types import SimpleNamespace

import numpy as np
import pytest

from napari_calm.decoding.null import null_problems, p_value
from napari_calm.decoding.problem import Problem
from napari_calm.decoding.samples import frame_samples
from napari_calm.decoding.target import Target


def _problem(values, trial=None):
    target = Target("speed", "continuous", "frame", values)
    samples = frame_samples(
        target.known,
        first_frame=0,
        look_ahead_frames=0,
        n_blocks=5,
        gap_frames=0,
        trial_of_frame=trial,
    )
    return Problem(SimpleNamespace(), samples, target)


def test_shifts_keep_the_course_and_move_it_far():
    values = np.random.default_rng(0).standard_normal(100)
    for other in null_problems(_problem(values), 8, seed=1):
        shifts = [s for s in range(100) if (np.roll(values, s) == other.target.values).all()]
        assert len(shifts) == 1
        assert 10 <= shifts[0] <= 90


def test_whole_trials_keep_their_values_if_they_vary_within():
    trial = np.repeat(np.arange(4), 20)
    values = np.random.default_rng(0).standard_normal(80)
    for other in null_problems(_problem(values, trial), 3, seed=1):
        for number in range(4):
            here = trial == number
            found = other.target.values[here]
            assert (found != values[here]).any()
            np.testing.assert_array_equal(np.sort(found), np.sort(values[here]))


def test_labels_of_whole_trials_are_shuffled_as_wholes():
    trial = np.repeat(np.arange(10), 6)
    values = np.repeat(np.arange(10.0), 6)
    for other in null_problems(_problem(values, trial), 3, seed=1):
        found = other.target.values.reshape(10, 6)
        assert (np.ptp(found, axis=1) == 0).all()
        np.testing.assert_array_equal(np.sort(found[:, 0]), np.arange(10))


def test_a_p_value_counts_the_score_itself():
    assert p_value(0.9, np.array([0.5, 0.6, 0.95])) == pytest.approx(2 / 4)
    assert p_value(0.9, np.zeros(19)) == pytest.approx(0.05)
