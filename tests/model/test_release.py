import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_calm.core.errors import CheckpointError
from napari_calm.core.recording import Recording
from napari_calm.model.checkpoint import load_model, save_model
from napari_calm.model.release import import_release

VECTORS = Path(__file__).parents[1] / "data" / "calm_tiny.npz"


@pytest.fixture(scope="module")
def release():
    with np.load(VECTORS) as archive:
        parts = {
            part: {
                key.removeprefix(f"{part}/sd/"): torch.from_numpy(archive[key])
                for key in archive.files
                if key.startswith(f"{part}/sd/")
            }
            for part in ("nq", "dat", "head")
        }
        return parts | {"config": json.loads(str(archive["cfg"]))}


def imported(release, **changes):
    return import_release(
        **{"tokenizer": release["nq"], "dynamics": release["dat"], "behaviour": release["head"],
           "config": release["config"]} | changes
    )  # fmt: skip


def test_an_imported_model_survives_saving(release, tmp_path):
    model = imported(release)
    loaded = load_model(save_model(model, tmp_path / "model"), device="cpu")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name
    assert loaded.config == model.config


def test_files_with_compile_prefixes_and_averaged_weights_are_understood(release, tmp_path):
    compiled = {f"_orig_mod.{k}": v for k, v in release["nq"].items()}
    torch.save(compiled, tmp_path / "nq.pt")
    raw = {k: torch.zeros_like(v) for k, v in release["dat"].items()}
    averaged = {f"module.{k}": v for k, v in release["dat"].items()}
    training = {
        "epoch": 3,
        "model": raw,
        "model_ema": averaged,
        "cfg": release["config"]["dat"],
    }
    torch.save(training, tmp_path / "dat.pt")
    torch.save({"head": release["head"]}, tmp_path / "head.pt")
    (tmp_path / "config.json").write_text(
        json.dumps({k: release["config"][k] for k in ("nq", "head")})
    )
    model = import_release(
        tokenizer=tmp_path / "nq.pt", dynamics=tmp_path / "dat.pt",
        behaviour=tmp_path / "head.pt", config=tmp_path / "config.json",
    )  # fmt: skip
    expected = imported(release).state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_an_imported_model_forecasts_a_recording_it_has_no_rows_for(release):
    recording = Recording(np.random.default_rng(0).normal(size=(30, 90)), frame_rate_hz=6.0)
    model = imported(release)
    forecast = model.forecast(recording, start_frame=60, horizon_frames=12, samples=2)
    known = model.forecast(
        recording, start_frame=60, horizon_frames=12, samples=2,
        neuron_ids=np.arange(30) % 23, session_id=1,
    )  # fmt: skip
    assert np.isfinite(forecast.mean).all()
    assert not np.array_equal(forecast.mean, known.mean)
    assert forecast.smoothing_alpha == 0.15


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_release_file_does_not_run(release, tmp_path):
    torch.save({"w": Payload(tmp_path / "trap")}, tmp_path / "nq.pt")
    with pytest.raises(CheckpointError, match="not a file of plain weights"):
        imported(release, tokenizer=tmp_path / "nq.pt")
    assert not (tmp_path / "trap").exists()


def without(weights, key):
    return {k: v for k, v in weights.items() if k != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: {"tokenizer": r["dat"]}, "has no place in the model"),
        (lambda r: {"tokenizer": without(r["nq"], "codebook.weight")}, "missing tokenizer"),
        (lambda r: {"dynamics": without(r["dat"], "neu_emb.weight")}, "neuron_embed"),
        (lambda r: {"dynamics": r["dat"] | {"tok_emb.weight": torch.ones(3, 4)}}, r"\(3, 4\)"),
        (lambda r: {"tokenizer": "nowhere.pt"}, "no such file"),
        (lambda r: {"config": {"dat": {}}}, "'nq' is missing"),
        (lambda r: {"config": r["config"] | {"nq": {}}}, "overlap_window is missing"),
        (lambda r: {"tokenizer": {}}, "holds no weights"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(release, change, message):
    with pytest.raises(CheckpointError, match=message):
        imported(release, **change(release))
