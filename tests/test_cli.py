import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

from napari_calm import cli
from napari_calm.core.progress import Progress
from napari_calm.core.recording import Recording
from napari_calm.io.read import read_recording
from napari_calm.io.results import read_forecast, read_tokens
from napari_calm.io.traces import write_recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model, save_model

DATA = Path(__file__).parent / "data"
VECTORS, TINY = DATA / "calm_tiny.npz", DATA / "tiny.toml"


@pytest.fixture
def traces(tmp_path):
    path = tmp_path / "traces.npz"
    walk = np.cumsum(np.random.default_rng(0).normal(size=(5, 200)), axis=1)
    write_recording(Recording(walk, frame_rate_hz=6.0), path)
    return path


@pytest.fixture
def model(tmp_path):
    return save_model(CalmModel.random(), tmp_path / "model")


@pytest.fixture
def movie(tmp_path):
    frames = np.random.default_rng(0).integers(50, 200, size=(120, 20, 24)).astype(np.uint16)
    labels = np.zeros((20, 24), np.uint8)
    labels[2:6, 3:8], labels[10:15, 12:20] = 1, 4
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    return tmp_path / "movie.tif", tmp_path / "labels.tif"


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "simulate",
        "info",
        "extract",
        "tokenize",
        "forecast",
        "embed",
        "cluster",
        "selectivity",
        "pretrain",
        "import-release",
    ],
)
def test_every_command_explains_itself_with_an_example(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "Example" in out
    assert f"napari-calm {command}" in out


def test_the_installed_command_answers_without_loading_torch():
    code = "import sys; from napari_calm.cli import main\n"
    code += "sys.argv = ['napari-calm', '--version']\ntry: main()\nexcept SystemExit: pass\n"
    code += "assert 'torch' not in sys.modules"
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() == "0.1.0"


def test_extract_tokenize_and_forecast_follow_each_other(run, movie, model, tmp_path):
    frames, labels = movie
    extracted = tmp_path / "traces.npz"
    status, out, err = run(
        "extract", frames, "--rois", labels, "--frame-rate", 10, "--out", extracted
    )
    assert status == 0, err
    assert "2 neurons x 120 frames at 10 Hz" in out
    recording = read_recording(extracted)
    assert recording.footprints.label_values.tolist() == [1, 4]

    status, out, err = run("tokenize", extracted, "--model", model, "--out", tmp_path / "t.npz")
    assert status == 0, err
    assert read_tokens(tmp_path / "t.npz").tokens.shape == (2, 30)

    status, out, err = run(
        "forecast", extracted, "--model", model, "--start-frame", 80, "--horizon-frames", 12,
        "--samples", 3, "--seed", 2, "--out", tmp_path / "f.npz",
    )  # fmt: skip
    assert status == 0, err
    for method in ("CalM", "copy last", "AR", "mean"):
        assert method in out
    made = read_forecast(tmp_path / "f.npz")
    expected = load_model(model, "cpu").forecast(
        recording, start_frame=80, horizon_frames=12, samples=3, seed=2
    )
    np.testing.assert_array_equal(made.samples, expected.samples)


def test_a_movie_with_rois_is_a_recording(run, movie, model, tmp_path):
    frames, labels = movie
    status, _, err = run(
        "forecast", frames, "--rois", labels, "--frame-rate", 10, "--model", model,
        "--start-frame", 80, "--horizon-frames", 5, "--samples", 2, "--out", tmp_path / "f.csv",
    )  # fmt: skip
    assert status == 0, err
    table = pd.read_csv(tmp_path / "f.csv")
    assert len(table) == 10
    assert {"neuron", "frame", "time_s", "mean_dff", "q05_dff", "q95_dff"} <= set(table)


def test_a_forecast_past_the_end_says_so(run, traces, model, tmp_path):
    status, out, err = run(
        "forecast", traces, "--model", model, "--start-frame", 200, "--horizon-frames", 5,
        "--samples", 2, "--out", tmp_path / "f.npz",
    )  # fmt: skip
    assert status == 0, err
    assert "past the end" in out


def test_info_speaks_to_people_and_to_programs(run, traces, model):
    status, out, _ = run("info", traces, "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["n_neurons"] == 5
    assert facts["frame_rate_hz"] == 6.0
    status, out, _ = run("info", traces)
    assert status == 0
    assert "frame rate hz" in out
    assert json.loads(run("info", model, "--json")[1])["name"] == "random"


def test_simulate_writes_recordings_that_can_be_read(run, tmp_path):
    status, _, err = run(
        "simulate", "--out", tmp_path / "cohort", "--animals", 2, "--sessions", 1,
        "--neurons", 6, "--trials", 2, "--seed", 5,
    )  # fmt: skip
    assert status == 0, err
    names = sorted(p.name for p in (tmp_path / "cohort").iterdir())
    assert names == ["animal0_session0.npz", "animal1_session0.npz"]
    assert read_recording(tmp_path / "cohort" / names[0]).n_neurons == 6


def test_simulate_writes_a_movie_that_can_be_extracted(run, tmp_path):
    status, _, err = run(
        "simulate", "--movie", "--out", tmp_path, "--neurons", 5, "--trials", 1
    )
    assert status == 0, err
    folder = tmp_path / "animal0_session0"
    status, _, err = run(
        "extract", folder / "movie.tif", "--rois", folder / "footprints.npz",
        "--out", tmp_path / "traces.npz",
    )  # fmt: skip
    assert status == 0, err
    assert read_recording(tmp_path / "traces.npz").frame_rate_hz == 6.0


def test_import_release_makes_a_checkpoint(run, tmp_path):
    with np.load(VECTORS) as archive:
        for part in ("nq", "dat", "head"):
            prefix = f"{part}/sd/"
            weights = {
                key.removeprefix(prefix): torch.from_numpy(archive[key])
                for key in archive.files
                if key.startswith(prefix)
            }
            torch.save(weights, tmp_path / f"{part}.pt")
        (tmp_path / "config.json").write_text(str(archive["cfg"]))
    status, _, err = run(
        "import-release", "--tokenizer", tmp_path / "nq.pt", "--dynamics", tmp_path / "dat.pt",
        "--behaviour", tmp_path / "head.pt", "--config", tmp_path / "config.json",
        "--out", tmp_path / "imported",
    )  # fmt: skip
    assert status == 0, err
    assert load_model(tmp_path / "imported", "cpu").name == "imported"


def forecast_of(traces, model, out, **changes):
    options = {"--model": model, "--start-frame": 100, "--horizon-frames": 5, "--out": out}
    flat = [str(part) for pair in (options | changes).items() for part in pair]
    return ["forecast", traces, *flat]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--start-frame": 10}, "choose a frame from 48 to 200"),
        ({"--horizon-frames": 0}, "at least 1"),
        ({"--model": "nowhere"}, "no such model folder"),
        ({"--device": "abacus"}, "expected one of auto"),
        ({"--out": "forecast.txt"}, "must end in .npz or .csv"),
        ({"--frame-rate": 0}, "it must be above 0"),
    ],
)
def test_bad_input_is_one_line_and_status_one(run, traces, model, tmp_path, changes, message):
    status, _, err = run(*forecast_of(traces, model, tmp_path / "f.npz", **changes))
    assert status == 1
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "f.npz").exists()


