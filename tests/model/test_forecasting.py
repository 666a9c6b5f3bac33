from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.progress import Progress
from napari_calm.core.recording import Recording
from napari_calm.model import forecasting
from napari_calm.model.calm import CalmModel
from napari_calm.model.forecasting import prepare_context


@pytest.fixture(scope="module")
def model():
    return CalmModel.random(seed=1)


def a_recording(n_neurons=7, n_frames=300, frame_rate_hz=6.0, seed=0):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(n_neurons, n_frames)), axis=1)
    return Recording(walk * 0.1 + rng.normal(size=walk.shape), frame_rate_hz=frame_rate_hz)


def with_later_frames_changed(recording, frame):
    traces = recording.traces.copy()
    traces[:, frame:] += 5 + np.random.default_rng(9).normal(size=traces[:, frame:].shape)
    return Recording(traces, frame_rate_hz=recording.frame_rate_hz)


@pytest.mark.parametrize("frame_rate_hz", [6.0, 30.0, 1.7, 14.3])
@pytest.mark.parametrize("smoothing_alpha", [1.0, 0.15])
def test_no_frame_from_the_start_on_changes_a_forecast(frame_rate_hz, smoothing_alpha):
    model = CalmModel.random(seed=1, smoothing_alpha=smoothing_alpha)
    recording = a_recording(n_frames=500, frame_rate_hz=frame_rate_hz)
    start = model.context_frames_of(frame_rate_hz) + 13
    settings = {"start_frame": start, "horizon_frames": 20, "samples": 3}
    forecast = model.forecast(recording, **settings)
    unseen = model.forecast(with_later_frames_changed(recording, start), **settings)
    np.testing.assert_array_equal(forecast.samples, unseen.samples)
    seen = model.forecast(with_later_frames_changed(recording, start - 1), **settings)
    assert not np.array_equal(forecast.samples, seen.samples)


@pytest.mark.parametrize("frame_rate_hz", [6.0, 30.0, 1.7, 2.0, 0.5])
def test_no_later_frame_changes_an_earlier_token(model, frame_rate_hz):
    recording = a_recording(n_frames=600, frame_rate_hz=frame_rate_hz)
    changed_from = 400
    tokens = model.tokenize(recording)
    changed = model.tokenize(with_later_frames_changed(recording, changed_from))
    changed_s = changed_from / frame_rate_hz
    n_before = int(changed_s / tokens.token_duration_s + 1e-9)
    np.testing.assert_array_equal(tokens.tokens[:, :n_before], changed.tokens[:, :n_before])
    assert not np.array_equal(tokens.tokens, changed.tokens)


