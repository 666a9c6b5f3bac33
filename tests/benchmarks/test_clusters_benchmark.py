"""The clusters benchmark scores what it says, beside its references, and continues."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_calm.core.recording import Recording
from napari_calm.explore.partition import partition
from napari_calm.model.calm import CalmModel
from napari_calm.simulate.session import simulate_session

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_on_path():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def module(name):
    return importlib.import_module(name)


def test_the_weights_of_the_simulator_tell_its_groups_apart():
    methods, scores = module("clusters_methods"), module("clusters_scores")
    session = simulate_session(seed=22, n_neurons=40, n_trials=10)
    weights = methods.oracles(session.truth, session.recording)["true tuning weights"]
    found = scores.against_truth(weights, session.truth.group)
    assert found["true_number"] > 0.95
    labels = partition(weights, "k-means", 3)
    assert found["at_3"] == adjusted_rand_score(session.truth.group, labels)
    assert found["best_number"] == max(found[f"at_{number}"] for number in range(2, 13))


def test_halves_that_repeat_each_other_agree_and_noise_does_not(monkeypatch):
    scores = module("clusters_scores")
    rng = np.random.default_rng(0)
    half = rng.normal(size=(12, 200)) + np.repeat(rng.normal(size=(4, 200)), 3, axis=0)
    same = scores.stability_scores(Recording(np.tile(half, 2), 6.0), {})
    assert same["trace correlations"]["mean"] == 1
    noise = scores.stability_scores(Recording(rng.normal(size=(12, 400)), 6.0), {})
    assert noise["trace correlations"]["mean"] < 0.5
    assert len(same["PCA loadings"]["agreement"]) == 2  # 3 and 4 clusters of 12 neurons


def test_region_names_become_two_classes():
    region_of = module("clusters_probes").region_of
    assert region_of("vagus_motor_nucleus") == region_of("superior_raphe") == "hindbrain"
    assert region_of("olfactory_bulb") == region_of("retina") == "further in front"


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(3)
    for animal in range(2):
        shared = rng.normal(size=(4, 300)).repeat(4, axis=0)
        np.savez(
            tmp_path / f"fly{animal}.npz",
            traces=(shared + rng.normal(size=(16, 300))).astype(np.float32),
            fps=6.0,
            roi_channel=np.tile([0, 1], 8),
        )
    return tmp_path


def test_report_lists_every_recording_and_an_interrupted_run_continues(
    data, tmp_path, monkeypatch, capsys
):
    benchmark = module("clusters")
    model = CalmModel.random(seed=1, context_frames=16, max_frames=64)
    monkeypatch.setattr(benchmark, "load_model", lambda name: model)
    monkeypatch.setattr(module("clusters_probes"), "SHUFFLES", 2)
    monkeypatch.setattr(module("clusters_methods"), "RESAMPLINGS", 2)
    out = tmp_path / "out"
    command = ["--data", data, "--out", out, "--quick", "--animals", "1", "--trials", "5"]
    assert benchmark.main([*map(str, command)]) == 0
    tables = (out / "clusters.md").read_text()
    assert tables in capsys.readouterr().out
    for name in (
        "| fly0 |",
        "| fly1 |",
        "random: coupling",
        "colour of the indicator",
        "Left out",
    ):
        assert name in tables
    result = json.loads((out / "clusters.json").read_text())
    (session,) = result["simulated"]
    mean = session["methods"]["trace correlations"]["true_number"]
    assert f"| k-means on trace correlations | **{mean:.3f}**" in tables
    assert {"date", "commit", "machine", "seed"} < set(result["about"])

    (out / "found" / f"stability_{data.name}_fly1.json").unlink()
    scored = []
    original = benchmark.stability_scores
    monkeypatch.setattr(
        benchmark,
        "stability_scores",
        lambda recording, models: scored.append(recording.name) or original(recording, models),
    )
    monkeypatch.setattr(benchmark, "simulated_scores", None)
    assert benchmark.main([*map(str, command)]) == 0
    assert scored == ["fly1"]
    assert json.loads((out / "clusters.json").read_text()) == result


def test_seeds_that_methods_were_chosen_on_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        module("clusters").main(
            ["--data", str(tmp_path), "--out", str(tmp_path), "--sim-seed", "9500"]
        )
    assert "below 9800" in capsys.readouterr().err
