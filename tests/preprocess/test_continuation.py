import numpy as np
import pytest

from napari_calm.preprocess.continuation import (
    FEWEST_FRAMES,
    LAGS,
    MOST_COMPONENTS,
    N_CONTINUATIONS,
    N_SKILL_FEATURES,
    SKILL_KNOTS,
    continuation_of,
)


def a_linear_system(n_neurons=6, n_frames=3000, seed=0):
    """x[t+1] = A x[t] + noise, a slowly turning and shrinking rotation; also A."""
    rng = np.random.default_rng(seed)
    step = np.linalg.qr(rng.normal(size=(n_neurons, n_neurons)))[0] * 0.95
    x = np.zeros((n_neurons, n_frames))
    for t in range(1, n_frames):
        x[:, t] = step @ x[:, t - 1] + 0.3 * rng.normal(size=n_neurons)
    return x, step


def units_of(x):
    return ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)).astype(np.float32)


def test_both_continuations_find_a_known_linear_system():
    x, step = a_linear_system()
    units, sd = units_of(x), x.std(axis=1)
    fitted = continuation_of(units[:, :2000])
    ends = np.arange(2100, 2900, 7)
    recent = units[:, ends[:, None] - LAGS + np.arange(LAGS)].swapaxes(0, 1)
    found = fitted.forecasts(recent, 8)
    for horizon in (1, 2, 4, 8):  # knots of the direct one
        expected = np.linalg.matrix_power(step, horizon) @ x[:, ends - 1] / sd[:, None]
        for continuation in range(N_CONTINUATIONS):
            said = found[:, continuation, :, horizon - 1].T
            assert np.corrcoef(said.ravel(), expected.ravel())[0, 1] > 0.97


def test_the_one_frame_forecast_is_a_ridge_regression_of_scikit_learn():
    from sklearn.linear_model import Ridge

    units = units_of(a_linear_system(n_neurons=4, n_frames=600)[0])
    fitted = continuation_of(units)
    scores = fitted.components.T @ units
    ends = np.arange(LAGS, 600 - 64 + 1)
    features = np.concatenate([scores[:, ends - 1 - lag] for lag in range(LAGS)]).T
    penalties = [50.0, 300.0, 2000.0, 10000.0]
    expected = [
        Ridge(alpha=penalty, fit_intercept=False).fit(features, scores[:, ends].T).coef_.T
        for penalty in penalties
    ]
    closest = min(np.abs(weights - fitted.step).max() for weights in expected)
    assert closest < 1e-4


def test_the_skill_tells_a_forecastable_population_from_noise():
    ring = continuation_of(units_of(a_linear_system()[0]))
    noise = continuation_of(units_of(np.random.default_rng(1).normal(size=(6, 3000))))
    walk = np.cumsum(np.random.default_rng(2).normal(size=(6, 3000)), axis=1)
    assert ring.skill.shape == (6, N_SKILL_FEATURES)
    rows = ring.skill.reshape(6, 3, 2 * len(SKILL_KNOTS))
    # One frame ahead: far better than copying, and than the mean.
    assert (rows[:, 1:, 0] < -1).all()
    assert (rows[:, 1:, 0] < rows[:, :1, 0]).all()
    # Copying noise doubles its variance; nothing does better than the mean.
    np.testing.assert_allclose(noise.skill, np.log(0.5), atol=0.4)
    # A walk's mean is worse than its last frame.
    assert continuation_of(units_of(walk)).skill.reshape(6, 3, -1)[:, 0, 0].min() > 0.5


def test_between_knots_the_direct_forecast_is_a_straight_line():
    units = units_of(a_linear_system()[0])
    found = continuation_of(units).forecasts(units[None, :, -LAGS:], 40)[0, 0]
    np.testing.assert_allclose(found[:, 4], (found[:, 3] + found[:, 5]) / 2, rtol=1e-4)
    np.testing.assert_allclose(
        found[:, 27], 0.5 * found[:, 23] + 0.5 * found[:, 31], rtol=1e-3, atol=1e-5
    )


def test_no_forecast_goes_beyond_what_was_seen():
    """An unstable past would be continued to infinity."""
    t = np.arange(400)
    units = units_of(np.stack([np.exp(t / 60), np.exp(t / 50)]))
    fitted = continuation_of(units)
    found = fitted.forecasts(units[None, :, -LAGS:], 64)
    scores = np.einsum("nk,menf->mekf", fitted.components, found)
    assert (np.abs(scores) <= fitted.reach[:, None] + 1e-4).all()


@pytest.mark.parametrize("n_frames", [5, FEWEST_FRAMES - 1, FEWEST_FRAMES, 100])
def test_short_histories_are_continued_by_something_finite(n_frames):
    units = np.random.default_rng(0).normal(size=(5, n_frames)).astype(np.float32)
    fitted = continuation_of(units)
    found = fitted.forecasts(units[None, :, -LAGS:], 16)
    assert found.shape == (1, N_CONTINUATIONS, 5, 16)
    assert np.isfinite(found).all()
    assert np.isfinite(fitted.skill).all()
    if n_frames < FEWEST_FRAMES:
        assert (found == 0).all()


def test_large_populations_are_reduced_to_their_leading_components():
    units = np.random.default_rng(0).normal(size=(80, 500)).astype(np.float32)
    fitted = continuation_of(units)
    assert fitted.components.shape == (80, MOST_COMPONENTS)
    gram = fitted.components.T @ fitted.components
    np.testing.assert_allclose(gram, np.eye(MOST_COMPONENTS), atol=1e-5)
