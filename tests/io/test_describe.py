import json

import numpy as np
import pytest
import tifffile

from napari_calm.core.errors import RecordingError
from napari_calm.core.forecast import Forecast
from napari_calm.core.token_map import TokenMap
from napari_calm.io.labels import write_footprints
from napari_calm.io.read import describe
from napari_calm.io.results import write_forecast, write_tokens
from napari_calm.io.traces import write_recording


def facts(path, **options):
    """The description after a trip through JSON."""
    return json.loads(json.dumps(describe(path, **options), allow_nan=False))


def test_a_movie_alone(tmp_path, frames):
    tifffile.imwrite(tmp_path / "m.tif", frames, photometric="minisblack")
    found = facts(tmp_path / "m.tif")
    assert found["kind"] == "movie"
    assert (found["n_frames"], found["height_px"], found["width_px"]) == (40, 24, 32)
    assert found["frame_rate_hz"] is None
    assert found["duration_s"] is None
    assert facts(tmp_path / "m.tif", frame_rate_hz=8)["duration_s"] == 5


def test_rois(tmp_path, footprints):
    write_footprints(footprints, tmp_path / "rois.npz")
    tifffile.imwrite(tmp_path / "labels.tif", footprints.label_image.astype(np.uint16))
    archive, image = facts(tmp_path / "rois.npz"), facts(tmp_path / "labels.tif")
    assert (archive["kind"], image["kind"]) == ("footprints archive", "label image")
    assert archive["n_rois"] == image["n_rois"] == 3
    assert archive["n_overlapping_rois"] == 2


def test_traces_with_and_without_a_frame_rate(tmp_path, recording):
    write_recording(recording, tmp_path / "r.npz")
    found = facts(tmp_path / "r.npz")
    assert (found["kind"], found["n_neurons"], found["unit"]) == ("traces archive", 3, "dF/F")
    assert found["duration_s"] == pytest.approx(40 / 7.5)
    np.savez(tmp_path / "bare.npz", traces=recording.traces, fps=np.nan)
    assert facts(tmp_path / "bare.npz")["frame_rate_hz"] is None


def test_a_suite2p_folder(suite2p_plane):
    found = facts(suite2p_plane.parent)
    assert found["kind"] == "suite2p folder"
    assert (found["n_rois"], found["n_cells"], found["n_frames"]) == (4, 2, 60)
    assert (found["height_px"], found["width_px"], found["duration_s"]) == (20, 30, 4)
    assert "stat.npy" in found["files"]


def test_a_session_folder(tmp_path, frames, footprints, recording):
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    write_footprints(footprints, tmp_path / "footprints.npz")
    recording.trials.to_csv(tmp_path / "trials.csv", index=False)
    found = facts(tmp_path)
    assert (found["kind"], found["n_rois"], found["n_trials"]) == ("session folder", 3, 2)
    assert found["behaviour"] is None


def test_results(tmp_path):
    zeros = np.zeros((2, 4))
    write_forecast(
        Forecast(zeros, zeros[None], [0.5], zeros[None], 8, 4.0, zeros[:, 0], zeros[:, 0] + 1),
        tmp_path / "f.npz",
    )
    write_tokens(TokenMap(zeros.astype(int), 16, 4, 6.0, 4.0, 12), tmp_path / "t.npz")
    forecast, tokens = facts(tmp_path / "f.npz"), facts(tmp_path / "t.npz")
    assert (forecast["kind"], forecast["start_s"], forecast["n_neurons"]) == ("forecast", 2, 2)
    assert (tokens["kind"], tokens["n_used_codes"], tokens["duration_s"]) == ("token map", 1, 3)


def test_a_checkpoint_shows_its_config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"name": "calm-mini", "n_codes": 128}))
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    found = facts(tmp_path)
    assert (found["kind"], found["name"], found["weights_bytes"]) == (
        "checkpoint",
        "calm-mini",
        5,
    )
    assert found["config"]["n_codes"] == 128


def test_a_missing_path_is_told(tmp_path):
    with pytest.raises(RecordingError, match="no such file or folder"):
        describe(tmp_path / "nothing")


def test_a_movie_that_was_cut_short_is_not_taken_for_rois(tmp_path):
    frames = np.random.default_rng(0).integers(0, 900, (12, 64, 64)).astype(np.uint16)
    path = tmp_path / "movie.tif"
    with tifffile.TiffWriter(path) as tif:
        for frame in frames:
            tif.write(frame, contiguous=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: 64 * 64 * 2 + 600])
    with pytest.raises(RecordingError, match=r"movie.tif: the TIFF file is truncated"):
        describe(path)
