"""Trials, references, oracles and models of the simulated benchmark see what they may."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.core.forecast import Forecast
from napari_calm.preprocess.smooth import smooth_causally
from napari_calm.simulate.session import simulate_session
from napari_calm.simulate.tuning import firing_rates_hz

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_on_path():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def module(name):
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def session():
    return simulate_session(seed=9000, n_neurons=8, n_trials=20)


@pytest.fixture(scope="module")
def parts(session):
    """Training, validation and test trials of the session, z-scored."""
    trials_of = module("simulated_trials")
    trials = trials_of.cut_trials(session.recording.traces, session.recording.trials)
    training, validation, test = trials_of.split_trials(20, "chronological")
    z = trials.in_units_of(trials.select(training))
    return z.select(training), z.select(validation), z.select(test)


def toy_trials(lengths=(40, 41, 44), cues=("left", "right", "left")):
    """Trials of one neuron whose values begin at 0, 100 and 400 and rise by 1 a frame."""
    frames = np.full((len(lengths), 1, 100), np.nan)
    for number, length in enumerate(lengths):
        frames[number, 0, :length] = 100 * number**2 + np.arange(length)
    return module("simulated_trials").Trials(frames, np.array(cues))


class LastFrames:
    """A stand-in for a model: says the mean and the last value of all that it may see."""

    name = "last frames"

    def context_frames_of(self, frame_rate_hz):
        return 48

    def forecast(self, recording, *, start_frame, horizon_frames, samples, statistics_until):
        assert statistics_until <= start_frame
        seen = recording.traces[:, :start_frame]
        mean = np.linspace(seen[:, -1], seen.mean(axis=1), horizon_frames, axis=1)
        return Forecast(
            mean=mean,
            quantiles=np.empty((0, *mean.shape)),
            quantile_levels=np.empty(0),
            samples=mean[None],
            start_frame=start_frame,
            frame_rate_hz=6.0,
            centre=np.zeros(len(mean)),
            scale=np.ones(len(mean)),
        )


def test_trials_are_smoothed_from_their_own_first_frame_on(session):
    recording = session.recording
    trials = module("simulated_trials").cut_trials(recording.traces, recording.trials)
    start, stop = recording.trials.loc[3, ["start_frame", "stop_frame"]]
    value = recording.traces[5, start].astype(float)
    for frame in range(min(stop - start, 100)):
        value = 0.15 * recording.traces[5, start + frame] + 0.85 * value
        assert trials.frames[3, 5, frame] == pytest.approx(value, abs=1e-5)
    assert np.isnan(trials.frames[3, 5, stop - start :]).all()


def test_a_trial_without_a_future_is_refused():
    table = pd.DataFrame({"start_frame": [0], "stop_frame": [38], "cue": ["left"]})
    with pytest.raises(RecordingError, match="38 frames"):
        module("simulated_trials").cut_trials(np.zeros((2, 50)), table)


def test_splits_share_no_trial_and_the_chronological_one_keeps_the_order():
    split_trials = module("simulated_trials").split_trials
    for how in ("shuffled", "chronological"):
        parts = split_trials(40, how)
        assert [len(part) for part in parts] == [28, 6, 6]
        assert sorted(np.concatenate(parts)) == list(range(40))
    assert list(np.concatenate(split_trials(40, "chronological"))) == list(range(40))


def test_score_is_pearson_within_the_trial_and_a_constant_scores_zero(parts):
    truth = parts[2].future
    rng = np.random.default_rng(0)
    forecast = rng.normal(size=truth.shape)
    expected = [
        np.mean(
            [
                np.corrcoef(f[ok], t[ok])[0, 1]
                for f, t in zip(forecast[i], truth[i], strict=True)
            ]
        )
        for i in range(len(truth))
        for ok in [np.isfinite(truth[i, 0])]
    ]
    within_trial_r = module("simulated_trials").within_trial_r
    assert within_trial_r(forecast, truth) == pytest.approx(expected)
    assert within_trial_r(np.full_like(truth, 3.0), truth) == pytest.approx(0, abs=1e-9)


def test_psth_is_the_mean_of_the_trials_that_still_run():
    average = module("simulated_references").trial_average(toy_trials())[0]
    assert average[39] == (39 + 139 + 439) / 3
    assert average[40] == (140 + 440) / 2
    assert average[43] == 443
    assert average[99] == 443  # over: the last value stays


def test_cue_psth_is_the_mean_over_training_trials_with_that_cue():
    references = module("simulated_references")
    cue = np.array(["right", "left", "unseen"])
    forecast = references.cue_psth(toy_trials(), None, np.zeros((3, 1, 36)), cue)
    assert forecast[0, 0, 0] == 136
    assert forecast[1, 0, 0] == (36 + 436) / 2
    assert forecast[2, 0, 0] == (36 + 136 + 436) / 3


def test_level_correction_follows_the_context():
    references = module("simulated_references")
    plain = toy_trials()
    context = plain.context + 7
    forecast = references.cue_psth_at_level(plain, None, context[1:2], plain.cue[1:2])
    assert forecast[0, 0, 0] == pytest.approx(136 + 7)


def test_linear_references_find_a_linear_law():
    trials_of, references = module("simulated_trials"), module("simulated_references")
    rng = np.random.default_rng(0)
    turn = 0.995 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    frames = np.empty((24, 2, 100))
    frames[..., 0] = rng.normal(size=(24, 2))
    for frame in range(1, 100):
        frames[..., frame] = frames[..., frame - 1] @ turn.T
    trials = trials_of.Trials(1000 * frames, np.repeat("left", 24))
    training, test = trials.select(np.arange(20)), trials.select(np.arange(20, 24))
    found = references.population_ridge(training, training, test.context, test.cue)
    assert np.abs(found - test.future).max() < 0.02 * np.abs(test.future).max()
    alone = references.autoregression(training, training, test.context, test.cue)
    assert trials_of.trial_mse(alone, test.future).mean() > 100


def test_references_are_fitted_within_trials_and_do_not_know_test_futures(parts):
    references = module("simulated_references")
    training, validation, test = parts
    frames = test.frames.copy()
    frames[..., 36:] = 1e6
    changed = replace(test, frames=frames)
    for name, reference in references.REFERENCES.items():
        forecast = reference(training, validation, test.context, test.cue)
        assert forecast.shape == test.future.shape, name
        assert np.isfinite(forecast).all(), name
        again = reference(training, validation, changed.context, changed.cue)
        np.testing.assert_array_equal(forecast, again, err_msg=name)


def test_oracle_knows_the_rates_and_is_perfect_without_noise():
    trials_of, oracles = module("simulated_trials"), module("simulated_oracles")
    clean = simulate_session(seed=9001, n_neurons=8, n_trials=10, noise_dff=0.0)
    oracle = oracles.Oracle(clean)
    recording, truth = clean.recording, clean.truth
    rates = firing_rates_hz(
        oracle.population, oracle.features, truth.latents, recording.behaviour
    )
    np.testing.assert_allclose(rates, truth.rates_hz)
    trials = trials_of.cut_trials(recording.traces, recording.trials)
    start, stop = trials_of.kept_frames(recording.trials)[4]
    raw = oracle.fluorescence(start, stop)
    smoothed = trials_of.continue_smoothing(trials.context[4], raw)[None]
    future = trials.future[4:5, :, : stop - start]
    assert trials_of.within_trial_r(smoothed, future) == pytest.approx(1, abs=1e-6)


def test_expected_fluorescence_is_the_mean_over_spikes_and_latents():
    oracles = module("simulated_oracles")
    session = simulate_session(seed=9002, n_neurons=12, n_trials=40, latent_strength=0.35)
    oracle = oracles.Oracle(session)
    limits = module("simulated_trials").kept_frames(session.recording.trials)
    truth, expected = (
        np.concatenate([of(int(a), int(b)) for a, b in limits], axis=1)
        for of in (oracle.fluorescence, oracle.given_behaviour)
    )
    # Unbiased, and closer to what happened than each neuron's own mean.
    spread = truth.std(axis=1)
    assert np.abs((expected - truth).mean(axis=1) / spread).max() < 0.2
    assert ((expected - truth) ** 2).mean() < 0.6 * truth.var(axis=1).mean()


def test_oracle_without_foresight_does_not_know_later_frames(session):
    oracles = module("simulated_oracles")
    start, stop = (
        int(f) for f in module("simulated_trials").kept_frames(session.recording.trials)[2]
    )
    known = oracles.Oracle(session)
    behaviour = session.recording.behaviour.copy()
    behaviour.loc[start:, "position_cm"] = 0.0
    spikes = session.truth.spikes.copy()
    spikes[:, start:] = 9
    changed = replace(
        session,
        recording=replace(session.recording, behaviour=behaviour),
        truth=replace(session.truth, spikes=spikes),
    )
    other = oracles.Oracle(changed)
    # The law of the latents is that of the simulator, not something seen in this trial.
    other.__dict__.update(latent_law=known.latent_law, features=known.features)
    np.testing.assert_array_equal(
        known.without_foresight(start, stop, "left"),
        other.without_foresight(start, stop, "left"),
    )


def test_model_frames_take_the_checkpoints_smoothing_back(session):
    start, stop = 300, 340
    raw = session.recording.traces[:, start:stop].astype(float)

    class Smoothing(LastFrames):
        def forecast(self, recording, **request):
            smoothed = smooth_causally(recording.traces.astype(float), 0.3)[:, start:stop]
            return replace(
                super().forecast(recording, **request),
                mean=smoothed, samples=smoothed[None], smoothing_alpha=0.3,
            )  # fmt: skip

    found = module("simulated").model_frames(
        Smoothing(), session.recording, start, stop, samples=0, statistics_until=900
    )
    np.testing.assert_allclose(found, raw, atol=1e-4)


@pytest.mark.parametrize("how", ["shuffled", "chronological"])
def test_no_method_but_the_oracles_knows_a_frame_after_its_start(session, how):
    benchmark, trials_of = module("simulated"), module("simulated_trials")
    table = session.recording.trials
    last = trials_of.split_trials(20, how)[2].max()
    start = trials_of.kept_frames(table)[last, 0]
    traces = session.recording.traces.copy()
    traces[:, start : table["stop_frame"][last]] += 50
    changed = replace(session, recording=replace(session.recording, traces=traces))
    before, after = (
        benchmark.forecasts(one, [LastFrames()], how) for one in (session, changed)
    )
    number = list(trials_of.split_trials(20, how)[2]).index(last)
    for name, forecast in before.items():
        if name == "truth":
            assert (after[name][number] - forecast[number])[:, 0].min() > 1
        else:
            np.testing.assert_array_equal(forecast[number], after[name][number], err_msg=name)


def test_report_tells_every_method_and_its_gap_to_the_ceiling(tmp_path, monkeypatch, capsys):
    benchmark = module("simulated")
    monkeypatch.setattr(benchmark, "load_model", lambda name: LastFrames())
    command = ["--model", "any", "--sessions", "2", "--neurons", "5", "--trials", "14", "--out"]
    assert benchmark.main([*command, str(tmp_path)]) == 0
    tables = (tmp_path / "simulated.md").read_text()
    assert tables in capsys.readouterr().out
    report = json.loads((tmp_path / "simulated.json").read_text())
    for how in ("shuffled", "chronological"):
        scores = report["scores"][how]
        assert {"last frames", "cue-PSTH", "population ridge"} < set(scores)
        mean = {name: np.mean([np.mean(one["r"]) for one in s]) for name, s in scores.items()}
        assert f"| last frames | {mean['last frames']:.3f} (" in tables
        gap = report["gaps"][how]["last frames"]["oracle: no foresight"][0]
        assert gap == pytest.approx(mean["last frames"] - mean["oracle: no foresight"])
    for name in ("simulated_over_time.png", "simulated_example.png"):
        assert (tmp_path / name).stat().st_size > 10_000


def test_seeds_of_trainings_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        module("simulated").main(["--out", str(tmp_path), "--seed", "100"])
    assert "below 9000" in capsys.readouterr().err
