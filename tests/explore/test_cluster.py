from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.recording import Recording
from napari_calm.explore.cluster import cluster
from napari_calm.explore.cluster_palette import NO_CLUSTER_RGB, cluster_colours
from napari_calm.explore.embed import embed
from napari_calm.explore.neuron_embedding import NeuronEmbedding
from napari_calm.explore.neuron_map import pca_map

PLANTED = np.repeat([0, 1, 2], 4)


@pytest.fixture(scope="module")
def found(model, task):
    return cluster(model, task, n_clusters=3, source="task", resamplings=6)


def test_planted_groups_are_found_and_described(found, task):
    assert adjusted_rand_score(PLANTED[:8], found.labels[:8]) == 1
    cue, place = found.labels[0], found.labels[4]
    assert found.columns == ("position_cm", "cue")
    assert found.selectivity[cue].argmax() == 1
    assert found.selectivity[place].argmax() == 0
    assert found.selective_share[cue, 1] > 0.5
    assert found.sizes.sum() == 12
    z = (task.traces - task.traces.mean(1, keepdims=True)) / task.traces.std(1, keepdims=True)
    np.testing.assert_allclose(
        found.mean_traces[cue], z[found.labels == cue].mean(axis=0), atol=1e-4
    )
    assert found.confidence[:8].mean() > 0.6


def test_the_number_is_proposed_by_stability_or_taken_as_given(found, model, task):
    assert (found.setting, found.proposed, found.settings.tolist()) == (3, False, [3])
    proposed = cluster(model, task, source="task", resamplings=4, columns=["cue"])
    assert proposed.proposed
    assert proposed.settings.tolist() == [2, 3, 4]
    finer = proposed.stability[1:]
    if proposed.stability[0] < 0.95:
        assert proposed.setting == 3 + finer.argmax()
    assert f"{proposed.agreement:.2f}" in proposed.verdict()


def test_a_given_embedding_is_what_is_clustered(model, task):
    vectors = np.eye(3)[PLANTED] + 1e-3 * np.arange(12)[:, None]
    halves = np.broadcast_to(vectors, (3, 2, 12, 3))
    given = NeuronEmbedding(vectors, "mine", halves, roi_labels=task.roi_labels)
    found = cluster(model, task, n_clusters=3, embedding=given, columns=[])
    assert adjusted_rand_score(PLANTED, found.labels) == 1
    assert found.source == "mine"
    np.testing.assert_array_equal(found.confidence, 1)
    other = NeuronEmbedding(vectors[:9], "mine")
    with pytest.raises(CalmError, match="embedding is of 9 neurons"):
        cluster(model, task, embedding=other)


def test_neurons_in_another_order_get_the_same_clusters(found, model, task):
    order = np.random.default_rng(4).permutation(12)
    turned = cluster(
        model,
        replace(task, traces=task.traces[order]),
        n_clusters=3,
        source="task",
        resamplings=2,
    )
    tuned = order < 8
    assert adjusted_rand_score(found.labels[order][tuned], turned.labels[tuned]) == 1


def test_views_get_order_colours_and_tables(found):
    order = found.order()
    assert (np.diff(found.labels[order]) >= 0).all()
    for number in range(found.n_clusters):
        inside = found.confidence[order][found.labels[order] == number]
        assert (np.diff(inside) <= 0).all()
    np.testing.assert_array_equal(found.colours()[0], cluster_colours(3)[found.labels[0]])
    stray = replace(found, labels=np.where(np.arange(12) == 11, -1, found.labels))
    assert tuple(stray.colours()[11]) == NO_CLUSTER_RGB
    assert stray.order()[-1] == 11
    assert list(found.table()) == ["neuron", "roi_label", "cluster", "confidence"]
    assert found.summary()["neurons"].tolist() == found.sizes.tolist()


def test_hdbscan_that_finds_nothing_says_so(model, task):
    rng = np.random.default_rng(0)
    even = NeuronEmbedding(rng.uniform(size=(12, 8)), "noise")
    found = cluster(model, task, method="hdbscan", setting=6, embedding=even, columns=[])
    assert found.n_clusters == 0
    assert found.verdict() == "No clusters found by hdbscan."
    assert (found.colours() == NO_CLUSTER_RGB).all()
    assert found.summary().empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 13}, "13 clusters of 12 neurons cannot be; expected 2 to 12"),
        ({"n_clusters": 1}, "1 clusters of 12"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"method": "hdbscan", "n_clusters": 3}, "hdbscan finds the number itself"),
        ({"setting": 2.0}, "takes n_clusters, not a setting"),
        ({"source": "row"}, "is not adapted"),
        ({"columns": ["nose"]}, "'nose'"),
        ({"resamplings": 1}, "at least 2"),
    ],
)
def test_what_cannot_be_clustered_is_told_at_once(model, task, options, message):
    with pytest.raises(CalmError, match=message):
        cluster(model, task, **options)


def test_too_few_neurons_are_refused(model, task):
    with pytest.raises(RecordingError, match="5 neurons are too few for clusters"):
        cluster(model, Recording(task.traces[:5], 6.0))


def test_neurons_that_are_left_out_have_no_say_and_no_cluster(model, task):
    chosen = np.array([0, 1, 2, 3, 5, 6, 7, 9])
    options = {"n_clusters": 2, "resamplings": 2, "columns": []}
    alone = cluster(model, task.select(chosen), **options)
    among = cluster(model, task, neurons=chosen, **options)
    np.testing.assert_array_equal(among.labels[chosen], alone.labels)
    np.testing.assert_array_equal(among.confidence[chosen], alone.confidence)
    np.testing.assert_array_equal(among.mean_traces, alone.mean_traces)
    rest = np.setdiff1d(np.arange(12), chosen)
    assert (among.labels[rest] == -1).all()
    assert among.n_neurons == 12
    np.testing.assert_array_equal(among.sizes, alone.sizes)
    flags = np.isin(np.arange(12), chosen)
    by_flags = cluster(model, task, neurons=flags, **options)
    np.testing.assert_array_equal(by_flags.labels, among.labels)
    with pytest.raises(CalmError, match="says little"):
        cluster(model, task, neurons=chosen, embedding=embed(model, task), **options)


def test_a_map_leaves_a_gap_for_neurons_without_a_vector(model, task):
    chosen = np.array([0, 2, 4, 6, 8, 10])
    part = embed(model, task.select(chosen), resamplings=2)
    whole = part.among(task, chosen)
    points = pca_map(whole).points
    np.testing.assert_allclose(points[chosen], pca_map(part).points)
    assert np.isnan(np.delete(points, chosen, axis=0)).all()
    np.testing.assert_array_equal(np.flatnonzero(whole.known), chosen)
    with pytest.raises(CalmError, match="6 neurons"):
        cluster(model, task, embedding=whole, n_clusters=2, resamplings=2)
