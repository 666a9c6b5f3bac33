import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_calm.core.errors import CheckpointError
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import available_models, load_model


@pytest.fixture
def folder(tmp_path):
    return CalmModel.random(seed=3).save(tmp_path / "model", card="Made by a test.")


def test_a_saved_model_forecasts_the_same(folder):
    recording = Recording(np.random.default_rng(0).normal(size=(4, 90)), frame_rate_hz=6.0)
    settings = {"start_frame": 60, "horizon_frames": 8, "samples": 3}
    loaded = load_model(folder, device="cpu")
    np.testing.assert_array_equal(
        loaded.forecast(recording, **settings).samples,
        CalmModel.random(seed=3).forecast(recording, **settings).samples,
    )
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip
    assert "Made by a test." in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", available_models())
def test_bundled_models_load_by_name(name):
    assert load_model(name, device="cpu").name == name


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load_model(folder)


def test_an_unknown_name_lists_the_bundled_ones():
    with pytest.raises(CheckpointError, match="Bundled are"):
        load_model("no-such-model")


def test_a_wrong_shape_is_named(folder):
    weights = load_file(folder / "model.safetensors")
    weights["dynamics.norm_out.weight"] = torch.ones(5)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"norm_out.weight is \(5,\), expected \(16,\)"):
        load_model(folder)


def test_missing_and_unknown_weights_are_named(folder):
    weights = load_file(folder / "model.safetensors")
    weights["surplus"] = weights.pop("dynamics.norm_out.weight")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"missing dynamics\.norm_out\.weight; unknown surplus"
    ):
        load_model(folder)


def test_weights_that_are_not_numbers_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["dynamics.norm_out.weight"][0] = torch.nan
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        load_model(folder)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("disguise", ["pickle", "torch"])
def test_a_pickle_in_disguise_is_refused_and_does_not_run(folder, tmp_path, disguise):
    trap = tmp_path / "trap"
    content = {"weights": Payload(trap)}
    if disguise == "pickle":
        (folder / "model.safetensors").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="It is a pickle"):
        load_model(folder)
    assert not trap.exists()


def test_a_truncated_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format_version is 99"),
        ({"surprise": 1}, "unknown surprise"),
        ({"tokenizer": {"width": 15, "n_heads": 2}}, "does not split into 2 heads"),
        ({"tokenizer": [1]}, "expected a table"),
        ({"preprocessing": {"smoothing_alpha": 0}}, "smoothing_alpha is 0"),
        ({"preprocessing": {"frame_rate_range_hz": "ab"}}, "expected two rates"),
        ({"tokenizer": None}, "expected a table"),
        ({"tokenizer": {"window": 4.0}}, "expected int"),
        ({"dynamics": {"n_layers": "2"}}, "expected int"),
        ({"dynamics": {"max_neurons": 0}}, "expected 1 or more"),
        ({"name": 5}, "expected str"),
    ],
)
def test_an_impossible_configuration_is_explained(folder, change, message):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=message) as error:
        load_model(folder)
    assert str(path) in str(error.value)


def test_sizes_are_compared_before_memory_is_taken(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    values["dynamics"]["n_neurons"] = 10**12
    path.write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="asks for about 16,000,"):
        load_model(folder)


def test_the_expected_number_of_weights_is_about_right():
    for model in (CalmModel.random(), *map(load_model, available_models())):
        found = sum(tensor.numel() for tensor in model.state_dict().values())
        assert 0.8 * found < model.config.n_weights_about <= found


def test_weights_that_are_no_real_numbers_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["dynamics.norm_out.weight"] = torch.ones(16, dtype=torch.int64)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="not real numbers"):
        load_model(folder)


def test_a_configuration_that_is_not_json_is_explained(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not readable as JSON"):
        load_model(folder)


def test_a_device_that_is_not_there_is_explained(folder):
    from napari_calm.core.errors import CalmError
    from napari_calm.model.device import available_devices

    missing = next((d for d in ("mps", "cuda") if d not in available_devices()), None)
    if missing is None:
        pytest.skip("this machine has every device")
    with pytest.raises(CalmError, match="not available here"):
        load_model(folder, device=missing)
