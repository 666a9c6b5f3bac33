import numpy as np
import pytest
from scipy import stats

from napari_calm.decoding.scores import class_weights, over_folds, score
from napari_calm.decoding.target import Target


def test_intervals_count_the_training_data_that_folds_share():
    values = np.array([0.1, 0.2, 0.15, 0.3, 0.25])
    found = over_folds(values, 0.25)
    deviation = np.sqrt(np.var(values, ddof=1) * (1 / 5 + 0.25))
    half = stats.t.interval(0.95, 4)[1] * deviation
    assert found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(half)
    assert found.mean - found.low == pytest.approx(half)


def test_balanced_accuracy_is_the_mean_of_the_classes():
    target = Target("cue", "classes", "frame", np.array([0, 0, 0, 1]), ("l", "r"))
    outputs = np.eye(2)[[0, 0, 1, 0]]
    assert score(target, target.values, outputs) == pytest.approx((2 / 3 + 0) / 2)


def test_a_fold_of_one_class_is_scored_on_that_class():
    target = Target("cue", "classes", "frame", np.array([0, 0, 0, 1]), ("l", "r"))
    assert score(target, np.zeros(3, int), np.eye(2)[[0, 0, 1]]) == pytest.approx(2 / 3)


def test_angles_are_scored_around_the_circle():
    truth = np.linspace(-np.pi, np.pi, 30, endpoint=False)
    target = Target("heading", "circular", "frame", truth)
    turned = truth + 2 * np.pi - 0.01
    outputs = np.stack([np.cos(turned), np.sin(turned)], axis=1)
    assert score(target, truth, outputs) > 0.999


def test_rare_classes_weigh_as_much_as_frequent_ones():
    target = Target("cue", "classes", "frame", np.array([0, 0, 0, 1]), ("l", "r"))
    weights = class_weights(target, target.outputs(np.arange(4)))
    assert weights.mean() == pytest.approx(1)
    assert weights[:3].sum() == pytest.approx(weights[3])
