import numpy as np
import pytest

from napari_calm.preprocess.normalise import normalisation_from
from napari_calm.preprocess.portrait import LAGS_FRAMES, LEVEL, portrait_of


def portrait(history, n_context=48, rate_hz=6.0):
    context = history[:, -n_context:]
    normalisation = normalisation_from(history, context, "context")
    return portrait_of(history, context, normalisation, rate_hz)


def test_autocorrelations_are_those_of_numpy():
    rng = np.random.default_rng(0)
    history = np.cumsum(rng.normal(size=(3, 900)), axis=1).astype(np.float32)
    found = portrait(history).neurons
    for place, lag in enumerate(LAGS_FRAMES):
        for neuron, x in enumerate(history.astype(np.float64)):
            z = (x - x.mean()) / x.std()
            assert found[neuron, place] == pytest.approx(np.mean(z[lag:] * z[:-lag]), abs=1e-3)


def test_the_level_tells_how_far_the_context_is_from_the_usual():
    history = np.random.default_rng(1).normal(size=(2, 500)).astype(np.float32)
    history[0, -48:] += 3.0
    deviation = np.maximum(history.std(axis=1), history[:, -48:].std(axis=1))
    expected = (history[:, -48:].mean(1) - history.mean(1)) / deviation
    np.testing.assert_allclose(portrait(history).neurons[:, LEVEL], expected, rtol=1e-4)


def test_a_neuron_that_follows_another_is_found_in_the_pairs():
    rng = np.random.default_rng(2)
    leader = rng.normal(size=1000)
    follower = np.roll(leader, 1)
    other = rng.normal(size=1000)
    pairs = portrait(np.stack([leader, follower, other])).pairs(np.arange(3))
    one_later = pairs[..., 1]  # [i, j]: i one frame after j
    assert one_later[1, 0] == pytest.approx(1.0, abs=0.02)
    assert abs(one_later[0, 1]) < 0.15
    assert abs(one_later[2, 0]) < 0.15
    np.testing.assert_allclose(pairs[..., 3], pairs[..., 2].T)


def test_scale_and_offset_of_a_neuron_do_not_matter():
    history = np.random.default_rng(3).normal(size=(4, 300)).astype(np.float32)
    moved = history * 7 + 20
    np.testing.assert_allclose(
        portrait(history).neurons, portrait(moved).neurons, rtol=1e-3, atol=1e-4
    )


def test_a_population_continued_in_centred_units_is_the_same_in_its_own():
    rng = np.random.default_rng(5)
    history = np.cumsum(rng.normal(size=(4, 600)), axis=1) * [[1], [5], [0.2], [3]] + 7
    context = history[:, -48:]
    normalisation = normalisation_from(history, context, "context")
    found = portrait_of(history, context, normalisation, 6.0)
    every = np.arange(4)
    continuation = found.continuation(every)
    recent = normalisation.apply(context)[:, None]
    ahead = found.continued(continuation, every, recent, 12)
    assert ahead.shape == (4, 1, 2, 12)
    spread = history.std(axis=1, keepdims=True)
    own_units = (history - history.mean(axis=1, keepdims=True)) / spread
    own = continuation.forecasts(own_units[None, :, -4:].astype(np.float32), 12)[0, 1]
    expected = own * spread + history.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(normalisation.undo(ahead[:, 0, 1]), expected, rtol=1e-3)


def test_a_history_as_short_as_the_context_still_gives_finite_features():
    history = np.random.default_rng(4).normal(size=(4, 20)).astype(np.float32)
    found = portrait(history, n_context=20)
    assert np.isfinite(found.neurons).all()
    assert np.isfinite(found.pairs(np.arange(4))).all()
