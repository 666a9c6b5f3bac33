"""Ctrl-C and SIGTERM, and too little memory, as the command line tells them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_calm.core.progress import Progress
from napari_calm.core.recording import Recording
from napari_calm.io.traces import write_recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model, save_model
from napari_calm.train import adapt, pretrain

TINY = Path(__file__).parent / "data" / "tiny.toml"
COMMAND = [sys.executable, "-c", "from napari_calm.cli import main; main()"]


@pytest.fixture
def endless(tmp_path):
    """Return a configuration that saves nothing of the dynamics by itself."""
    text = (
        TINY.read_text()
        .replace("steps = 40", "steps = 4")
        .replace("steps = 30", "steps = 1000000")
    )
    text = text.replace("plain_steps = 10", "plain_steps = 1")
    text = text.replace("_every = 10", "_every = 500000").replace(
        "_every = 5\n", "_every = 500000\n"
    )
    (tmp_path / "end less.toml").write_text(text)
    return tmp_path / "end less.toml"


@pytest.mark.skipif(sys.platform == "win32", reason="processes get no such signals there")
def test_an_interrupted_pretraining_saves_its_step_and_says_how_to_go_on(endless, tmp_path):
    out = tmp_path / "a model"
    process = subprocess.Popen(
        [*COMMAND, "pretrain", str(endless), "--out", str(out), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
    )
    until = time.monotonic() + 120
    # The first stage is saved at its end.
    while not (out / "training" / "tokenizer.pt").exists():
        assert time.monotonic() < until, process.communicate()
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert printed == ""
    state = torch.load(out / "training" / "dynamics.pt", weights_only=True)
    assert state["step"] >= 1
    assert told.strip() == (
        f"Interrupted: Training the dynamics, {state['step']} of 1000000. The state is in "
        f"{out / 'training'}; go on from there: napari-calm pretrain '{endless}' --out '{out}' "
        "--device cpu"
    )


def interrupting(number, told=""):
    """Return steps that send this process a signal between two of them."""

    def steps(*_what, **_options):
        yield Progress(1, 2, f"Working{told}")
        os.kill(os.getpid(), number)
        yield Progress(2, 2, f"Working{told}")
        pytest.fail("went on")

    return steps


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pretraining_interrupted_before_its_first_step_has_nothing_to_go_on_from(
    run, tmp_path, monkeypatch, number
):
    before = signal.getsignal(number)
    monkeypatch.setattr(pretrain, "pretrain_steps", interrupting(number, " (loss 0.2)"))
    status, out, err = run("pretrain", TINY, "--out", tmp_path / "m")
    assert (status, out) == (130, "")
    assert err.strip() == (
        "Interrupted: Working, 2 of 2. No step was made yet, so there is nothing to go on from."
    )
    assert signal.getsignal(number) is before


def test_the_second_interrupt_does_not_wait_for_the_step(run, tmp_path, monkeypatch):
    def steps(*_what, **_options):
        yield Progress(1, 2, "Working")
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("went on")

    monkeypatch.setattr(pretrain, "pretrain_steps", steps)
    (tmp_path / "m" / "training").mkdir(parents=True)
    (tmp_path / "m" / "training" / "tokenizer.pt").touch()
    status, _, err = run("pretrain", TINY, "--out", tmp_path / "m")
    assert status == 130
    assert err.lstrip().startswith("Interrupted. The state is in")


@pytest.fixture
def recording(tmp_path):
    walk = np.cumsum(np.random.default_rng(0).normal(size=(3, 300)), axis=1)
    write_recording(Recording(walk, 6.0), tmp_path / "walk.npz")
    return tmp_path / "walk.npz"


@pytest.fixture
def model(tmp_path):
    model = CalmModel.random(seed=0, head=True, context_frames=16, max_frames=48)
    return save_model(model, tmp_path / "model")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_leaves_nothing_and_says_so(
    run, recording, model, tmp_path, monkeypatch, number
):
    monkeypatch.setattr(adapt, "adapt_steps", interrupting(number))
    out = tmp_path / "fit.safetensors"
    status, printed, err = run("adapt", recording, "--model", model, "--out", out)
    assert (status, printed) == (130, "")
    assert err.strip() == f"Interrupted: nothing is kept of the fit, and {out} not written."
    assert not out.exists()


def test_what_was_done_about_too_little_memory_is_a_line_on_stderr(
    run, recording, model, tmp_path, monkeypatch
):
    real, places = load_model, []

    def load(name, device):
        places.append(device)
        if len(places) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(name, device)

    def adapt_steps(*arguments, tell, **options):
        tell("The GPU is short of memory: more parts.", False)
        yield Progress(1, 1, "done")
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_calm.model.checkpoint.load_model", load)
    monkeypatch.setattr(adapt, "adapt_steps", adapt_steps)
    out = tmp_path / "fit.safetensors"
    _, printed, err = run("adapt", recording, "--model", model, "--out", out)
    assert places == ["auto", "cpu"]
    assert printed == ""
    assert [line for line in err.splitlines() if line][:2] == [
        "The GPU has too little memory for this: done on the CPU, which is slower.",
        "The GPU is short of memory: more parts.",
    ]


def test_pretrain_tells_what_was_done_about_too_little_memory(run, tmp_path, monkeypatch):
    def pretrain_steps(*_what, tell, device, **_options):
        assert device == "auto"
        tell("The CPU goes on.", True)
        yield Progress(1, 1, "done")

    monkeypatch.setattr(pretrain, "pretrain_steps", pretrain_steps)
    status, out, err = run("pretrain", TINY, "--out", tmp_path / "m")
    assert status == 0
    assert err.strip() == "The CPU goes on."
    assert out.startswith("wrote")
