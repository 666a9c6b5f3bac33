import numpy as np
import pytest
import torch

from napari_calm.core.errors import CalmError
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.config import ForecastHeadConfig
from napari_calm.model.expectation import couple
from napari_calm.model.forecast_head import (
    FIRST_TRUST,
    N_PORTRAIT,
    QUANTILE_LEVELS,
    ForecastHead,
    HeadForecast,
    forecast_loss,
    horizon_weights,
)
from napari_calm.preprocess.continuation import N_CONTINUATIONS
from napari_calm.preprocess.portrait import N_PAIR_FEATURES


def lively(model, seed=0):
    """Give a head weights under which every input matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture(scope="module")
def model():
    model = CalmModel.random(seed=1, head=True)
    lively(model.forecast_head)
    return model


def a_recording(n_neurons=7, n_frames=300, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_neurons, n_frames)), axis=1)
    return Recording(walk * 0.1 + rng.normal(size=walk.shape), frame_rate_hz=6.0)


def inputs(n_neurons=5, n_tokens=2, width=16, recent=16, horizon=16, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return (
        torch.randn(1, n_neurons, n_tokens, width, generator=rng),
        torch.randn(1, n_neurons, n_tokens, recent, generator=rng),
        torch.randn(1, n_neurons, N_PORTRAIT, generator=rng),
        torch.randn(1, n_neurons, n_neurons, N_PAIR_FEATURES, generator=rng),
        torch.randn(1, n_neurons, n_tokens, N_CONTINUATIONS, horizon, generator=rng),
    )


def test_a_new_head_trusts_half_the_last_frame_and_the_continuations_a_little():
    head = ForecastHead(ForecastHeadConfig(horizon_frames=8, n_heads=2), 16).eval()
    given = inputs(horizon=8)
    _, recent, _, _, continued = given
    trust = np.exp(FIRST_TRUST) / (1 + N_CONTINUATIONS * np.exp(FIRST_TRUST))
    own = 0.5 * recent[..., -1:].expand(-1, -1, -1, 8)
    expected = (1 - N_CONTINUATIONS * trust) * own + trust * continued.sum(-2)
    torch.testing.assert_close(head(*given).mean, expected, rtol=1e-4, atol=1e-5)


def test_no_mean_lies_outside_what_the_head_and_the_continuations_say():
    head = ForecastHead(ForecastHeadConfig(horizon_frames=8, n_heads=2), 16).eval()
    hidden, recent, portrait, pairs, continued = inputs(horizon=8)
    with torch.no_grad():
        for part in (head.trust_of_state, *head.trust_of_portrait):
            for parameter in part.parameters():
                parameter.normal_(0, 3)
    own = 0.5 * recent[..., -1:].expand(-1, -1, -1, 8)
    said = torch.cat([own[..., None, :], continued], dim=-2)
    mean = head(hidden, recent, portrait, pairs, continued).mean
    assert (mean <= said.amax(-2) + 1e-5).all()
    assert (mean >= said.amin(-2) - 1e-5).all()
    assert ((mean - continued[..., 0, :]).abs() < 0.05).any()  # one is trusted altogether


def test_quantiles_never_cross(model):
    quantiles = model.forecast_head(*inputs()).quantiles
    assert (quantiles.diff(dim=-1) > 0).all()


def test_the_order_of_the_neurons_does_not_matter(model):
    hidden, recent, portrait, pairs, continued = inputs()
    order = torch.tensor([3, 0, 4, 1, 2])
    plain = model.forecast_head(hidden, recent, portrait, pairs, continued)
    permuted = model.forecast_head(
        hidden[:, order],
        recent[:, order],
        portrait[:, order],
        pairs[:, order][:, :, order],
        continued[:, order],
    )
    torch.testing.assert_close(permuted.mean, plain.mean[:, order], rtol=1e-4, atol=1e-5)


def test_every_input_reaches_the_forecast(model):
    found = model.forecast_head(*inputs()).mean
    for place in range(5):
        changed = list(inputs())
        changed[place] = changed[place] * 1.5
        assert not torch.allclose(model.forecast_head(*changed).mean, found, atol=1e-3)


def test_the_loss_is_squared_error_plus_pinball_where_the_truth_is_known():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 3, 2, 4))
    mean = rng.normal(size=truth.shape)
    quantiles = np.sort(rng.normal(size=(*truth.shape, 5)), axis=-1)
    known = np.array([[True] * 4, [True, True, False, False]])
    weights = horizon_weights(4, torch.ones(1)).numpy() * known
    weights = weights / weights.sum() / 6
    expected = 0.0
    for index in np.ndindex(truth.shape):
        error = truth[index] - quantiles[index]
        levels = np.array(QUANTILE_LEVELS)
        pinball = np.maximum(levels * error, (levels - 1) * error).sum()
        expected += weights[index[2:]] * ((mean[index] - truth[index]) ** 2 + pinball)
    tensors = map(torch.as_tensor, (mean, quantiles))
    loss, _ = forecast_loss(
        HeadForecast(*tensors), torch.as_tensor(truth), torch.as_tensor(known)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_no_frame_from_the_start_on_changes_what_the_head_says(model):
    recording = a_recording()
    request = {"start_frame": 120, "horizon_frames": 12, "samples": 0}
    found = model.forecast(recording, **request)
    traces = recording.traces.copy()
    traces[:, 120:] += 5
    unseen = model.forecast(Recording(traces, 6.0), **request)
    np.testing.assert_array_equal(found.mean, unseen.mean)
    np.testing.assert_array_equal(found.quantiles, unseen.quantiles)
    traces = recording.traces.copy()
    traces[:, 119] += 5
    seen = model.forecast(Recording(traces, 6.0), **request)
    assert not np.array_equal(found.mean, seen.mean)


def test_frames_after_statistics_until_tell_only_by_the_context(model):
    recording = a_recording(n_frames=400)
    request = {"start_frame": 300, "horizon_frames": 12, "samples": 0, "statistics_until": 200}
    found = model.forecast(recording, **request)
    traces = recording.traces.copy()
    traces[:, 200 : 300 - 48] += 3 * np.random.default_rng(0).normal(size=(7, 52))
    same = model.forecast(Recording(traces, 6.0), **request)
    np.testing.assert_allclose(found.mean, same.mean, rtol=1e-5, atol=1e-5)
    request["statistics_until"] = None
    assert not np.allclose(found.mean, model.forecast(Recording(traces, 6.0), **request).mean)


def test_no_samples_are_needed_for_mean_and_bands(model):
    forecast = model.forecast(a_recording(), start_frame=100, horizon_frames=16, samples=0)
    assert forecast.samples.shape == (0, 7, 16)
    assert (np.diff(forecast.quantiles, axis=0) > 0).all()


def test_samples_are_joint_and_have_the_heads_distribution(model):
    request = {"start_frame": 100, "horizon_frames": 12}
    direct = model.forecast(a_recording(), **request, samples=0)
    drawn = model.forecast(a_recording(), **request, samples=101)
    np.testing.assert_array_equal(direct.mean, drawn.mean)
    for number in (1, 2, 3):
        np.testing.assert_allclose(
            np.quantile(drawn.samples, QUANTILE_LEVELS[number], axis=0),
            direct.quantiles[number],
            atol=0.1 * (direct.quantiles[4] - direct.quantiles[0]).max(),
        )


def test_coupling_keeps_the_order_of_the_samples_at_every_frame():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(9, 3, 5))
    quantiles = np.sort(rng.normal(size=(5, 3, 5)), axis=0)
    coupled = couple(samples, quantiles)
    np.testing.assert_array_equal(samples.argsort(axis=0), coupled.argsort(axis=0))
    np.testing.assert_allclose(np.median(coupled, axis=0), quantiles[2], atol=1e-12)


def test_beyond_the_heads_horizon_the_samples_carry_on_smoothly(model):
    recording = a_recording()
    request = {"start_frame": 150, "samples": 0}
    short = model.forecast(recording, horizon_frames=16, **request)
    long = model.forecast(recording, horizon_frames=40, **request)
    assert long.mean.shape == (7, 40)
    np.testing.assert_allclose(long.mean[:, :12], short.mean[:, :12], rtol=1e-5)
    samples = model.forecast(
        recording, start_frame=150, horizon_frames=40, samples=16, expectation="samples"
    )
    np.testing.assert_allclose(long.mean[:, 16:], samples.mean[:, 16:], rtol=1e-4, atol=1e-4)


def test_a_population_larger_than_the_model_takes_at_once_is_dealt_into_groups():
    model = CalmModel.random(seed=1, head=True)
    lively(model.forecast_head)
    whole = model.forecast(a_recording(20), start_frame=100, horizon_frames=8, samples=0)
    object.__setattr__(model.config.dynamics, "max_neurons", 6)
    grouped = model.forecast(a_recording(20), start_frame=100, horizon_frames=8, samples=0)
    assert np.isfinite(grouped.mean).all()
    assert not np.allclose(whole.mean, grouped.mean)


def test_a_model_without_a_head_says_so():
    with pytest.raises(CalmError, match="no forecast head"):
        CalmModel.random().forecast(
            a_recording(), start_frame=100, horizon_frames=4, expectation="direct"
        )


def test_saved_and_loaded_a_head_forecasts_the_same(model, tmp_path):
    from napari_calm.model.checkpoint import load_model

    model.save(tmp_path / "model")
    request = {"start_frame": 100, "horizon_frames": 9, "samples": 0}
    again = load_model(tmp_path / "model", device="cpu").forecast(a_recording(), **request)
    found = model.forecast(a_recording(), **request)
    np.testing.assert_array_equal(found.quantiles, again.quantiles)
