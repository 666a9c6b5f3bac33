"""The decoding benchmark reads labels as they are, knows its limits, and continues."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_calm.decoding import network_fit
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import save_model
from napari_calm.preprocess.smooth import smooth_causally
from napari_calm.simulate.session import simulate_session

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_on_path():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def module(name):
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four worms of 10 neurons whose velocity half of the neurons follow."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "worm").mkdir()
    for number in range(4):
        rng = np.random.default_rng(number)
        velocity = smooth_causally(rng.standard_normal((1, 300)), 0.3)[0]
        velocity /= velocity.std()
        traces = 0.4 * rng.standard_normal((10, 300))
        traces[:5] += velocity
        np.savez(
            folder / "worm" / f"worm{number}.npz",
            traces=traces.astype(np.float32),
            fps=2.0,
            velocity=velocity,
            head_angle=rng.standard_normal(300),
            reversal=(velocity < -0.3).astype(int),
        )
    return folder


def test_one_who_knows_the_simulator_needs_tuned_neurons():
    oracle = module("decode_oracle")
    tuned = simulate_session(seed=3, n_neurons=40, n_trials=12)
    assert min(oracle.oracle_scores(tuned).values()) > 0.95
    blind = simulate_session(
        seed=3,
        n_neurons=40,
        n_trials=12,
        group_shares={"ungrouped": 1.0},
        mixed_selectivity=0.0,
        accuracy=0.5,
    )
    assert min(oracle.oracle_scores(blind).values()) < 0.8


def test_animals_that_methods_were_chosen_on_are_left_out(tmp_path):
    tasks = module("decode_tasks")
    (tmp_path / "mouse_position").mkdir()
    for animal in ("a", "b", "c"):
        for session in range(3):
            name = f"{animal}_env0_ses{session}.npz"
            (tmp_path / "mouse_position" / name).touch()
    kept = tasks.test_files(tmp_path, "mouse_position", 10)
    assert {tasks.animal_of(path) for path in kept} == {"b", "c"}
    assert len(tasks.test_files(tmp_path, "mouse_position", 2)) == 2


def test_labels_are_brought_to_the_frames_of_the_traces(tmp_path):
    tasks = module("decode_tasks")
    rng = np.random.default_rng(0)
    turning = rng.standard_normal(100)
    np.savez(
        tmp_path / "fly.npz",
        traces=rng.standard_normal((3, 100)),
        fps=18.0,
        angular_velocity=turning,
    )
    found = tasks.read_labelled("fly", tmp_path / "fly.npz", 4.0)
    assert found.frame_rate_hz == pytest.approx(6.0)
    assert found.n_frames == 33
    clipped = np.clip(turning, *np.quantile(turning, (0.005, 0.995)))
    expected = clipped[1:].reshape(33, 3).mean(axis=1)
    np.testing.assert_allclose(found.behaviour["angular_velocity"], expected)
    positive = found.behaviour["turn"] == "positive"
    np.testing.assert_array_equal(positive, expected > 0.3)


def test_an_interrupted_run_continues_and_reports(data, tmp_path, monkeypatch, capsys):
    benchmark = module("decode")
    quick = replace(network_fit.OPTIMISER, steps=20)
    monkeypatch.setattr(network_fit, "OPTIMISER", quick)
    save_model(CalmModel.random(seed=3, context_frames=16, max_frames=64), tmp_path / "model")
    arguments = [
        *("--data", str(data), "--out", str(tmp_path / "out")),
        *("--model", str(tmp_path / "model"), "--species", "worm"),
        *("--animals", "0", "--shifts", "2", "--most-files", "1"),
    ]
    assert benchmark.main(arguments) == 0
    assert "worm0 velocity: " in capsys.readouterr().err
    result = json.loads((tmp_path / "out" / "decode.json").read_text())
    velocity = next(e for e in result["real"] if e["variable"] == "velocity")
    assert velocity["score"] > 0.5
    assert [each["name"] for each in result["transfer"]] == ["worm0"]
    assert benchmark.main(arguments) == 0
    printed = capsys.readouterr()
    assert "velocity: " not in printed.err
    assert "| worm velocity | R2 | 1 |" in printed.out


def test_a_folder_without_recordings_is_told(tmp_path, capsys):
    benchmark = module("decode")
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--animals", "0"]
    assert benchmark.main(arguments) == 2
    assert "found no recordings to decode" in capsys.readouterr().err


def test_adapting_sees_neither_behaviour_nor_frames_that_are_decoded(data, monkeypatch):
    adapted, tasks = module("decode_adapted"), module("decode_tasks")
    recording = tasks.read_labelled("worm", data / "worm" / "worm0.npz", 4.0)
    model = CalmModel.random(seed=3, context_frames=16, max_frames=64)
    seen = {}

    def watched(model, recording, *, until_frame, seed):
        seen.update(until_frame=until_frame)
        return SimpleNamespace(helped=True, verdict=lambda: "helped", apply=lambda model: model)

    monkeypatch.setattr(adapted, "adapt", watched)

    def decoded(model, recording, variable, **choices):
        known = recording.behaviour[variable].notna().to_numpy()
        seen.setdefault("first_decoded", set()).add(int(np.flatnonzero(known)[0]))
        score = SimpleNamespace(mean=0.5)
        return SimpleNamespace(measure="R2", score=score, reference=score)

    monkeypatch.setattr(adapted, "decode", decoded)
    found = adapted.adapted_scores(model, recording, ["velocity", "reversal"], seed=0)
    assert seen == {"until_frame": 150, "first_decoded": {150}}
    assert found["variables"]["velocity"]["adapted"] == 0.5
