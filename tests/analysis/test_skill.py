import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from napari_calm.analysis.baselines import autoregression, copy_last, training_mean
from napari_calm.analysis.skill import forecast_skill, skill_over_starts_steps
from napari_calm.core.progress import run
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.preprocess.smooth import alpha_at_rate, smooth_causally


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(0)
    return Recording(np.cumsum(rng.normal(size=(4, 260)), axis=1), frame_rate_hz=6.0)


@pytest.fixture(scope="module")
def model():
    return CalmModel.random(seed=0)


def test_autoregression_is_one_regression_a_horizon():
    history = np.cumsum(np.random.default_rng(1).normal(size=(3, 120)), axis=1)
    forecast = autoregression(history, 5)
    for neuron in range(3):
        centred = history[neuron] - history[neuron].mean()
        for h in range(1, 6):
            fit = LinearRegression(fit_intercept=False).fit(centred[:-h, None], centred[h:])
            expected = fit.predict(centred[-1:, None])[0] + history[neuron].mean()
            assert forecast[neuron, h - 1] == pytest.approx(expected)


def test_autoregression_forecasts_the_mean_where_nothing_can_be_fitted():
    history = np.array([[1.0, 3.0, 2.0, 6.0]])
    np.testing.assert_allclose(autoregression(history, 6)[0, 3:], 3.0)


def test_copies_and_means_are_what_they_say():
    history = np.array([[1.0, 2.0, 6.0]])
    assert copy_last(history, 2).tolist() == [[6.0, 6.0]]
    assert training_mean(history, 2).tolist() == [[3.0, 3.0]]


def test_skill_is_scored_against_what_happened(recording, model):
    forecast = model.forecast(recording, start_frame=200, horizon_frames=20, samples=4)
    skill = forecast_skill(recording, forecast)
    truth = recording.traces[:, 200:220]
    scale = recording.traces[:, :200].std(axis=1, keepdims=True)
    expected = (((forecast.mean - truth) / scale) ** 2).mean(axis=0)
    np.testing.assert_allclose(skill.mse[0], expected, rtol=1e-3)
    last = recording.traces[:, 199:200]
    np.testing.assert_allclose(skill.mse[1], (((last - truth) / scale) ** 2).mean(0), rtol=1e-3)
    inside = (truth >= forecast.quantiles[0]) & (truth <= forecast.quantiles[-1])
    assert skill.coverage_90 == pytest.approx(inside.mean())
    table = skill.table()
    assert list(table["method"]) == ["CalM", "copy last", "AR", "mean"]
    assert skill.skill("copy last") == pytest.approx(1 - table["mse"][0] / table["mse"][1])


def test_the_truth_is_smoothed_as_the_model_smooths(recording):
    model = CalmModel.random(seed=0, smoothing_alpha=0.15)
    forecast = model.forecast(recording, start_frame=200, horizon_frames=20, samples=4)
    skill = forecast_skill(recording, forecast)
    smoothed = smooth_causally(recording.traces, 0.15)
    scale = smoothed[:, :200].std(axis=1, keepdims=True)
    error = (forecast.mean - smoothed[:, 200:220]) / scale
    np.testing.assert_allclose(skill.mse[0], (error**2).mean(axis=0), rtol=1e-3)


def test_smoothing_is_as_strong_at_another_rate():
    # A step settles to the same share after the same time at both rates.
    slow = smooth_causally(np.r_[0.0, np.ones(12)], 0.15)
    alpha = alpha_at_rate(0.15, 6.0, 30.0)
    fast = smooth_causally(np.r_[0.0, np.ones(60)], alpha)
    np.testing.assert_allclose(fast[5::5], slow[1:], atol=1e-9)
    model = CalmModel.random(smoothing_alpha=0.15)
    traces = np.random.default_rng(0).normal(size=(3, 600))
    forecast = model.forecast(Recording(traces, 30.0), start_frame=400, horizon_frames=5)
    assert forecast.smoothing_alpha == pytest.approx(alpha_at_rate(0.15, 10.0, 30.0))


@pytest.mark.parametrize("frame_rate_hz", [6.0, 30.0, 2.0])
def test_the_mean_of_white_noise_scores_one_at_every_rate(model, frame_rate_hz):
    traces = np.random.default_rng(0).normal(size=(40, 900))
    recording = Recording(traces, frame_rate_hz=frame_rate_hz)
    forecast = model.forecast(recording, start_frame=800, horizon_frames=40, samples=2)
    assert forecast_skill(recording, forecast).mean_mse("mean") == pytest.approx(1.0, abs=0.1)


def test_neurons_silent_before_the_start_are_left_out_of_the_score(recording, model):
    traces = recording.traces.copy()
    traces[1:, :200] = 0.0
    silent = Recording(traces, frame_rate_hz=6.0)
    forecast = model.forecast(silent, start_frame=200, horizon_frames=10, samples=2)
    assert np.abs(forecast.samples).max() < 1e3
    one = Recording(traces[:1], frame_rate_hz=6.0)
    last = forecast_skill(silent, forecast).mean_mse("copy last")
    alone = model.forecast(one, start_frame=200, horizon_frames=10, samples=2)
    assert last == pytest.approx(forecast_skill(one, alone).mean_mse("copy last"))


def test_frames_past_the_end_are_not_scored(recording, model):
    past = model.forecast(recording, start_frame=260, horizon_frames=8, samples=2)
    assert forecast_skill(recording, past) is None
    half = model.forecast(recording, start_frame=250, horizon_frames=30, samples=2)
    assert forecast_skill(recording, half).mse.shape == (4, 10)


def test_many_starts_average_single_ones(recording, model):
    averaged = run(
        skill_over_starts_steps(model, recording, horizon_frames=8, n_starts=3, samples=2)
    )
    single = [
        forecast_skill(
            recording, model.forecast(recording, start_frame=start, horizon_frames=8, samples=2)
        ).mse
        for start in (130, 191, 252)
    ]
    assert averaged.n_starts == 3
    np.testing.assert_allclose(averaged.mse, np.mean(single, axis=0), rtol=1e-5)


def test_the_verdict_names_the_best_reference(recording, model):
    forecast = model.forecast(recording, start_frame=200, horizon_frames=20, samples=4)
    skill = forecast_skill(recording, forecast)
    best = min(("copy last", "AR", "mean"), key=skill.mean_mse)
    assert best in skill.verdict()
