import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_calm.core.errors import CalmError
from napari_calm.core.progress import run
from napari_calm.explore.neuron_embedding import NeuronEmbedding
from napari_calm.explore.partition import by_size, partition, together_share
from napari_calm.explore.stability import (
    Stability,
    null_stability_steps,
    proposed_setting,
    stability_steps,
)

GROUPS = np.repeat(np.arange(4), 10)
CENTRES = 10 * np.eye(4)


def measured_twice(rng, centres=CENTRES, groups=GROUPS, noise=1.0, own=0.3):
    """Vectors of groups, and of two halves that measure the same neurons with noise."""
    place = centres[groups] + own * rng.normal(size=(len(groups), centres.shape[1]))
    halves = place + noise * rng.normal(size=(8, 2, *place.shape))
    return NeuronEmbedding(place, "planted", halves)


def test_the_number_of_planted_groups_is_proposed(rng):
    found = run(stability_steps(measured_twice(rng), "k-means", [2, 3, 4, 5, 6, 7]))
    assert proposed_setting(found, "k-means") == 4
    assert found.mean[2] > 0.95
    assert found.mean[4] < found.mean[2] - 0.1
    assert found.partitions[2].shape == (16, 40)


@pytest.mark.parametrize("method", ["k-means", "gaussian mixture"])
def test_the_planted_groups_are_found(rng, method):
    labels = partition(measured_twice(rng).vectors, method, 4)
    assert adjusted_rand_score(GROUPS, labels) == 1


def test_hdbscan_leaves_strays_out(rng):
    vectors = np.concatenate([measured_twice(rng).vectors, [[60.0, 60, 60, 60]]])
    labels = partition(vectors, "hdbscan", 5)
    assert labels[-1] == -1
    assert adjusted_rand_score(GROUPS, labels[:-1]) > 0.9


def test_leiden_finds_the_planted_groups_where_it_is_installed(rng):
    pytest.importorskip("sknetwork")
    labels = partition(measured_twice(rng).vectors, "leiden", 1.0)
    assert adjusted_rand_score(GROUPS, labels) > 0.9


def test_without_its_package_leiden_tells_how_to_get_it(rng, monkeypatch):
    monkeypatch.setattr("napari_calm.explore.partition.find_spec", lambda name: None)
    with pytest.raises(CalmError, match=r"pip install 'napari-calm\[leiden\]'"):
        partition(rng.normal(size=(12, 3)), "leiden", 1.0)


def test_impossible_numbers_and_unknown_methods_are_told(rng):
    with pytest.raises(
        CalmError, match="13 clusters of 12 neurons cannot be; expected 2 to 12"
    ):
        partition(rng.normal(size=(12, 3)), "k-means", 13)
    with pytest.raises(CalmError, match="unknown method 'magic'"):
        partition(rng.normal(size=(12, 3)), "magic", 3)


def test_two_are_proposed_only_if_they_come_back_nearly_perfectly():
    def stability(*means):
        return Stability(np.arange(2.0, 2 + len(means)), np.array(means)[:, None], ())

    assert proposed_setting(stability(0.9, 0.5, 0.6, 0.4), "k-means") == 4
    assert proposed_setting(stability(0.96, 0.5, 0.6, 0.4), "k-means") == 2
    assert proposed_setting(stability(0.9), "k-means") == 2


def test_one_cloud_agrees_as_chance_says_and_groups_agree_better(rng):
    cloud = measured_twice(rng, np.zeros((1, 4)), np.zeros(60, int), noise=0.5, own=1.0)
    expected = run(null_stability_steps(cloud, "k-means", 4))
    agreement = run(stability_steps(cloud, "k-means", [4])).mean[0]
    assert agreement == pytest.approx(expected, abs=0.12)
    assert 0.1 < expected < 0.9
    groups = measured_twice(rng, noise=1.0)
    assert run(null_stability_steps(groups, "k-means", 4)) < 0.85
    assert run(stability_steps(groups, "k-means", [4])).mean[0] > 0.95


def test_without_halves_random_neurons_are_left_out_and_chance_is_not_known(rng):
    embedding = NeuronEmbedding(measured_twice(rng).vectors, "row")
    found = run(stability_steps(embedding, "k-means", [4], resamplings=4))
    assert (found.partitions[0] == -2).sum(axis=1).tolist() == [8] * 8
    assert found.mean[0] == 1
    assert np.isnan(run(null_stability_steps(embedding, "k-means", 4)))


def test_confidence_is_the_share_of_companions_that_stay():
    labels = np.array([0, 0, 0, 1, 1, -1])
    resampled = np.array([[0, 0, 1, 1, 1, 1], [5, 5, 5, -1, 2, 0], [0, 0, -2, 1, 1, 1]])
    # Neuron 0: its two companions stay to 1/2, 1, and 1 (the third was not drawn).
    expected = [(0.5 + 1 + 1) / 3, (0.5 + 1 + 1) / 3, (0 + 1) / 2, 2 / 3, 2 / 3, np.nan]
    np.testing.assert_allclose(together_share(labels, resampled), expected)


def test_clusters_are_numbered_by_size():
    assert by_size(np.array([7, 3, 3, -1, 3, 7, 9])).tolist() == [1, 0, 0, -1, 0, 1, 2]
