import numpy as np
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.core.progress import run
from napari_calm.explore.coupling import (
    BLOCKS,
    coupling_products_steps,
    coupling_vectors,
    halves_of_time,
)


def moving(states):
    """The same by hand: unit power, less the mean over neurons."""
    units = states - states.mean(axis=1, keepdims=True)
    units = units / np.sqrt((units**2).mean(axis=(1, 2), keepdims=True))
    return units - units.mean(axis=0)


def test_correlations_of_any_blocks_are_those_of_their_frames(rng):
    states = rng.normal(size=(7, 200, 3)) + rng.normal(size=(200, 3))
    products = run(coupling_products_steps(states))
    units = moving(states)
    chosen = np.array([0, 3, 17])
    frames = np.concatenate([np.arange(10 * block, 10 * block + 10) for block in chosen])
    for blocks, part in ((None, units), (chosen, units[:, frames])):
        flat = (part - part.mean(axis=1, keepdims=True)).reshape(7, -1)
        expected = flat @ flat.T
        size = np.sqrt(np.diag(expected))
        found = products.correlations(blocks)
        assert np.isnan(np.diag(found)).all()
        off = ~np.eye(7, dtype=bool)
        np.testing.assert_allclose(
            found[off], (expected / np.outer(size, size))[off], atol=1e-4
        )


def test_neurons_of_opposite_sign_come_together_and_others_do_not(rng):
    course = rng.normal(size=(3, 400))
    group = np.repeat([0, 1, 2], 8)
    sign = np.tile([1.0, -1.0], 12)
    states = (sign[:, None] * course[group] + 0.5 * rng.normal(size=(24, 400)))[:, :, None]
    vectors = coupling_vectors(run(coupling_products_steps(states)).correlations())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    likeness = vectors @ vectors.T
    same = group[:, None] == group
    off = ~np.eye(24, dtype=bool)
    assert likeness[same & off].min() > likeness[~same].max()


def test_signed_vectors_set_neurons_of_opposite_sign_apart(rng):
    course = rng.normal(size=(2, 400))
    sign = np.tile([1.0, -1.0], 8)
    states = sign[:, None] * course[np.repeat([0, 1], 8)] + 0.5 * rng.normal(size=(16, 400))
    found = run(coupling_products_steps(states[:, :, None])).correlations()
    vectors = coupling_vectors(found, signed=True)
    likeness = (vectors @ vectors.T)[:8, :8]
    together = np.equal.outer(sign[:8], sign[:8])
    assert likeness[together].min() > 0.5
    assert likeness[~together].max() < -0.5


def test_what_all_neurons_share_couples_none_of_them(rng):
    shared = 3 * rng.normal(size=400)
    states = (shared + rng.normal(size=(12, 400)))[:, :, None]
    found = run(coupling_products_steps(states)).correlations()
    assert np.nanmax(np.abs(found)) < 0.3
    assert np.corrcoef(states[:, :, 0])[0, 1:].min() > 0.8


def test_large_populations_are_compared_with_some_partners(rng, monkeypatch):
    monkeypatch.setattr("napari_calm.explore.coupling.MOST_PARTNERS", 5)
    states = rng.normal(size=(9, 100, 2))
    products = run(coupling_products_steps(states, seed=2))
    full = products.correlations()
    assert full.shape == (9, 5)
    assert np.isnan(full).sum() == 5
    assert coupling_vectors(full).shape == (9, 4)


def test_halves_share_no_block():
    for first, second in halves_of_time(6, seed=1):
        assert sorted([*first, *second]) == list(range(BLOCKS))


def test_states_that_never_change_are_named(rng):
    states = rng.normal(size=(5, 60, 2))
    states[3] = 1.5
    with pytest.raises(CalmError, match="neuron 3 never change"):
        run(coupling_products_steps(states))
    with pytest.raises(CalmError, match="found 3 neurons and 60 times"):
        run(coupling_products_steps(states[:3]))


def test_a_window_takes_each_neurons_drift_off_and_nothing_else(rng):
    fast = rng.normal(size=(6, 400))
    fast[3:] += 2 * rng.normal(size=400)
    drift = 40 * np.linspace(-1, 1, 400) * np.array([1, -1, 1, -1, 1, -1])[:, None]
    found = run(coupling_products_steps((fast + drift)[:, :, None], window=12)).correlations()
    part = fast - np.array([np.convolve(row, np.ones(12) / 12, "same") for row in fast])
    expected = np.corrcoef(part)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(found[off], expected[off], atol=0.1)
    assert found[3, 4] > 0.6
