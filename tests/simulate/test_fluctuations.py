import numpy as np
import pytest

from napari_calm.simulate.fluctuations import rotating_noise, smooth_noise


def test_smooth_noise_has_unit_variance_from_the_first_frame_and_its_time_constant():
    noise = smooth_noise(
        np.random.default_rng(0), (4000, 60), frame_rate_hz=6.0, time_constant_s=2.0
    )
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.05)
    correlation = np.corrcoef(noise[:, 20], noise[:, 32])[0, 1]  # 12 frames = 2 s
    assert correlation == pytest.approx(np.exp(-1), abs=0.05)


def test_rotating_noise_comes_back_after_one_period_and_is_opposite_after_half():
    a, b = rotating_noise(
        np.random.default_rng(0), 60_000, frame_rate_hz=6.0, period_s=8.0, time_constant_s=20.0
    )
    assert a.std() == pytest.approx(1, abs=0.1)
    period, half, quarter = 48, 24, 12
    assert np.corrcoef(a[period:], a[:-period])[0, 1] == pytest.approx(
        np.exp(-8 / 20), abs=0.06
    )
    assert np.corrcoef(a[half:], a[:-half])[0, 1] < -0.7
    assert np.corrcoef(b[quarter:], a[:-quarter])[0, 1] > 0.8
