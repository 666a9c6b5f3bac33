import numpy as np
import pytest

from napari_calm.preprocess.smooth import smooth_causally


@pytest.mark.parametrize("alpha", [0.15, 0.6])
def test_smoothing_is_the_recursion(alpha):
    x = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    expected = x.astype(float).copy()
    for t in range(1, 50):
        expected[:, t] = alpha * x[:, t] + (1 - alpha) * expected[:, t - 1]
    smoothed = smooth_causally(x, alpha)
    assert smoothed.dtype == np.float32
    np.testing.assert_allclose(smoothed, expected, rtol=1e-5, atol=1e-6)


def test_alpha_one_leaves_traces_alone():
    x = np.random.default_rng(0).normal(size=(3, 50))
    assert smooth_causally(x, 1.0) is x
