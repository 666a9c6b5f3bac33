"""Sorting neurons by the likeness of their activity, against sequences whose order is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_calm.core.errors import CalmError
from napari_calm.explore.similar_order import (
    order_by_similarity,
    order_by_similarity_steps,
)


def sequence(n_neurons=200, *, ring=False, noise=1.0, seed=0):
    """Return traces of neurons that fire one after the other in 20 laps, and their places."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(n_neurons) / n_neurons
    distance = np.linspace(0, 1, 100, endpoint=False) - place[:, None]
    if ring:
        distance = (distance + 0.5) % 1 - 0.5
    bump = 3 * np.exp(-0.5 * (distance / 0.04) ** 2)
    laps = bump[:, None, :] * rng.gamma(2, 0.5, (n_neurons, 20, 1))
    traces = laps.reshape(n_neurons, -1)
    return traces + noise * rng.normal(size=traces.shape), place


def by_first_component(traces):
    z = (traces - traces.mean(axis=1, keepdims=True)) / traces.std(axis=1, keepdims=True)
    return np.argsort(np.linalg.svd(z - z.mean(axis=0), full_matrices=False)[0][:, 0])


def rank_correlation(order, place):
    return abs(spearmanr(place[order], np.arange(len(order)))[0])


def ring_correlation(order, place):
    """Return how well places on a ring follow the order, wherever it was cut open."""
    angle, expected = 2 * np.pi * np.arange(len(order)) / len(order), 2 * np.pi * place[order]
    return max(abs(np.exp(1j * (angle - sign * expected)).mean()) for sign in (1, -1))


@pytest.mark.parametrize("noise", [0.3, 2.0])
@pytest.mark.parametrize("n_neurons", [50, 600])
def test_the_order_of_a_travelling_sequence_is_found(n_neurons, noise):
    traces, place = sequence(n_neurons, noise=noise)
    order = order_by_similarity(traces)
    assert sorted(order) == list(range(n_neurons))
    assert rank_correlation(order, place) > 0.97
    assert rank_correlation(by_first_component(traces), place) < 0.9


def test_neurons_of_a_ring_follow_each_other_around_it():
    traces, place = sequence(ring=True)
    assert ring_correlation(order_by_similarity(traces), place) > 0.97
    assert ring_correlation(by_first_component(traces), place) < 0.9


def test_activity_runs_down_the_page():
    traces, place = sequence(60, noise=0.3)
    one_lap = traces[:, :100]
    assert np.corrcoef(place[order_by_similarity(one_lap)], np.arange(60))[0, 1] > 0.9


def test_groups_of_neurons_are_not_torn_apart():
    rng = np.random.default_rng(1)
    group = rng.integers(0, 6, 300)
    traces = rng.normal(size=(6, 2000))[group] + rng.normal(size=(300, 2000))
    changes = np.count_nonzero(np.diff(group[order_by_similarity(traces)]))
    assert changes == 5


def test_long_recordings_are_averaged_in_time_without_losing_the_order():
    traces, place = sequence(80, noise=0.3)
    long = np.repeat(traces, 7, axis=1)
    assert long.shape[1] > 3 * 4000
    assert rank_correlation(order_by_similarity(long), place) > 0.97


def test_the_same_seed_gives_the_same_order_and_the_traces_stay_as_they_are():
    traces, _ = sequence(100)
    before = traces.copy()
    first = order_by_similarity(traces, seed=3)
    np.testing.assert_array_equal(first, order_by_similarity(traces, seed=3))
    np.testing.assert_array_equal(traces, before)


def test_constant_traces_come_last_and_few_neurons_are_sorted_too():
    traces, _ = sequence(40)
    traces[[3, 7]] = 5.0
    assert set(order_by_similarity(traces)[-2:]) == {3, 7}
    for count in (1, 2, 3):
        assert sorted(order_by_similarity(traces[8 : 8 + count])) == list(range(count))


def test_equal_neurons_can_be_sorted():
    traces = np.repeat(np.sin(np.arange(100))[None], 40, axis=0)
    assert sorted(order_by_similarity(traces)) == list(range(40))


@pytest.mark.parametrize(
    ("traces", "said"),
    [
        (np.zeros(5), "shape"),
        (np.zeros((0, 4)), "shape"),
        (np.array([["a", "b"]]), "expected numbers"),
        (np.array([[1.0, 2.0], [np.nan, 1.0]]), "neuron 1"),
    ],
)
def test_what_cannot_be_sorted_is_told(traces, said):
    with pytest.raises(CalmError, match=said):
        order_by_similarity(traces)
    with pytest.raises(CalmError, match="at least 1"):
        order_by_similarity(np.eye(4), n_groups=0)


def test_the_work_is_told_in_pieces():
    traces, _ = sequence(200)
    told = list(order_by_similarity_steps(traces))
    assert len(told) > 4
    shares = [each.fraction for each in told]
    assert shares == sorted(shares)
    assert shares[-1] < 1
