import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_calm.preprocess.resample import (
    forecast_matrix,
    model_horizon_frames,
    model_rate_hz,
    resampling_matrix,
)


@given(st.floats(0.2, 200), st.floats(0.5, 20), st.floats(1, 4))
def test_the_model_rate_lies_in_the_range(frame_rate_hz, low, ratio):
    rate = model_rate_hz(frame_rate_hz, (low, low * ratio))
    assert low * 0.998 <= rate <= low * ratio * 1.002


def test_slower_frames_are_means_over_their_interval():
    x = np.random.default_rng(0).normal(size=(3, 31))
    slower = (resampling_matrix(31, 30.0, 10.0, end_aligned=True) @ x.T).T
    np.testing.assert_allclose(slower, x[:, 1:].reshape(3, 10, 3).mean(axis=2))
    slower = (resampling_matrix(31, 30.0, 10.0, end_aligned=False) @ x.T).T
    np.testing.assert_allclose(slower, x[:, :30].reshape(3, 10, 3).mean(axis=2))


@given(st.integers(5, 80), st.floats(1.01, 7))
def test_slower_frames_keep_the_integral(n_frames, step):
    x = np.random.default_rng(n_frames).normal(size=n_frames)
    matrix = resampling_matrix(n_frames, step, 1.0, end_aligned=False)
    fine = np.repeat(x, 1000)
    edges = np.round(np.arange(matrix.shape[0] + 1) * step * 1000).astype(int)
    expected = [fine[a:b].mean() for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(matrix @ x, expected, atol=0.02)


def test_a_fast_oscillation_does_not_fold_into_a_slow_one():
    time_s = np.arange(3000) / 30.0
    fast = np.sin(2 * np.pi * 10.0 * time_s)
    slower = resampling_matrix(3000, 30.0, 10.0, end_aligned=False) @ fast
    assert np.abs(slower).max() < 1e-6
    assert np.abs(fast[::3]).max() < 1e-6 or np.ptp(fast[1::3]) < 1e-6  # plain decimation folds


@pytest.mark.parametrize("end_aligned", [True, False])
def test_faster_frames_keep_a_straight_line(end_aligned):
    x = np.arange(40.0)
    matrix = resampling_matrix(40, 2.0, 6.0, end_aligned=end_aligned)
    faster = matrix @ x
    assert len(faster) == 120
    np.testing.assert_allclose(np.diff(faster)[3:-3], 1 / 3)


@given(st.floats(0.5, 60), st.floats(4, 12), st.integers(1, 60))
def test_rows_are_averages(frame_rate_hz, rate_hz, n_frames):
    n_frames += int(np.ceil(frame_rate_hz / rate_hz))
    matrix = resampling_matrix(n_frames, frame_rate_hz, rate_hz, end_aligned=True)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert matrix.data.min() >= 0


@pytest.mark.parametrize("end_aligned", [True, False])
def test_faster_frames_lean_on_no_frame_that_has_not_begun(end_aligned):
    matrix = resampling_matrix(40, 1.7, 5.1, end_aligned=end_aligned).toarray()
    end_frames = (np.arange(len(matrix)) + 1) / 3
    for row, end in zip(matrix, end_frames, strict=True):
        assert np.flatnonzero(row).max() < end


def test_a_faster_model_returns_frames_where_it_found_them():
    line = np.arange(40.0)
    faster = resampling_matrix(40, 2.0, 6.0, end_aligned=True) @ line
    back = forecast_matrix(10, 2.0, 6.0) @ faster[-31:]
    # The last frame ends half a model frame after the last model frame's middle.
    np.testing.assert_allclose(back[:-1], line[-10:-1])
    assert back[-1] == pytest.approx(line[-1] - 1 / 6)


def test_a_forecast_returns_to_the_recordings_frames():
    # Model frames end 0.1 s apart; frame k of the forecast is centred at (k + 0.5) / 30 s.
    n_model = model_horizon_frames(9, 30.0, 10.0)
    assert n_model == 3
    line = np.arange(-1, n_model) * 0.1 + 0.05  # value = time of the model frame's centre
    back = forecast_matrix(9, 30.0, 10.0) @ line
    expected = np.minimum((np.arange(9) + 0.5) / 30.0, line[-1])
    np.testing.assert_allclose(back, expected, atol=1e-9)


def test_equal_rates_change_nothing():
    x = np.random.default_rng(0).normal(size=12)
    np.testing.assert_array_equal(forecast_matrix(11, 6.0, 6.0) @ x, x[1:])
    np.testing.assert_array_equal(resampling_matrix(12, 6.0, 6.0, end_aligned=True) @ x, x)
