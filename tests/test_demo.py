"""The demo as a user runs it: its own process, a real window, the bundled model."""

import subprocess
import sys

import numpy as np
import pandas as pd
from skimage.io import imread

from napari_calm.io.results import read_forecast


def test_the_demo_leaves_a_picture_a_forecast_and_its_error(tmp_path):
    code = "from napari_calm.cli import main; main()"
    command = [sys.executable, "-c", code, "demo", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    picture = imread(tmp_path / "window.png")[..., :3]
    assert picture.shape[0] > 600
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500
    forecast = read_forecast(tmp_path / "forecast.npz")
    table = pd.read_csv(tmp_path / "forecast.csv")
    np.testing.assert_allclose(
        table["mean_dff"].to_numpy().reshape(forecast.mean.shape), forecast.mean, rtol=1e-4
    )
    for name in ("skill.csv", "skill_over_starts.csv"):
        skill = pd.read_csv(tmp_path / name).set_index("method")
        assert {"CalM", "copy last", "AR"} <= set(skill.index)
        assert np.isfinite(skill["mse"]).all()
