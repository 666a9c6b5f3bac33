from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.footprints import Footprints
from napari_calm.core.recording import Recording

HEIGHT, WIDTH, N_FRAMES = 24, 32, 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def frames(rng):
    return rng.integers(50, 2000, (N_FRAMES, HEIGHT, WIDTH)).astype(np.uint16)


@pytest.fixture
def footprints():
    """Three weighted ROIs; the first two share pixels."""
    pixels = [
        (np.array([2, 2, 3]), np.array([4, 5, 4]), np.array([1.0, 2.0, 3.0])),
        (np.array([3, 3, 4]), np.array([4, 5, 5]), np.array([1.0, 1.0, 0.5])),
        (np.array([20, 21]), np.array([30, 31]), np.array([0.2, 0.8])),
    ]
    return Footprints.from_pixels(pixels, (HEIGHT, WIDTH), label_values=np.array([3, 7, 9]))


@pytest.fixture
def recording(rng, footprints):
    return Recording(
        rng.normal(size=(3, N_FRAMES)),
        frame_rate_hz=7.5,
        name="a session",
        footprints=footprints,
        behaviour=pd.DataFrame(
            {
                "velocity_mm_per_s": rng.normal(size=N_FRAMES),
                "lick": rng.integers(0, 2, N_FRAMES).astype(bool),
                "state": np.where(np.arange(N_FRAMES) < 20, "rest", "run"),
            }
        ),
        trials=pd.DataFrame(
            {"start_frame": [0, 20], "stop_frame": [20, 40], "cue": ["left", "right"]}
        ),
    )


@pytest.fixture
def suite2p_plane(tmp_path, rng):
    """A suite2p folder as version 0.x writes it: 4 ROIs, 60 frames, 20 x 30 pixels."""
    return write_suite2p_plane(tmp_path / "mouse7" / "suite2p" / "plane0", rng)


def write_suite2p_plane(plane: Path, rng, *, n_rois=4, n_frames=60, shape=(20, 30)) -> Path:
    plane.mkdir(parents=True)
    stat = np.empty(n_rois, object)
    for roi in range(n_rois):
        rows, columns = np.mgrid[roi * 3 : roi * 3 + 4, 2:6].reshape(2, -1)
        stat[roi] = {
            "ypix": rows,
            "xpix": columns,
            "lam": rng.uniform(0.1, 1, rows.size).astype(np.float32),
            "overlap": np.zeros(rows.size, bool),
            "med": [roi * 3 + 2, 4],
            "npix": rows.size,
        }
    np.save(plane / "stat.npy", stat, allow_pickle=True)
    raw = rng.uniform(200, 400, (n_rois, n_frames)).astype(np.float32)
    np.save(plane / "F.npy", raw)
    np.save(plane / "Fneu.npy", (0.8 * raw + rng.normal(size=raw.shape)).astype(np.float32))
    np.save(plane / "iscell.npy", np.array([[1, 0.9], [0, 0.1], [1, 0.7], [0, 0.2]])[:n_rois])
    ops = {
        "fs": 15.0,
        "Ly": shape[0],
        "Lx": shape[1],
        "nframes": n_frames,
        "meanImg": rng.uniform(size=shape).astype(np.float32),
        "tau": np.float64(1.2),
        "save_path": str(plane),
    }
    np.save(plane / "ops.npy", np.array(ops, dtype=object), allow_pickle=True)
    return plane
