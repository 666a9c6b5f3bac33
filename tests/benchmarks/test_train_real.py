import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def train_real(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import train_real

    return train_real


@pytest.fixture
def folder(tmp_path):
    """Six flies and four worms; the held-out ones are not even readable."""
    rng = np.random.default_rng(0)
    for species, n_animals, every in (("fly", 6, 3), ("worm", 4, 2)):
        for number in range(n_animals):
            path = tmp_path / species / f"{species}{number}.npz"
            path.parent.mkdir(exist_ok=True)
            if number % every == 0:
                path.write_bytes(b"must never be opened")
                continue
            traces = np.cumsum(rng.normal(size=(5, 300)), axis=1)
            np.savez(path, traces=traces.astype(np.float32), fps=4.0)
    return tmp_path


def test_no_held_out_animal_is_opened(train_real, folder):
    names = [recording.name for recording in train_real.training_animals(folder)]
    assert names == ["fly1", "fly2", "fly4", "fly5", "worm1", "worm3"]


def test_the_model_of_the_tables_sees_no_held_out_animal_and_no_test_part(
    train_real, folder, tmp_path, monkeypatch
):
    """Training twice, once with other test parts, gives the same networks' input."""
    from napari_calm.train.data import WindowSampler

    drawn = []
    real = WindowSampler.training_window

    def noted(self, rng, n_neurons):
        window = real(self, rng, n_neurons)
        drawn.append(window.start + window.future.shape[1])
        return window

    monkeypatch.setattr(WindowSampler, "training_window", noted)
    tiny = (Path(__file__).parents[1] / "data" / "tiny.toml").read_text()
    config = tmp_path / "tiny.toml"
    text = tiny.split("[[data.simulated]]")[0] + "[data]\nvalidation_share = 0.3\n"
    config.write_text(text)
    command = ["train_real.py", "--data", folder, "--out", tmp_path / "m", "--config", config]
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    assert train_real.main() == 0
    assert max(drawn) <= 0.7 * 300
    from napari_calm.model.checkpoint import load_model

    trained_on = load_model(tmp_path / "m", device="cpu").config.trained_on
    assert trained_on == ("fly1", "fly2", "fly4", "fly5", "worm1", "worm3")
