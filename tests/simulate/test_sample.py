from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_calm.core.errors import CalmError
from napari_calm.simulate import sample
from napari_calm.simulate.sample import sample_folder, write_sample


def test_the_sample_made_again_is_the_same_byte_for_byte(tmp_path):
    write_sample(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {
        path.name: path.read_bytes()
        for path in sample_folder().iterdir()
        if path.name != "README.md"
    }
    assert set(made) == set(kept)
    for name in kept:
        assert made[name] == kept[name], f"{name} differs from the one in sample_data"


def test_the_sample_is_small():
    assert sum(path.stat().st_size for path in sample_folder().iterdir()) < 10e6


def test_the_sample_holds_every_neuron_group_side_and_at_least_eight_trials():
    folder = sample_folder()
    labels = tifffile.imread(folder / "labels.tif")
    with np.load(folder / "truth.npz") as truth:
        groups, counts = np.unique(truth["group"], return_counts=True)
    trials = pd.read_csv(folder / "trials.csv")
    assert set(np.unique(labels)) == set(range(49))
    assert set(groups) == {"cue", "choice", "position", "running", "ungrouped"}
    assert counts.min() >= 5
    assert len(trials) >= 8
    assert set(trials["cue"]) == set(trials["choice"]) == {"left", "right"}
    assert trials["correct"].nunique() == 2


def test_the_readme_names_every_file():
    text = (sample_folder() / "README.md").read_text(encoding="utf-8")
    for path in sample_folder().iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in text


def test_the_sample_of_an_installed_package_goes_first(tmp_path, monkeypatch):
    module = tmp_path / "site" / "napari_calm" / "simulate" / "sample.py"
    inside = tmp_path / "site" / "napari_calm" / "sample_data"
    inside.mkdir(parents=True)
    (inside / "movie.tif").touch()
    monkeypatch.setattr(sample, "__file__", str(module))
    assert sample_folder() == inside


def test_a_missing_sample_says_where_it_was_looked_for(tmp_path, monkeypatch):
    module = Path(tmp_path, "a", "b", "napari_calm", "simulate", "sample.py")
    monkeypatch.setattr(sample, "__file__", str(module))
    with pytest.raises(CalmError, match=r"no movie\.tif.*napari-calm simulate --sample"):
        sample_folder()
