import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_calm.core.errors import CalmError, StoppedEarly
from napari_calm.core.progress import run
from napari_calm.model.checkpoint import load_model
from napari_calm.train.config import read_pretrain_config
from napari_calm.train.pretrain_apart import pretrain_apart_steps

TINY = Path(__file__).parents[1] / "data" / "tiny.toml"


@pytest.fixture
def endless():
    config = read_pretrain_config(TINY)
    settings = config.dynamics_training
    optimiser = replace(settings.optimiser, steps=100_000, patience=0)
    return replace(config, dynamics_training=replace(settings, optimiser=optimiser))


def is_running(process):
    """Whether a process runs, where the system tells."""
    return os.path.isdir(f"/proc/{process}")


def children_of(folder_part):
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            if entry.isdigit() and folder_part in Path(f"/proc/{entry}/cmdline").read_text():
                found.append(int(entry))
        except OSError:
            continue
    return found


def test_another_process_trains_stops_keeps_the_best_and_can_be_closed(endless, tmp_path):
    curves, stages = {}, set()
    steps = pretrain_apart_steps(
        endless,
        tmp_path / "model",
        device="cpu",
        curves=curves,
        stop=lambda: any("validation_loss" in row for row in curves.get("dynamics", ())),
    )
    assert run(steps, lambda now: stages.add(now.stage.partition(" (")[0])) == (
        tmp_path / "model"
    )
    assert {
        "Simulating recordings",
        "Training the tokenizer",
        "Training the dynamics",
    } <= stages
    assert len(curves["tokenizer"]) == 40
    assert 10 <= len(curves["dynamics"]) < 100_000
    assert load_model(tmp_path / "model", device="cpu").name == "tiny"

    going_on = {}
    steps = pretrain_apart_steps(endless, tmp_path / "model", device="cpu", curves=going_on)
    while len(going_on.get("dynamics", ())) <= len(curves["dynamics"]):
        next(steps)
    n_before = len(curves["dynamics"])
    assert going_on["dynamics"][:n_before] == curves["dynamics"]
    children = children_of("napari_calm.train.pretrain_apart")
    asked_at = time.monotonic()
    steps.close()
    assert time.monotonic() - asked_at < 5
    assert not any(map(is_running, children))
    assert not list((tmp_path / "model" / "training").glob(".partial-*"))
    state = torch.load(tmp_path / "model" / "training" / "dynamics.pt", weights_only=True)
    assert state["step"] >= len(going_on["dynamics"]) > n_before
    assert load_model(tmp_path / "model", device="cpu").name == "tiny"


def test_what_is_wrong_there_is_raised_here(endless, tmp_path):
    data = replace(endless.data, folder=str(tmp_path / "missing"))
    with pytest.raises(CalmError, match="does not exist") as raised:
        run(pretrain_apart_steps(replace(endless, data=data), tmp_path / "model"))
    assert not isinstance(raised.value, StoppedEarly)
