"""A training that is stopped keeps the best there is, or says that there is nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_calm.core.errors import ConfigError, NotWritten, StoppedEarly
from napari_calm.core.progress import run
from napari_calm.core.recording import Recording
from napari_calm.model.adaptation import load_adaptation
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model
from napari_calm.train import adapt
from napari_calm.train.alone import alone_steps
from napari_calm.train.config import OptimiserConfig, read_pretrain_config
from napari_calm.train.pretrain import pretrain, pretrain_steps

TINY = Path(__file__).parents[1] / "data" / "tiny.toml"


@pytest.fixture
def config():
    return read_pretrain_config(TINY)


@pytest.fixture
def model():
    return CalmModel.random(seed=0, head=True, context_frames=16, max_frames=48)


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(4, 400)), axis=1)
    return Recording(np.abs(walk) * 0.05 * np.arange(1, 5)[:, None], 6.0, name="walk")


def stopped_pretraining(config, out, name, n_steps):
    curves = {}

    def stop():
        return len(curves.get(name, ())) >= n_steps

    return run(pretrain_steps(config, out, device="cpu", curves=curves, stop=stop)), curves


def closed_pretraining(config, out, name, n_steps):
    curves = {}
    steps = pretrain_steps(config, out, device="cpu", curves=curves)
    while len(curves.get(name, ())) < n_steps:
        next(steps)
    steps.close()


def same_weights(one, other):
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], rtol=0, atol=0, msg=name)


def test_a_stopped_pretraining_is_a_checkpoint_of_the_best_validation(config, tmp_path):
    model, curves = stopped_pretraining(config, tmp_path / "stopped", "dynamics", 27)
    judged = [row for row in curves["dynamics"] if "validation_loss" in row]
    assert [row["step"] for row in judged] == [10, 20]
    kept = load_model(tmp_path / "stopped", device="cpu")
    same_weights(kept, model)
    best = min(judged, key=lambda row: row["validation_loss"])
    card = (tmp_path / "stopped" / "README.md").read_text()
    assert f"after step {best['step']:.0f} are kept" in card
    assert "stopped early" in card
    # Stopped just after its validation, the same weights are the best or the newest.
    other, _ = stopped_pretraining(config, tmp_path / "at best", "dynamics", int(best["step"]))
    same_weights(other.dynamics, model.dynamics)


def test_a_stopped_pretraining_goes_on_as_if_it_had_not_been(config, tmp_path):
    whole = pretrain(config, tmp_path / "whole", device="cpu")
    stopped_pretraining(config, tmp_path / "parts", "dynamics", 13)
    closed_pretraining(config, tmp_path / "parts", "dynamics", 17)
    same_weights(whole, pretrain(config, tmp_path / "parts", device="cpu"))
    assert not list((tmp_path / "parts" / "training").glob("*.pt"))


@pytest.mark.parametrize("name", ["tokenizer", "dynamics"])
def test_a_closed_pretraining_loses_no_step(config, tmp_path, name):
    closed_pretraining(config, tmp_path, name, 7)
    curves = {}
    steps = pretrain_steps(config, tmp_path, device="cpu", curves=curves)
    while not curves.get(name):
        next(steps)
    assert [row["step"] for row in curves[name]][:8] == list(range(1, 9))
    steps.close()


def test_a_full_disk_leaves_the_state_that_was_saved_before(config, tmp_path):
    resource = pytest.importorskip("resource", reason="this system has no such limit")
    closed_pretraining(config, tmp_path, "tokenizer", 7)
    state = tmp_path / "training" / "tokenizer.pt"
    before, limits = state.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    curves = {}
    steps = pretrain_steps(config, tmp_path, device="cpu", curves=curves)
    while not curves.get("tokenizer"):
        next(steps)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(NotWritten, match=r"tokenizer\.pt: not written: the disk is full"):
            run(steps)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert state.read_bytes() == before
    assert not list(state.parent.glob(".partial-*"))


def test_a_deleted_folder_is_made_again_so_that_the_training_goes_on(config, tmp_path):
    out, curves = tmp_path / "out", {}
    steps = pretrain_steps(config, out, device="cpu", curves=curves)
    while len(curves.get("tokenizer", ())) < 5:
        next(steps)
    shutil.rmtree(out)
    steps.close()
    assert sorted(path.name for path in (out / "training").glob("[!.]*")) == [
        "config.json",
        "tokenizer.pt",
    ]


def test_two_trainings_do_not_write_into_one_folder(config, tmp_path):
    first = pretrain_steps(config, tmp_path / "out", device="cpu")
    next(first)
    with pytest.raises(ConfigError, match="another process trains a model into this folder"):
        run(alone_steps(tmp_path / "out" / "training", waits_s=0.2))
    second = pretrain_steps(config, tmp_path / "out", device="cpu")
    assert "waiting for the training before" in next(second).stage
    first.close()
    assert "Simulating" in next(second).stage
    second.close()


@pytest.mark.parametrize(
    ("name", "n_steps", "said"),
    [("tokenizer", 20, "the tokenizer was trained"), ("dynamics", 9, "the first validation")],
)
def test_a_pretraining_stopped_too_early_says_that_there_is_no_model(
    config, tmp_path, name, n_steps, said
):
    with pytest.raises(StoppedEarly, match=said):
        stopped_pretraining(config, tmp_path / "early", name, n_steps)
    assert not (tmp_path / "early" / "model.safetensors").exists()
    _, curves = stopped_pretraining(config, tmp_path / "early", "dynamics", 11)
    assert [row["step"] for row in curves[name]][:n_steps] == list(range(1, n_steps + 1))
    assert load_model(tmp_path / "early", device="cpu").name == "tiny"


def stopped_fit(model, recording, n_steps):
    curve = []
    fit = adapt.adapt_steps(
        model,
        recording,
        until_frame=280,
        config=adapt.AdaptConfig(OptimiserConfig(steps=200), batch_populations=1),
        curve=curve,
        stop=lambda: len(curve) > n_steps,
    )
    return run(fit), curve


def test_a_stopped_fit_keeps_what_was_best_and_says_that_it_was_stopped(
    model, recording, tmp_path
):
    found, curve = stopped_fit(model, recording, 45)
    assert len(curve) == 46
    assert found.helped
    assert found.stopped_at_step == 45
    assert found.adapted_mse < found.zero_shot_mse
    assert found.verdict().endswith("The fit was stopped early, after 45 steps.")
    again = load_adaptation(found.save(tmp_path / "stopped.safetensors"))
    assert again.verdict() == found.verdict()
    assert "stopped" not in replace(found, stopped_at_step=None).verdict()


def test_a_fit_stopped_before_its_first_validation_keeps_nothing(model, recording):
    with pytest.raises(StoppedEarly, match="Stopped after 7 steps, before"):
        stopped_fit(model, recording, 7)
