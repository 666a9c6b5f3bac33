"""Real recordings, where they lie beside the project (or CALM_DATA says where)."""

import os
from pathlib import Path

import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.read import describe, read_recording
from napari_calm.io.suite2p import read_suite2p_mean_image

BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
DATA = Path(os.environ.get("CALM_DATA", BESIDE))
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="no shared recordings (set CALM_DATA to their folder)"
)


@pytest.mark.parametrize("folder", ["worm", "fly", "bee", "zebrafish", "mouse_position"])
def test_real_traces_are_read(folder):
    for path in sorted((DATA / folder).glob("*.npz"))[:4]:
        found = read_recording(path, frame_rate_hz=5, drop_unusable=True)
        assert np.isfinite(found.traces).all()
        if folder != "zebrafish":
            assert len(found.behaviour.columns) >= 2


def test_a_real_rate_that_is_not_recorded_is_asked_for():
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_recording(DATA / "zebrafish" / "zf_20151104-f1.npz")


def test_a_real_trial_of_nan_is_told():
    path = DATA / "bee" / "PTX_3.npz"
    if not path.is_file():
        pytest.skip("this copy lacks the recording with a trial of NaN")
    with pytest.raises(RecordingError, match="NaN"):
        read_recording(path)


def test_a_real_movie_is_extracted():
    folder = DATA / "formats" / "movie"
    found = read_recording(
        folder / "two_photon_mouse.tif",
        rois=folder / "two_photon_mouse_labels.tif",
        frame_rate_hz=10,
    )
    assert found.traces.shape == (70, 1000)
    frame = np.asarray(found.movie.frames[999]).ravel()
    means = found.footprints.weights @ frame / found.footprints.areas_px
    assert np.corrcoef(means, found.traces[:, 999])[0, 1] > 0


def test_a_real_suite2p_folder_is_read():
    folder = DATA / "formats" / "suite2p"
    found = read_recording(folder)
    assert (found.n_neurons, found.n_frames, found.frame_rate_hz) == (219, 2000, 10)
    assert found.footprints.image_shape == read_suite2p_mean_image(folder).shape == (608, 608)
    assert describe(folder)["n_rois"] == 219
