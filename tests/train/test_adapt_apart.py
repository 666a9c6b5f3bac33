import os
import tempfile
import time

import numpy as np
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.core.progress import Progress, run
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.train import adapt_apart
from napari_calm.train.adapt import AdaptConfig, adapt
from napari_calm.train.config import OptimiserConfig


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(3, 240)), axis=1)
    return Recording(np.abs(walk) * 0.05, 6.0, name="walk")


@pytest.fixture
def model():
    return CalmModel.random(seed=0, head=True, context_frames=16, max_frames=48)


def processes_of(folder):
    """Return the command lines that name `folder`, where the system tells them."""
    found = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline") as file:
                    line = file.read()
            except OSError:
                continue
            if folder in line and "adapt_apart" in line:
                found.append(line)
    return found


def test_another_process_fits_what_this_one_would(model, recording):
    config = AdaptConfig(OptimiserConfig(steps=30, learning_rate=1e-3), batch_populations=1)
    here = adapt(model, recording, until_frame=200, config=config)
    curve: list = []
    there = run(
        adapt_apart.adapt_apart_steps(
            model, recording, until_frame=200, config=config, curve=curve
        )
    )
    assert there.until_frame == 200
    assert there.model_name == model.name
    assert there.recording_name == "walk"
    assert there.zero_shot_mse == pytest.approx(here.zero_shot_mse, rel=1e-4)
    assert there.adapted_mse == pytest.approx(here.adapted_mse, rel=1e-2)
    assert [row["step"] for row in curve if "loss" in row] == list(range(1, 31))


def test_a_closed_fit_leaves_no_process_and_no_file(model, recording, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    steps = adapt_apart.adapt_apart_steps(model, recording)
    while True:
        next(steps)
        running = processes_of(str(tmp_path))
        if running:
            break
        time.sleep(0.01)
    folder = next(part for part in running[0].split("\0") if "napari-calm-" in part)
    assert os.path.isdir(folder)
    steps.close()
    assert not os.path.exists(folder)
    assert not processes_of(folder)


def test_what_is_wrong_there_is_raised_here(recording):
    headless = CalmModel.random(seed=0, context_frames=16, max_frames=48)
    with pytest.raises(CalmError, match="head"):
        run(adapt_apart.adapt_apart_steps(headless, recording))


def test_the_curve_of_a_fit_that_begins_again_begins_again(model, recording, monkeypatch):
    """The other process goes to the CPU after two steps; what is watched follows."""
    seen = []

    def fit_steps(*_what, curve, tell, **_options):
        for steps in (2, 3):
            del curve[:]
            for step in range(steps):
                curve.append({"step": float(step), "loss": float(steps)})
                yield Progress(step, steps, "Adapting")
            if steps == 2:
                tell("on the CPU", True)
        raise CalmError("enough")

    class Here:
        """A caller in this process."""

        def __init__(self, on_sign, tell):
            self._on_sign, self.tell_shortage = on_sign, tell
            self.wants_end = lambda: False

        def tell(self, progress, **more):
            self._on_sign(more)
            seen.append([row["loss"] for row in curve])

    def here(_module, folder, *, on_sign, tell, **_options):
        yield Progress(0, 1, "starting")
        adapt_apart.main(folder, Here(on_sign, tell))

    monkeypatch.setattr(adapt_apart, "adapt_steps", fit_steps)
    monkeypatch.setattr(adapt_apart, "apart_steps", here)
    curve, told = [], []
    steps = adapt_apart.adapt_apart_steps(
        model, recording, curve=curve, tell=lambda *said: told.append(said)
    )
    with pytest.raises(CalmError, match="enough"):
        run(steps)
    assert seen == [[2.0], [2.0] * 2, [3.0], [3.0] * 2, [3.0] * 3]
    assert told == [("on the CPU", True)]
