from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.decoding import network_fit
from napari_calm.decoding.decoder_file import load_decoder
from napari_calm.io.traces import write_recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import save_model
from napari_calm.simulate.session import simulate_session


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoding")
    for seed in range(3):
        session = simulate_session(seed=seed, n_neurons=8, n_trials=10)
        write_recording(session.recording, folder / f"animal{seed}.npz")
    save_model(CalmModel.random(seed=3, context_frames=16, max_frames=64), folder / "model")
    return folder


def test_a_variable_is_decoded_written_and_told(run, files, tmp_path):
    out, save = tmp_path / "cue.csv", tmp_path / "cue.safetensors"
    status, printed, _ = run(
        *("decode", files / "animal0.npz", "--variable", "cue", "--shifts", 3),
        *("--out", out, "--save", save, "--model", files / "model"),
    )
    assert status == 0
    assert "cue: balanced accuracy" in printed
    assert "logistic regression on lagged traces" in printed
    table = pd.read_csv(out)
    assert len(table) == 10
    assert set(table["true"]) == {"left", "right"}
    summary = pd.read_csv(tmp_path / "cue.summary.csv")
    said = (table["true"] == table["decoded"]).groupby(
        [table["fold"], table["true"]]
    ).mean().groupby("fold").mean().mean()  # fmt: skip
    assert summary["balanced accuracy"][0] == pytest.approx(said)
    assert len(pd.read_csv(tmp_path / "cue.neurons.csv")) == 8
    assert len(pd.read_csv(tmp_path / "cue.confusion.csv")) == 2
    assert load_decoder(save).name == "cue"


def test_a_kept_decoder_is_applied_and_scored(run, files, tmp_path):
    save, out = tmp_path / "speed.safetensors", tmp_path / "speed.csv"
    options = ["--model", files / "model"]
    name = "velocity_pitch_mm_per_s"
    status, _, _ = run(
        *("decode", files / "animal0.npz", "--variable", name, "--shifts", 0, "--folds", 2),
        *("--save", save, *options),
    )
    assert status == 0
    status, printed, _ = run(
        "decode", files / "animal0.npz", "--apply", save, "--out", out, *options
    )
    assert status == 0
    assert f"{name}: R2" in printed
    assert "(of the same recording that would be no test)" in printed
    table = pd.read_csv(out)
    truth = np.load(files / "animal0.npz")[f"behaviour/{name}"]
    np.testing.assert_allclose(table["true"], truth[table["frame"]], rtol=1e-6)


def test_several_variables_get_files_of_their_own(run, files, tmp_path):
    out = tmp_path / "found.npz"
    status, _, error = run(
        *("decode", files / "animal0.npz", "--variable", "cue", "--variable", "choice"),
        *("--shifts", 0, "--out", out, "--model", files / "model", "--folds", 3),
    )
    assert status == 0, error
    for name in ("cue", "choice"):
        with np.load(tmp_path / f"found.{name}.npz") as archive:
            assert str(archive["name"]) == name
            assert archive["outputs"].shape == (10, 2)


def test_several_animals_give_a_decoder_for_another(run, files, tmp_path, monkeypatch):
    quick = replace(network_fit.OPTIMISER, steps=20)
    monkeypatch.setattr(network_fit, "OPTIMISER", quick)
    save, out = tmp_path / "any.safetensors", tmp_path / "found.csv"
    options = ["--model", files / "model"]
    animals = [files / f"animal{number}.npz" for number in (0, 1)]
    status, printed, _ = run(
        *("decode", *animals, "--variable", "velocity_pitch_mm_per_s"),
        *("--head", "attention", "--save", save, *options),
    )
    assert status == 0
    assert "from 2 recordings" in printed
    status, printed, _ = run(
        "decode", files / "animal2.npz", "--apply", save, "--out", out, *options
    )
    assert status == 0
    assert ", by a decoder fitted to " in printed
    assert {"frame", "decoded", "true"} <= set(pd.read_csv(out))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--variable: which behaviour or trial column"),
        (["--variable", "nose"], "there is no column 'nose' to decode"),
        (["--variable", "cue", "--out", "x.txt"], "must end in .csv or .npz"),
        (["--variable", "cue", "--save", "x.npz"], "must end in .safetensors"),
        (["--variable", "cue", "--head", "magic"], "found the head 'magic'"),
        (["--variable", "cue", "--kind", "magic"], "found the kind 'magic'"),
        (["--variable", "cue", "--folds", "1"], "found 1 folds"),
        (["--apply", "gone.safetensors"], "gone.safetensors: not readable as a decoder"),
        (["--apply", "a.safetensors", "--variable", "cue"], "leave out --variable"),
    ],
)
def test_what_cannot_be_done_is_told(run, files, arguments, message):
    status, _, error = run(
        "decode", files / "animal0.npz", "--model", files / "model", *arguments
    )
    assert status == 1
    assert message in error


def test_several_recordings_with_out_are_refused(run, files):
    animals = [files / f"animal{number}.npz" for number in (0, 1)]
    status, _, error = run("decode", *animals, "--variable", "cue", "--out", "x.csv")
    assert status == 1
    assert "they give one decoder for other animals" in error
