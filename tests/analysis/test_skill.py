import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from napari_calm.analysis.baselines import autoregression, copy_last, training_mean
from napari_calm.analysis.skill import forecast_skill, skill_over_starts_steps
from napari_calm.core.progress import run
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel


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
