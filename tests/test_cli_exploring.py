from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.explore.files import read_clusters, read_embedding
from napari_calm.io.results import read_forecast
from napari_calm.io.traces import read_traces_npz, write_recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model, save_model
from napari_calm.simulate.session import simulate_session


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exploring")
    session = simulate_session(seed=21, n_neurons=14, n_trials=6)
    write_recording(session.recording, folder / "traces.npz")
    save_model(CalmModel.random(seed=3, context_frames=16, max_frames=64), folder / "model")
    return folder


def test_clusters_are_written_and_told(run, files, tmp_path):
    options = ["--model", files / "model", "--clusters", "3", "--column", "cue"]
    out = tmp_path / "clusters.npz"
    status, printed, _ = run("cluster", files / "traces.npz", "--out", out, *options)
    assert status == 0
    found = read_clusters(out)
    assert f"wrote {out}: 14 neurons in 3 clusters by k-means on coupling of random" in printed
    assert found.verdict() in printed
    assert found.columns == ("cue",)


def test_an_embedding_gets_coordinates_in_its_table(run, files, tmp_path):
    options = ["--model", files / "model", "--source", "mean"]
    for name in ("embedding.npz", "embedding.csv"):
        status, printed, _ = run(
            "embed", files / "traces.npz", "--out", tmp_path / name, *options
        )
        assert status == 0
        assert "14 neurons x 16 dimensions of mean by random" in printed
    table = pd.read_csv(tmp_path / "embedding.csv")
    assert list(table)[:5] == ["neuron", "roi_label", "x", "y", "mean_1"]
    vectors = read_embedding(tmp_path / "embedding.npz").vectors
    np.testing.assert_allclose(table.filter(like="mean_"), vectors, rtol=1e-4)


def test_selectivity_of_chosen_columns_is_written(run, files, tmp_path):
    out = tmp_path / "selectivity.csv"
    columns = ["--column", "cue", "--column", "position_cm", "--draws", "40"]
    status, printed, _ = run("selectivity", files / "traces.npz", "--out", out, *columns)
    assert status == 0
    assert "of 14 neurons are selective for cue" in printed
    assert {"cue: d'", "position_cm: q"} < set(pd.read_csv(out))


def test_columns_that_cannot_be_tested_are_told_and_left_out(run, files, tmp_path):
    recording = read_traces_npz(files / "traces.npz")
    trials = recording.trials[["start_frame", "stop_frame", "cue"]].assign(
        once=["yes", *["no"] * 5], note=list("abcdef")
    )
    behaviour = recording.behaviour[["velocity_yaw_rad_per_s"]]
    write_recording(
        replace(recording, trials=trials, behaviour=behaviour), tmp_path / "odd.npz"
    )
    out = tmp_path / "selectivity.csv"
    status, printed, _ = run("selectivity", tmp_path / "odd.npz", "--out", out, "--draws", 40)
    assert status == 0
    assert "left out" in printed
    assert "'yes' of the column 'once' occurs in 1 trial" in printed
    assert {"cue: d'", "velocity_yaw_rad_per_s: q"} < set(pd.read_csv(out))


@pytest.mark.parametrize("command", ["embed", "cluster", "tokenize"])
def test_what_is_read_is_not_written_over(run, files, command):
    traces = files / "traces.npz"
    before = traces.read_bytes()
    status, _, errors = run(command, traces, "--out", traces, "--model", files / "model")
    assert status == 1
    assert "is what the command reads" in errors
    assert traces.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cluster", "--clusters", "15"], "15 clusters of 14 neurons cannot be"),
        (["cluster", "--method", "magic"], "unknown method 'magic'"),
        (["cluster", "--source", "row"], "is not adapted"),
        (["embed", "--map", "tsne"], "found 'tsne'; expected pca or umap"),
        (["embed", "--source", "task", "--column", "nose"], "no behaviour or trial column"),
        (["selectivity", "--column", "nose"], "There are: time_s, trial, position_cm"),
    ],
)
def test_bad_input_is_one_line_and_status_one(run, files, tmp_path, arguments, message):
    command, *options = arguments
    if command != "selectivity":
        options += ["--model", files / "model"]
    status, _, errors = run(
        command, files / "traces.npz", "--out", tmp_path / "out.csv", *options
    )
    assert status == 1
    assert message in errors
    assert not list(tmp_path.iterdir())


def test_neurons_that_are_left_out_keep_their_numbers(run, files, tmp_path):
    judged = read_traces_npz(files / "traces.npz")
    flags = np.isin(np.arange(14), [2, 7, 8], invert=True)
    write_recording(replace(judged, accepted=flags), tmp_path / "judged.npz")
    part = judged.select(flags)
    model = load_model(str(files / "model"))
    common = ["--model", files / "model", "--leave-out", "rejected"]
    made = {
        "tokens.csv": ("tokenize", []),
        "forecast.npz": (
            "forecast",
            ["--start-frame", 200, "--horizon-frames", 4, "--samples", 2],
        ),
        "embedding.csv": ("embed", ["--source", "mean"]),
        "clusters.csv": ("cluster", ["--clusters", 3, "--resamplings", 2]),
    }
    for name, (command, options) in made.items():
        status, printed, told = run(
            command, tmp_path / "judged.npz", "--out", tmp_path / name, *common, *options
        )
        assert status == 0, told
        assert "11 neurons" in printed
    tokens = pd.read_csv(tmp_path / "tokens.csv")
    assert tokens["neuron"].unique().tolist() == np.flatnonzero(flags).tolist()
    assert tokens["accepted"].all()
    np.testing.assert_array_equal(tokens["token"], model.tokenize(part).tokens.ravel())
    alone = model.forecast(part, start_frame=200, horizon_frames=4, samples=2)
    made = read_forecast(tmp_path / "forecast.npz")
    np.testing.assert_allclose(made.mean[flags], alone.mean, rtol=1e-5, atol=1e-6)
    assert np.isnan(made.mean[~flags]).all()
    table = pd.read_csv(tmp_path / "embedding.csv")
    assert table["x"].isna().tolist() == (~flags).tolist()
    assert table["accepted"].tolist() == flags.tolist()
    table = pd.read_csv(tmp_path / "clusters.csv")
    assert (table["cluster"][~flags] == -1).all()
    assert table["accepted"].tolist() == flags.tolist()
    status, printed, _ = run(
        "selectivity", tmp_path / "judged.npz", "--column", "cue", "--draws", 20,
        "--leave-out", "rejected,0, 11-12", "--out", tmp_path / "cue.csv",
    )  # fmt: skip
    assert status == 0
    table = pd.read_csv(tmp_path / "cue.csv")
    missing = np.flatnonzero(table["cue: p"].isna())
    assert missing.tolist() == [0, 2, 7, 8, 11, 12]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("rejected", "does not say which ROIs are cells"),
        ("14", "no neuron 14"),
        ("77", "no neuron 77"),
        ("40-50", "no neuron 40"),
        ("9-3", "the range 9-3 ends before it begins"),
        ("0-13", "all 14 neurons would be left out"),
        ("7;8", "found '7;8'"),
        ("", "found ''"),
        ("0-999999999999", "no neuron 14"),
    ],
)
def test_impossible_neurons_to_leave_out_are_told(run, files, tmp_path, said, told):
    status, _, message = run(
        "tokenize", files / "traces.npz", "--model", files / "model",
        "--leave-out", said, "--out", tmp_path / "tokens.npz",
    )  # fmt: skip
    assert status == 1
    assert told in " ".join(message.split())
    assert not (tmp_path / "tokens.npz").exists()
