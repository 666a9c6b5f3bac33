import numpy as np
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.explore.neuron_embedding import NeuronEmbedding
from napari_calm.explore.neuron_map import lda_map, pca_map, umap_map
from napari_calm.explore.probe import probe


def test_a_label_in_the_vectors_is_read_and_one_that_is_not_is_not(rng):
    labels = np.repeat(["a", "b", "c"], 20)
    vectors = rng.normal(size=(60, 6))
    vectors[:, 0] += 6 * (labels == "a")
    vectors[:, 1] += 6 * (labels == "b")
    found = probe(vectors, labels, shuffles=20)
    assert found.score > 0.95
    assert found.null.mean() == pytest.approx(1 / 3, abs=0.1)
    assert found.p_value == 1 / 21
    assert (found.predicted == labels).mean() > 0.95
    nothing = probe(rng.normal(size=(60, 6)), labels, shuffles=20)
    assert nothing.p_value > 0.05


def test_more_dimensions_than_neurons_do_not_help_on_held_out_ones(rng):
    # A fit to all of these would be perfect.
    found = probe(rng.normal(size=(40, 200)), np.tile([0, 1], 20), shuffles=20)
    assert found.score < 0.75


def test_numbers_are_scored_by_r2(rng):
    vectors = rng.normal(size=(80, 4))
    found = probe(vectors, vectors @ [1.0, 2, 0, 0] + 0.1 * rng.normal(size=80), shuffles=20)
    assert found.measure == "R2"
    assert found.score > 0.95
    assert found.null.max() < 0.3


def test_animals_are_held_out_whole(rng):
    # The label is told by the animal alone, so a new animal's cannot be known.
    animal = np.repeat(np.arange(8), 10)
    labels = np.repeat([0, 1, 0, 1, 1, 0, 1, 0], 10)
    vectors = np.eye(8)[animal] + 0.01 * rng.normal(size=(80, 8))
    assert probe(vectors, labels, shuffles=20).score > 0.95
    assert probe(vectors, labels, groups=animal, folds=4, shuffles=20).score < 0.7


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0], "labels of shape"),
        ([1, 1, 1, 1], "same label"),
        (["a", "a", "a", "b"], "only 1 neuron is labelled 'b'"),
        ([0.5, np.nan, 1.0, 2.0], "hold NaN"),
    ],
)
def test_labels_that_do_not_do_are_told(rng, labels, message):
    with pytest.raises(CalmError, match=message):
        probe(rng.normal(size=(4, 2)), np.array(labels), shuffles=5)


def test_pca_turns_and_keeps_distances_in_full(rng):
    vectors = rng.normal(size=(20, 3)).astype(np.float32)
    found = pca_map(NeuronEmbedding(vectors, "coupling"), axes=3)
    distances = [np.linalg.norm(v[:, None] - v[None], axis=2) for v in (vectors, found.points)]
    np.testing.assert_allclose(*distances, atol=1e-5)
    assert (np.diff(found.explained) <= 0).all()


def test_lda_of_noise_looks_apart_only_where_it_was_fitted(rng):
    labels = np.tile(["a", "b"], 30)
    noise = NeuronEmbedding(rng.normal(size=(60, 25)), "coupling")
    found = lda_map(noise, labels, shuffles=20)
    assert found.held_out.sum() == 30
    assert abs(found.score - 0.5) < 0.25
    planted = NeuronEmbedding(
        noise.vectors + 4 * np.outer(labels == "a", np.ones(25)), "coupling"
    )
    apart = lda_map(planted, labels, shuffles=20)
    assert apart.score > 0.95
    assert apart.null_score == pytest.approx(0.5, abs=0.15)


def test_lda_refuses_one_group_and_misaligned_labels(rng):
    embedding = NeuronEmbedding(rng.normal(size=(12, 3)), "coupling")
    with pytest.raises(CalmError, match="all neurons are labelled 'a'"):
        lda_map(embedding, np.repeat("a", 12))
    with pytest.raises(CalmError, match=r"labels of shape \(11,\) for 12 neurons"):
        lda_map(embedding, np.repeat(["a", "b"], [5, 6]))


def test_without_umap_learn_the_way_to_get_it_is_told(rng, monkeypatch):
    monkeypatch.setattr("napari_calm.explore.neuron_map.find_spec", lambda name: None)
    with pytest.raises(CalmError, match=r"pip install 'napari-calm\[umap\]'"):
        umap_map(NeuronEmbedding(rng.normal(size=(12, 3)), "coupling"))
