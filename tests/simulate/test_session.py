import time

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.simulate.session import random_stream, simulate_cohort, simulate_session

SMALL = {"n_neurons": 20, "n_trials": 3}


def test_the_same_seed_gives_the_same_session():
    a, b = (simulate_session(seed=5, animal=1, session=2, **SMALL) for _ in range(2))
    np.testing.assert_array_equal(a.recording.traces, b.recording.traces)
    pd.testing.assert_frame_equal(a.recording.behaviour, b.recording.behaviour)
    pd.testing.assert_frame_equal(a.recording.trials, b.recording.trials)
    pd.testing.assert_frame_equal(a.truth.tuning, b.truth.tuning)


@pytest.mark.parametrize("other", [{"seed": 6}, {"animal": 1}, {"session": 1}])
def test_another_seed_animal_or_session_behaves_differently(other):
    a = simulate_session(**{"seed": 5} | SMALL)
    b = simulate_session(**{"seed": 5} | SMALL | other)
    n_frames = min(a.recording.n_frames, b.recording.n_frames)
    pitch = [
        s.recording.behaviour["velocity_pitch_mm_per_s"].to_numpy()[:n_frames] for s in (a, b)
    ]
    assert not np.array_equal(*pitch)
    assert not np.array_equal(*(s.recording.traces[:, :n_frames] for s in (a, b)))


def test_streams_of_different_keys_differ():
    keys = [(), (0,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 0)]
    draws = [random_stream(0, *key).random() for key in keys]
    assert len(set(draws)) == len(keys)


def test_sessions_of_one_animal_share_their_tuning_with_some_drift():
    sessions = [
        simulate_session(animal=0, session=s, n_neurons=80, n_trials=2) for s in range(3)
    ]
    other = simulate_session(animal=1, n_neurons=80, n_trials=2)
    first, second, third = (s.truth.tuning["weight_cue"] for s in sessions)
    for session in sessions[1:]:
        np.testing.assert_array_equal(session.truth.group, sessions[0].truth.group)
    assert not np.array_equal(first, second)
    assert np.corrcoef(first, second)[0, 1] > 0.95
    assert np.corrcoef(first, other.truth.tuning["weight_cue"])[0, 1] < 0.5
    # Drift adds up.
    assert (third - first).abs().sum() > (second - first).abs().sum()


def test_traces_are_truth_plus_drift_plus_noise_of_the_stated_size():
    session = simulate_session(n_neurons=60, n_trials=20)
    truth = session.truth
    noise = session.recording.traces - truth.dff - truth.drift_dff
    np.testing.assert_allclose(noise.std(axis=1), truth.noise_dff, rtol=0.1)
    lag_one = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
    assert abs(lag_one) < 0.02


def test_noise_lies_around_the_parameter_over_animals():
    sizes = [
        simulate_session(animal=a, noise_dff=0.2, **SMALL).truth.noise_dff for a in range(40)
    ]
    assert np.exp(np.log(sizes).mean()) == pytest.approx(0.2, rel=0.1)
    assert np.std([np.median(size) for size in sizes]) > 0.01


def test_drift_has_the_stated_size_and_can_be_switched_off():
    with_drift = simulate_session(n_neurons=100, n_trials=40, drift_dff=0.3)
    size = np.sqrt((with_drift.truth.drift_dff**2).mean())
    assert size == pytest.approx(0.3, rel=0.4)
    assert (simulate_session(drift_dff=0.0, **SMALL).truth.drift_dff == 0).all()


def test_spikes_follow_the_rates():
    truth = simulate_session(n_neurons=100, n_trials=20).truth
    expected = truth.rates_hz.sum(axis=1) / 6.0
    np.testing.assert_allclose(truth.spikes.sum(), expected.sum(), rtol=0.02)
    assert np.all(np.abs(truth.spikes.sum(axis=1) - expected) < 5 * np.sqrt(expected))
    # Rates differ between neurons, as they do in cortex.
    assert np.std(np.log(truth.rates_hz.mean(axis=1))) > 0.3


def test_truth_and_tables_have_the_shape_of_the_recording():
    session = simulate_session(n_neurons=7, n_trials=2)
    recording, truth = session.recording, session.truth
    shape = recording.traces.shape
    assert truth.rates_hz.shape == truth.spikes.shape == truth.dff.shape == shape
    assert truth.group.shape == truth.noise_dff.shape == (7,)
    assert len(truth.tuning) == 7
    assert list(truth.tuning["group"]) == list(truth.group)
    assert truth.latents.shape[1] == len(recording.behaviour) == recording.n_frames
    assert len(recording.trials) == 2
    assert recording.trials["stop_frame"].max() <= recording.n_frames


def test_the_fast_indicator_gives_shorter_transients():
    def memory(indicator):
        dff = simulate_session(indicator=indicator, n_neurons=30, n_trials=5).truth.dff
        centered = dff - dff.mean(axis=1, keepdims=True)
        return (centered[:, 3:] * centered[:, :-3]).mean() / centered.var()

    assert memory("gcamp6s") > memory("gcamp6f") + 0.1


def test_a_cohort_gives_every_session_of_every_animal_and_matches_single_sessions():
    cohort = list(
        simulate_cohort(seed=2, n_animals=2, n_sessions=2, n_neurons=(5, 30), n_trials=1)
    )
    assert [(s.animal, s.session) for s in cohort] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    counts = [s.recording.n_neurons for s in cohort]
    assert counts[0] == counts[1] != counts[2] == counts[3]
    assert all(5 <= count <= 30 for count in counts)
    alone = simulate_session(seed=2, animal=1, session=1, n_neurons=counts[3], n_trials=1)
    np.testing.assert_array_equal(cohort[3].recording.traces, alone.recording.traces)


def test_200_neurons_and_20_trials_take_less_than_a_second():
    start = time.perf_counter()
    simulate_session(n_neurons=200, n_trials=20)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_neurons": 0}, "n_neurons is 0"),
        ({"n_trials": -1}, "n_trials is -1"),
        ({"seed": -3}, "seed is -3"),
        ({"noise_dff": -0.1}, "noise_dff is -0.1"),
        ({"accuracy": 1.2}, "accuracy is 1.2"),
        ({"indicator": "gcamp9"}, "gcamp9"),
        ({"saturation_dff": 0.0}, "saturation_dff is 0.0"),
        ({"mixed_selectivity": -1.0}, "mixed_selectivity is -1.0"),
        ({"group_shares": {"place": 1}}, "unknown functional group place"),
        ({"group_shares": {"cue": 0}}, "not all 0"),
    ],
)
def test_parameters_out_of_range_are_named(wrong, message):
    with pytest.raises(CalmError, match=message):
        simulate_session(**wrong)


def test_a_frame_rate_of_zero_is_refused():
    with pytest.raises(RecordingError, match="0 Hz"):
        simulate_session(frame_rate_hz=0.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_neurons": (9, 3)}, r"\(9, 3\)"),
        ({"n_animals": 0}, "n_animals is 0"),
        ({"n_sessions": 0}, "n_sessions is 0"),
    ],
)
def test_cohort_parameters_out_of_range_are_named(wrong, message):
    with pytest.raises(CalmError, match=message):
        next(simulate_cohort(**wrong))