def test_a_forecast_has_mean_quantiles_and_samples_that_agree(model):
    forecast = model.forecast(a_recording(), start_frame=100, horizon_frames=17, samples=9)
    assert forecast.mean.shape == (7, 17)
    assert forecast.samples.shape == (9, 7, 17)
    np.testing.assert_allclose(forecast.mean, forecast.samples.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(
        forecast.quantiles, np.quantile(forecast.samples, forecast.quantile_levels, axis=0),
        atol=1e-5,
    )  # fmt: skip
    assert (np.diff(forecast.quantiles, axis=0) >= 0).all()


def test_normalised_units_come_from_the_frames_before_the_start(model):
    recording = a_recording()
    forecast = model.forecast(recording, start_frame=120, horizon_frames=8, samples=2)
    np.testing.assert_allclose(
        forecast.centre, recording.traces[:, 120 - 48 : 120].mean(axis=1), rtol=1e-5, atol=1e-6
    )
    deviation = np.maximum(
        recording.traces[:, :120].std(axis=1), recording.traces[:, 120 - 48 : 120].std(axis=1)
    )
    np.testing.assert_allclose(forecast.scale, deviation, rtol=1e-4)
    np.testing.assert_allclose(
        forecast.mean,
        forecast.mean_normalised * forecast.scale[:, None] + forecast.centre[:, None],
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip


def test_forecasts_run_past_the_end_of_the_recording(model):
    recording = a_recording(n_frames=100)
    forecast = model.forecast(recording, start_frame=100, horizon_frames=30, samples=2)
    assert forecast.start_frame == 100
    assert np.isfinite(forecast.mean).all()


def test_long_horizons_continue_from_their_own_context(model):
    forecast = model.forecast(a_recording(), start_frame=60, horizon_frames=400, samples=2)
    short = model.forecast(a_recording(), start_frame=60, horizon_frames=80, samples=2)
    assert forecast.mean.shape == (7, 400)
    assert np.isfinite(forecast.mean).all()
    # Within the first window both know the same.
    np.testing.assert_allclose(forecast.samples[..., :80], short.samples, rtol=1e-4, atol=1e-4)


def test_the_seed_decides_the_samples(model):
    recording = a_recording()
    settings = {"start_frame": 100, "horizon_frames": 12, "samples": 3}
    first = model.forecast(recording, seed=4, **settings)
    again = model.forecast(recording, seed=4, **settings)
    other = model.forecast(recording, seed=5, **settings)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_more_samples_keep_the_ones_before(model):
    recording = a_recording()
    few = model.forecast(recording, start_frame=100, horizon_frames=12, samples=2)
    many = model.forecast(recording, start_frame=100, horizon_frames=12, samples=5)
    np.testing.assert_allclose(many.samples[:2], few.samples, rtol=1e-4, atol=1e-5)


def test_zero_samples_is_the_greedy_path(model):
    recording = a_recording()
    greedy = model.forecast(recording, start_frame=100, horizon_frames=12, samples=0)
    again = model.forecast(recording, start_frame=100, horizon_frames=12, samples=0, seed=8)
    assert greedy.samples.shape == (1, 7, 12)
    np.testing.assert_array_equal(greedy.mean, again.mean)


def test_large_populations_are_dealt_into_groups(monkeypatch):
    model = CalmModel.random(seed=1)
    recording = a_recording(n_neurons=11)
    whole = model.forecast(recording, start_frame=100, horizon_frames=8, samples=2)
    model.config = replace(model.config, dynamics=replace(model.config.dynamics, max_neurons=4))
    seen = []
    forward = model.dynamics.forward
    monkeypatch.setattr(
        model.dynamics, "forward",
        lambda tokens, *a, **k: seen.append(tokens.shape[1]) or forward(tokens, *a, **k),
    )  # fmt: skip
    grouped = model.forecast(recording, start_frame=100, horizon_frames=8, samples=2)
    assert set(seen) == {3, 4}
    assert grouped.mean.shape == whole.mean.shape
    assert np.isfinite(grouped.samples).all()


def test_every_sample_draws_its_groups_anew(monkeypatch):
    model = CalmModel.random(seed=1)
    model.config = replace(model.config, dynamics=replace(model.config.dynamics, max_neurons=4))
    batches = list(forecasting._batches(model, 8, samples=6, seed=0, n_new=3))
    groups = {
        sample: frozenset(
            frozenset(neurons.tolist())
            for batch in batches
            for number, neurons in zip(batch.samples, batch.neurons, strict=True)
            if number == sample
        )
        for sample in range(6)
    }
    assert all(len(pair) == 2 for pair in groups.values())
    assert all(sorted(n for group in pair for n in group) == list(range(8))
               for pair in groups.values())  # fmt: skip
    assert len(set(groups.values())) > 1


@pytest.mark.parametrize("frame_rate_hz", [30.0, 1.7])
def test_a_resampled_forecast_follows_on_from_the_last_frame(frame_rate_hz, monkeypatch):
    # Were the decoded frames all equal to the last context frame, nothing else could come out.
    model = CalmModel.random(seed=1)
    recording = a_recording(n_frames=400, frame_rate_hz=frame_rate_hz)
    start = 300
    last = prepare_context(model, recording, start).units[:, -1:]

    def constant(_model, tokens, n_prefix):
        yield Progress(0, 1, "")
        return np.repeat(last, (tokens.shape[1] - n_prefix) * 4, axis=1)

    monkeypatch.setattr(forecasting, "_decode_steps", constant)
    forecast = model.forecast(recording, start_frame=start, horizon_frames=9, samples=1)
    expected = last * forecast.scale[:, None] + forecast.centre[:, None]
    np.testing.assert_allclose(forecast.mean, np.repeat(expected, 9, axis=1), rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_tokens_do_not_depend_on_the_unit(model, unit):
    recording = a_recording()
    scaled = Recording(recording.traces * unit, frame_rate_hz=6.0)
    same = model.tokenize(recording).tokens == model.tokenize(scaled).tokens
    assert same.mean() > 0.99


def test_a_request_too_large_for_memory_is_refused(model):
    with pytest.raises(CalmError, match="fewer samples or a shorter horizon"):
        model.forecast(a_recording(), start_frame=100, horizon_frames=10**9)


def test_the_context_is_the_recordings_own_frames_inside_the_rate_range(model):
    recording = a_recording()
    context = prepare_context(model, recording, 100)
    np.testing.assert_allclose(
        context.normalisation.undo(context.units), recording.traces[:, 52:100], atol=1e-5
    )


def test_a_slower_model_sees_means_over_its_longer_frames(model):
    recording = a_recording(n_frames=400, frame_rate_hz=30.0)
    context = prepare_context(model, recording, 301)
    assert model.model_rate_hz(30.0) == 10.0
    newest = recording.traces[:, 298:301].mean(axis=1)
    np.testing.assert_allclose(
        context.normalisation.undo(context.units)[:, -1], newest, atol=1e-5
    )


def test_token_maps_cover_the_recording(model):
    recording = a_recording(n_frames=302)
    tokens = model.tokenize(recording)
    assert tokens.tokens.shape == (7, 76)  # the last token is filled up
    np.testing.assert_array_equal(tokens.token_of_frame(), np.arange(302) // 4)
    assert tokens.used_codes > 3


def test_token_maps_know_the_recordings_time_base(model):
    tokens = model.tokenize(a_recording(n_frames=600, frame_rate_hz=30.0))
    assert tokens.token_duration_s == pytest.approx(0.4)
    np.testing.assert_array_equal(tokens.token_of_frame(), np.arange(600) // 12)


def test_the_first_context_is_tokenised_like_the_context_of_a_forecast(model):
    recording = a_recording()
    context = prepare_context(model, recording, 48)
    expected = model.tokenizer.tokenize(torch.as_tensor(context.units))
    np.testing.assert_array_equal(model.tokenize(recording).tokens[:, :12], expected)


@pytest.mark.parametrize("frame_rate_hz", [6.0, 30.0])
def test_a_recording_shorter_than_one_context_is_refused(model, frame_rate_hz):
    needed = model.context_frames_of(frame_rate_hz)
    short = a_recording(n_frames=needed - 1, frame_rate_hz=frame_rate_hz)
    for job in (
        lambda: model.tokenize(short),
        lambda: model.forecast(short, start_frame=needed - 1, horizon_frames=4),
    ):
        with pytest.raises(
            RecordingError, match=f"{needed - 1} frames are shorter .* {needed}"
        ):
            job()


@pytest.mark.parametrize("start_frame", [-1, 0, 47, 301])
def test_a_start_outside_the_recording_is_refused(model, start_frame):
    with pytest.raises(RecordingError, match="from 48 to 300"):
        model.forecast(a_recording(), start_frame=start_frame, horizon_frames=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon_frames": 0}, "horizon is 0"),
        ({"samples": -1}, "samples is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**70}, "seed is"),
        ({"neuron_ids": np.zeros(7, int)}, "has 0 rows"),
        ({"session_id": 3}, "has 0 rows"),
    ],
)
def test_impossible_requests_are_refused(model, settings, message):
    settings = {"horizon_frames": 4, "start_frame": 100} | settings
    with pytest.raises(CalmError, match=message):
        model.forecast(a_recording(), **settings)


def test_a_neuron_silent_before_the_start_keeps_the_forecast_finite(model):
    recording = a_recording()
    traces = recording.traces.copy()
    traces[2, :150] = 0.0
    silent = Recording(traces, frame_rate_hz=6.0)
    forecast = model.forecast(silent, start_frame=120, horizon_frames=12, samples=4)
    assert np.abs(forecast.samples[:, 2]).max() < 10


def test_progress_rises_to_its_total(model):
    steps = model.forecast_steps(a_recording(), start_frame=100, horizon_frames=40, samples=4)
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration:
            break
    assert all(isinstance(p, Progress) and 0 <= p.done <= p.total for p in seen)
    assert seen[-1].fraction == 1.0
    for stage in {p.stage for p in seen}:
        done = [p.done for p in seen if p.stage == stage]
        assert done == sorted(done)


def test_gradients_stay_switched_on_for_the_caller(model):
    steps = model.forecast_steps(a_recording(), start_frame=100, horizon_frames=8, samples=1)
    next(steps)
    assert torch.is_grad_enabled()
