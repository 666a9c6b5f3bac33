import numpy as np
import pytest

from napari_calm.analysis.references import (
    REFERENCES,
    Autoregression,
    CopyLast,
    Mean,
    PcaVar,
    PooledLinear,
    PopulationRidge,
)
from napari_calm.core.errors import CalmError

CONTEXT, HORIZON = 20, 6
LENGTHS = {"context_frames": CONTEXT, "horizon_frames": HORIZON}


def linear_process(coefficients, n_frames, noise, seed=0):
    """x[t] = sum over lags of coefficients[lag] @ x[t - 1 - lag] + noise, (neurons, frames)."""
    rng = np.random.default_rng(seed)
    n_neurons = len(coefficients[0])
    frames = list(rng.normal(size=(len(coefficients), n_neurons)))
    for _ in range(n_frames):
        past = frames[: -len(coefficients) - 1 : -1]
        following = sum(
            matrix @ frame for matrix, frame in zip(coefficients, past, strict=True)
        )
        frames.append(following + noise * rng.normal(size=n_neurons))
    return np.array(frames[-n_frames:]).T


def rotations(n_pairs, turn_per_frame=0.7, decay=0.98):
    """Pairs of neurons that follow each other round: no neuron tells its own future."""
    c, s = decay * np.cos(turn_per_frame), decay * np.sin(turn_per_frame)
    return np.kron(np.eye(n_pairs), [[c, -s], [s, c]])


def windows(traces):
    starts = range(CONTEXT, traces.shape[1] - HORIZON + 1)
    contexts = np.stack([traces[:, s - CONTEXT : s] for s in starts])
    return contexts, np.stack([traces[:, s : s + HORIZON] for s in starts])


def error(reference, traces):
    contexts, futures = windows(traces)
    return ((reference.forecast(contexts) - futures) ** 2).mean()


@pytest.fixture(scope="module")
def traces():
    return np.cumsum(np.random.default_rng(1).normal(size=(5, 260)), axis=1) / 8


@pytest.mark.parametrize("centre", ["training", "context"])
def test_autoregression_is_a_least_squares_coefficient_of_each_neuron_and_horizon(
    traces, centre
):
    reference = Autoregression(traces, **LENGTHS, centre=centre)
    contexts, futures = windows(traces)
    middle = contexts.mean(axis=2) if centre == "context" else traces.mean(axis=1)[None]
    context = np.random.default_rng(2).normal(size=(5, CONTEXT))
    forecast = reference.forecast(context)
    for neuron in range(5):
        own = middle[:, min(neuron, middle.shape[1] - 1)]
        now = contexts[:, neuron, -1] - own
        mean = context[neuron].mean() if centre == "context" else traces[neuron].mean()
        for h in range(HORIZON):
            fit = np.linalg.lstsq(now[:, None], futures[:, neuron, h] - own)[0]
            expected = fit[0] * (context[neuron, -1] - mean) + mean
            assert forecast[neuron, h] == pytest.approx(expected)


def test_pooled_linear_recovers_a_linear_process_that_all_neurons_follow():
    lags = np.array([0.5, 0.0, -0.4, 0.0, 0.3])
    process = linear_process([lag * np.eye(6) for lag in lags], 1500, noise=1.0)
    training, later = process[:, :1200], process[:, 1200:]
    reference = PooledLinear(training, **LENGTHS)
    context = later[:, :CONTEXT]
    frames = list(context.T)
    for _ in range(HORIZON):
        frames.append(sum(lag * frames[-1 - i] for i, lag in enumerate(lags)))
    expected = np.array(frames[CONTEXT:]).T
    assert np.abs(reference.forecast(context) - expected).max() < 0.2
    assert error(reference, later) < 0.9 * error(Autoregression(training, **LENGTHS), later)


@pytest.mark.parametrize("kind", [PopulationRidge, PcaVar])
def test_references_of_the_population_recover_what_passes_between_neurons(kind):
    process = linear_process([rotations(3)], 900, noise=0.2)
    training, later = process[:, :700], process[:, 700:]
    contexts, futures = windows(later)
    reference = kind(training, **LENGTHS)
    best = futures.copy()
    for h in range(HORIZON):
        step = np.linalg.matrix_power(rotations(3), h + 1)
        best[..., h] = contexts[..., -1] @ step.T
    least = ((best - futures) ** 2).mean()
    assert error(reference, later) < 1.3 * least
    assert error(Autoregression(training, **LENGTHS), later) > 2 * least


def test_a_noisy_population_gets_a_stronger_penalty_than_a_clean_one():
    clean = linear_process([rotations(3)], 500, noise=0.1)
    noise = np.random.default_rng(0).normal(size=clean.shape)
    penalties = [PopulationRidge(x, **LENGTHS).penalty for x in (clean, noise)]
    assert penalties[0] < penalties[1]


def test_mean_and_copy_are_what_they_say(traces):
    context = traces[:, :CONTEXT]
    own, last = context.mean(axis=1), context[:, -1]
    for centre in ("training", "context"):
        expected = own if centre == "context" else traces.mean(axis=1)
        forecast = Mean(traces, **LENGTHS, centre=centre).forecast(context)
        np.testing.assert_allclose(forecast, np.repeat(expected[:, None], HORIZON, 1))
        copied = CopyLast(traces, **LENGTHS, centre=centre).forecast(context)
        np.testing.assert_allclose(copied, np.repeat(last[:, None], HORIZON, 1))


@pytest.mark.parametrize("name", REFERENCES)
def test_with_the_window_mean_removed_a_shift_of_a_neuron_shifts_its_forecast(traces, name):
    reference = REFERENCES[name](traces, **LENGTHS, centre="context")
    context = traces[:, 50 : 50 + CONTEXT]
    shift = np.arange(5.0)[:, None]
    shifted = reference.forecast(context + shift)
    np.testing.assert_allclose(shifted, reference.forecast(context) + shift, atol=1e-8)


@pytest.mark.parametrize("name", REFERENCES)
def test_several_windows_are_forecast_as_each_of_them(traces, name):
    reference = REFERENCES[name](traces, **LENGTHS)
    contexts, _ = windows(traces)
    together = reference.forecast(contexts[:8].reshape(2, 4, 5, CONTEXT))
    for number in range(8):
        alone = reference.forecast(contexts[number])
        np.testing.assert_allclose(together[number // 4, number % 4], alone, atol=1e-10)


@pytest.mark.parametrize("name", REFERENCES)
def test_residual_sd_is_the_error_over_the_training_windows(traces, name):
    reference = REFERENCES[name](traces, **LENGTHS)
    contexts, futures = windows(traces)
    errors = np.stack([reference.forecast(context) for context in contexts]) - futures
    np.testing.assert_allclose(reference.residual_sd, np.sqrt((errors**2).mean(axis=0)))


def test_too_short_a_training_part_is_refused(traces):
    with pytest.raises(CalmError, match="30 training frames hold 5 windows"):
        Autoregression(traces[:, :30], **LENGTHS)
    with pytest.raises(CalmError, match="context of at least 16"):
        PooledLinear(traces, context_frames=8, horizon_frames=HORIZON)
