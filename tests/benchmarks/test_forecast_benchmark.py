"""The forecast benchmark scores what it says, and nothing leaks."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from napari_calm.analysis import references
from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.forecast import Forecast
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import forecast as benchmark  # noqa: E402
import forecast_report as report  # noqa: E402
from forecast_methods import (  # noqa: E402
    Asking,
    ask,
    model_methods,
    reference_methods,
    scratch_methods,
)
from forecast_protocol import SETTINGS, at_most, make_task, read_traces  # noqa: E402
from forecast_scores import (  # noqa: E402
    Prediction,
    difference,
    interval,
    normal_crps,
    pearson,
    quantile_crps,
    quantile_crps_bias,
    scores,
)

STANDARD = SETTINGS["standard"]


def walk(n_neurons=3, n_frames=300, seed=0, name="walk"):
    steps = np.random.default_rng(seed).normal(size=(n_neurons, n_frames))
    return Recording(np.cumsum(steps, axis=1), 4.0, name)


class LastPlusOne:
    """Forecasts the last frame plus one, with fixed quantiles around it."""

    name = "fake"
    forecast_head = object()
    config = SimpleNamespace(
        trained_on=("seen",),
        preprocessing=SimpleNamespace(smoothing_alpha=1.0, context_frames=48),
        to_dict=dict,
    )

    def state_dict(self):
        return {}

    def forecast(self, recording, *, start_frame, horizon_frames, **_asking):
        last = np.repeat(recording.traces[:, start_frame - 1 : start_frame], horizon_frames, 1)
        mean = last + 1
        levels = np.array([0.05, 0.5, 0.95])
        ones = np.ones(recording.n_neurons)
        return Forecast(
            mean, mean + np.array([-2.0, 0.0, 2.0])[:, None, None], levels, mean[None],
            start_frame, recording.frame_rate_hz, 0 * ones, ones,
        )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for number, name in enumerate(("seen", "new_a", "new_b")):
        recording = walk(seed=number)
        np.savez(folder / f"{name}.npz", traces=recording.traces, fps=4.0)
    return folder


@pytest.fixture
def results(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "load_model", lambda name: LastPlusOne())
    cheap = [method for method in reference_methods() if method.name in ("copy last", "AR")]
    monkeypatch.setattr(benchmark, "reference_methods", lambda: cheap)
    arguments = ["--data", str(data), "--out", str(tmp_path), "--model", "fake"]
    arguments += ["--settings", "standard"]

    def run():
        assert benchmark.main(arguments) == 0
        printed = capsys.readouterr().out
        return json.loads((tmp_path / "forecast.json").read_text()), printed, tmp_path

    return run


def test_the_table_of_errors_is_what_a_hand_calculation_gives(data, results):
    result, printed, out = results()
    by_hand = {}
    for name in ("new_a", "new_b", "seen"):
        traces = np.load(data / f"{name}.npz")["traces"].astype(float)
        part = traces[:, :210]
        z = (traces - part.mean(1, keepdims=True)) / part.std(1, keepdims=True)
        errors = [
            [((z[:, s + h] - z[:, s - 1] - 1) ** 2).mean() for h in range(16)]
            for s in np.linspace(210, 284, 24).astype(int)
        ]
        by_hand[name] = np.mean(errors, axis=0)
    found = {
        each["name"]: each["methods"]["fake zero-shot"]["mse"] for each in result["recordings"]
    }
    for name, expected in by_hand.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-4)
    held_out = (by_hand["new_a"] + by_hand["new_b"]) / 2
    cells = [f"{held_out[frame - 1]:.3f}" for frame in (1, 4, 8, 16)]
    row = f"| fake zero-shot | 2 | {' | '.join(cells)} | **{held_out.mean():.3f}** "
    assert row in printed
    assert f"| fake zero-shot | 1 | {by_hand['seen'][0]:.3f} |" in printed
    assert "held out" in printed
    assert "training part seen" in printed
    assert {path.name for path in out.glob("*.png")} == {
        "forecast_horizon.png", "forecast_reliability.png", "forecast_examples.png",
    }  # fmt: skip


def test_a_second_run_takes_what_is_known_and_scores_a_changed_recording_anew(
    data, results, monkeypatch
):
    monkeypatch.setattr(benchmark, "draw_figures", lambda result, out: None)
    first, printed, _ = results()
    assert "AR MSE" in printed
    second, printed, _ = results()
    assert "AR MSE" not in printed
    assert first["recordings"] == second["recordings"]
    np.savez(data / "new_b.npz", traces=walk(seed=9).traces, fps=4.0)
    third, _, _ = results()
    for before, after in zip(second["recordings"], third["recordings"], strict=True):
        same = before["methods"]["AR"]["mse"] == after["methods"]["AR"]["mse"]
        assert same == (before["name"] != "new_b")


def test_a_model_that_cannot_forecast_is_reported_with_its_reason(data, results, monkeypatch):
    def refuse(self, recording, **_asking):
        raise CalmError("the context is too short")

    monkeypatch.setattr(benchmark, "draw_figures", lambda result, out: None)
    monkeypatch.setattr(LastPlusOne, "forecast", refuse)
    _, printed, _ = results()
    assert "fake zero-shot, standard setting" in printed
    assert "the context is too short" in printed


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_frames_after_a_start_change_no_forecast_from_it(setting, monkeypatch):
    # What is chosen from does not matter here, and fewer choices are quicker.
    monkeypatch.setattr(references, "PENALTIES", (1.0, 100.0))
    monkeypatch.setattr(references, "COMPONENTS", (2,))
    recording = walk(4, 300)
    methods = [
        *reference_methods(),
        *model_methods(CalmModel.random(), Asking(samples=1), adapted=False, tenth=False),
    ]
    task = make_task(recording, "any", setting, n_starts=3)
    start = int(task.starts[1])
    traces = recording.traces.copy()
    traces[:, start:] = 100 * np.random.default_rng(1).normal(size=traces[:, start:].shape)
    changed = make_task(Recording(traces, 4.0, "changed"), "any", setting, n_starts=3)
    assert not np.allclose(task.truth[1], changed.truth[1])
    for method in methods:
        before, after = method.predict(task), method.predict(changed)
        for number in (0, 1):
            np.testing.assert_array_equal(before.mean[number], after.mean[number])
            np.testing.assert_array_equal(
                before.quantiles[:, number], after.quantiles[:, number]
            )
        if method.name != "mean":
            assert not np.allclose(before.mean[2], after.mean[2])


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_test_part_frames_change_nothing_that_is_fitted(setting):
    recording = walk(4, 400)
    task = make_task(recording, "any", setting, n_starts=3)
    traces = recording.traces.copy()
    traces[:, task.n_training :] *= -3
    changed = make_task(Recording(traces, 4.0, "changed"), "any", setting, n_starts=3)
    np.testing.assert_array_equal(task.training, changed.training)
    assert task.training.std(axis=1) == pytest.approx(1, abs=1e-4)


def test_targets_lie_in_the_test_part_and_contexts_may_reach_back():
    task = make_task(walk(n_frames=300), "any", STANDARD, n_starts=24)
    assert task.n_training == 210
    assert (task.starts[0], task.starts[-1], len(task.starts)) == (210, 300 - 16, 24)
    np.testing.assert_array_equal(task.contexts[0], task.target.traces[:, 210 - 48 : 210])
    np.testing.assert_array_equal(task.truth[-1], task.target.traces[:, -16:])
    with pytest.raises(RecordingError, match="leave 35 for training and 15"):
        make_task(walk(n_frames=50), "any", STANDARD, n_starts=24)


def test_the_paper_setting_scores_smoothed_traces():
    recording = walk(n_frames=400)
    task = make_task(recording, "any", SETTINGS["paper"], n_starts=3)
    smoothed = recording.traces.astype(float).copy()
    for t in range(1, 400):
        smoothed[:, t] = 0.15 * smoothed[:, t] + 0.85 * smoothed[:, t - 1]
    part = smoothed[:, : task.n_training]
    expected = (smoothed - part.mean(1, keepdims=True)) / part.std(1, keepdims=True)
    np.testing.assert_allclose(task.target.traces, expected, atol=1e-4)
    raw = task.unsmoothed.traces
    by_itself = raw.astype(float).copy()
    for t in range(1, 400):
        by_itself[:, t] = 0.15 * by_itself[:, t] + 0.85 * by_itself[:, t - 1]
    np.testing.assert_allclose(by_itself, expected, atol=1e-4)


def test_the_rate_is_brought_down_by_whole_numbers_of_frames(tmp_path):
    fast = Recording(np.random.default_rng(0).normal(size=(2, 301)), 12.5)
    slow = at_most(fast, 6.2)
    assert slow.frame_rate_hz == pytest.approx(12.5 / 3)
    np.testing.assert_allclose(slow.traces[:, 0], fast.traces[:, 1:4].mean(axis=1), rtol=1e-5)
    traces = np.vstack([fast.traces, np.full((1, 301), np.nan), np.ones((1, 301))])
    np.savez(tmp_path / "unknown.npz", traces=traces, fps=np.nan)
    recording, assumed = read_traces(tmp_path / "unknown.npz", default_rate_hz=2.0)
    assert (recording.n_neurons, recording.frame_rate_hz, assumed) == (2, 2.0, True)


def test_models_are_asked_with_statistics_of_the_training_part_only():
    asked = []

    class Noting(LastPlusOne):
        def forecast(self, recording, **asking):
            asked.append(asking)
            return super().forecast(recording, **asking)

    task = make_task(walk(), "any", STANDARD, n_starts=2)
    ask(Noting(), task, Asking())
    assert [each["start_frame"] for each in asked] == [210, 284]
    assert {each["statistics_until"] for each in asked} == {210}


def test_adapting_and_training_anew_get_the_training_part_or_its_last_tenth(monkeypatch):
    given = []

    def adapt(model, recording, *, from_frame, until_frame, seed):
        given.append((from_frame, until_frame))
        return SimpleNamespace(apply=lambda model: model, helped=False)

    def pretrain(config, folder, *, recordings):
        (part,) = recordings
        given.append(part.traces)
        return LastPlusOne()

    monkeypatch.setattr("napari_calm.train.adapt.adapt", adapt)
    monkeypatch.setattr("napari_calm.train.pretrain.pretrain", pretrain)
    task = make_task(walk(), "any", STANDARD, n_starts=2)
    config_file = ROOT / "tests" / "data" / "tiny.toml"
    predictions = [
        method.predict(task)
        for method in (
            *model_methods(LastPlusOne(), Asking(), adapted=True, tenth=True),
            *scratch_methods(config_file, Asking(), tenth=True),
        )
    ]
    assert given[:2] == [(0, 210), (189, 210)]
    np.testing.assert_array_equal(given[2], task.target.traces[:, :210])
    np.testing.assert_array_equal(given[3], task.target.traces[:, 189:210])
    assert "did not help" in predictions[1].note
    assert "did not help" not in predictions[0].note


def test_crps_of_a_normal_distribution_is_the_integral_of_its_definition():
    for truth, mean, sd in ((0.3, 0.0, 1.0), (-2.0, 1.0, 0.5)):
        below = quad(lambda x, m=mean, s=sd: norm.cdf(x, m, s) ** 2, -9, truth)[0]
        above = quad(lambda x, m=mean, s=sd: norm.sf(x, m, s) ** 2, truth, 9)[0]
        found = normal_crps(np.array(truth), np.array(mean), np.array(sd))
        assert found == pytest.approx(below + above, rel=1e-4)


def test_crps_of_many_quantiles_is_that_of_their_distribution():
    levels = (np.arange(999) + 0.5) / 999
    truth = np.array([-1.0, 0.2, 3.0])
    quantiles = norm.ppf(levels)[:, None].repeat(3, axis=1)
    exact = normal_crps(truth, np.zeros(3), np.ones(3))
    np.testing.assert_allclose(quantile_crps(truth, quantiles, levels), exact, rtol=2e-3)
    assert abs(quantile_crps_bias(levels)) < 1e-3


def test_a_true_band_covers_what_it_should_and_is_reliable():
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(24, 30, 16))
    truth = mean + 2 * rng.normal(size=mean.shape)
    found = scores(truth, Prediction.normal(mean, np.full(mean.shape[1:], 2.0)))
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.01)
    np.testing.assert_allclose(found["share_below"], found["levels"], atol=0.01)
    no_band = Prediction(mean, mean[None], np.array([0.5]))
    assert scores(truth, no_band)["coverage_90"] is None


def test_pearson_is_numpys_and_a_constant_counts_as_zero():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 50))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(pearson(a, b), expected)
    assert pearson(a, np.full_like(b, 0.1)).tolist() == [0, 0, 0]


def test_intervals_are_of_recordings_drawn_in_pairs():
    mine = np.array([1.0, 2.0, 3.0, 10.0])
    estimate, low, high = difference(0.9 * mine, mine)
    assert (estimate, low, high) == pytest.approx((-10, -10, -10))
    low, high = interval(np.random.default_rng(0).normal(size=400))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.1)
    assert np.isnan(difference(mine[:1], mine[:1])[1])


def test_the_horizons_shown_end_with_the_last_frame():
    assert report.shown_frames(16) == [1, 4, 8, 16]
    assert report.shown_frames(64) == [1, 16, 32, 48, 64]


def test_references_of_a_real_recording_beat_copying_its_last_frame():
    folder = Path(os.environ.get("CALM_DATA", ROOT.parent / "shared" / "data")) / "zebrafish"
    file = folder / "fish6.npz"
    if not file.exists():
        pytest.skip(f"{file} is not there; set CALM_DATA to the folder of real recordings.")
    task = make_task(read_traces(file, 4.0)[0], "zebrafish", STANDARD, 24)
    errors = {
        method.name: np.mean((method.predict(task).mean - task.truth) ** 2)
        for method in reference_methods()
        if method.name in ("copy last", "AR", "pooled linear")
    }
    assert errors["pooled linear"] < errors["AR"] < errors["copy last"]