def test_a_folder_in_place_of_the_output_file_is_noticed_before_the_work(
    run, traces, model, tmp_path
):
    (tmp_path / "f.npz").mkdir()
    status, _, err = run(*forecast_of(traces, model, tmp_path / "f.npz"))
    assert status == 1
    assert "is a folder" in err


def test_names_with_brackets_are_printed_as_they_are(run, traces, model, tmp_path):
    out = tmp_path / "a[" / "b].npz"
    status, printed, _ = run(*forecast_of(traces, model, out))
    assert status == 0
    assert str(out) in printed


def test_what_nobody_foresaw_is_one_line_too(run, traces, model, tmp_path, monkeypatch):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError("a bug")
        yield

    monkeypatch.setattr(CalmModel, "forecast_steps", broken)
    status, _, err = run(*forecast_of(traces, model, tmp_path / "f.npz"))
    assert status == 1
    assert "unexpected ZeroDivisionError: a bug" in err
    assert "Traceback" not in err


def test_a_missing_recording_is_status_one(run, model, tmp_path):
    status, _, err = run(*forecast_of(tmp_path / "none.npz", model, tmp_path / "f.npz"))
    assert status == 1
    assert "none.npz" in err


def test_a_log_file_gets_a_line_now_and_then(run, traces, model, tmp_path, monkeypatch):
    monkeypatch.setattr(cli.console, "SECONDS_PER_LOG_LINE", 0.0)
    status, _, err = run(*forecast_of(traces, model, tmp_path / "f.npz"))
    assert status == 0
    assert "Forecasting: 100%" in err


def test_wrong_usage_is_status_two(run):
    assert run("forecast")[0] == 2
    assert run("no-such-command")[0] == 2


def test_constant_traces_can_be_left_out(run, model, tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 200)).astype(np.float32)
    values[2] = 1.0
    np.savez(tmp_path / "raw.npz", traces=values, fps=6.0)
    command = forecast_of(tmp_path / "raw.npz", model, tmp_path / "f.npz")
    status, _, err = run(*command)
    assert status == 1
    assert "--drop-unusable" in err
    assert run(*command, "--drop-unusable")[0] == 0
    assert read_forecast(tmp_path / "f.npz").n_neurons == 3


def test_pretrain_is_the_same_training(run, tmp_path):
    status, _, err = run("pretrain", TINY, "--out", tmp_path / "m", "--device", "cpu")
    assert status == 0, err
    assert load_model(tmp_path / "m", "cpu").name == "tiny"


def test_an_interrupt_is_status_130_and_leaves_no_file(
    run, traces, model, tmp_path, monkeypatch
):
    def interrupted(*_arguments, **_options):
        yield Progress(0, 1, "Forecasting")
        raise KeyboardInterrupt

    monkeypatch.setattr(CalmModel, "forecast_steps", interrupted)
    assert run(*forecast_of(traces, model, tmp_path / "f.npz"))[0] == 130
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "traces.npz"]
