from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_calm.core.errors import CalmError, CheckpointError, RecordingError
from napari_calm.core.recording import Recording
from napari_calm.model.adaptation import load_adaptation
from napari_calm.model.calm import CalmModel
from napari_calm.train.adapt import AdaptConfig, adapt
from napari_calm.train.config import OptimiserConfig

QUICK = AdaptConfig(
    optimiser=OptimiserConfig(steps=40, learning_rate=3e-3, average_decay=0.8, patience=3),
    batch_populations=4,
)


def a_model():
    return CalmModel.random(seed=1, head=True, context_frames=16, max_frames=32)


def a_ring(n_neurons=8, n_frames=900, seed=0):
    """Neurons that fire one after the other: the next frame is in the others' last one."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_neurons, n_frames))
    for t in range(1, n_frames):
        x[:, t] = 0.97 * np.roll(x[:, t - 1], 1) + rng.normal(size=n_neurons)
    return Recording(x, 6.0, name=f"ring {seed}")


@pytest.fixture(scope="module")
def adapted_ring():
    model, recording = a_model(), a_ring()
    return model, recording, adapt(model, recording, until_frame=700, config=QUICK)


def errors(model, recording, starts=range(720, 880, 8)):
    found = []
    for start in starts:
        forecast = model.forecast(
            recording, start_frame=start, horizon_frames=8, samples=0, statistics_until=700
        )
        found.append((forecast.mean - recording.traces[:, start : start + 8]) ** 2)
    return np.mean(found)


def test_adapting_learns_who_follows_whom(adapted_ring):
    model, recording, adaptation = adapted_ring
    assert adaptation.helped
    assert adaptation.adapted_mse < 0.8 * adaptation.zero_shot_mse
    adapted = adaptation.apply(model)
    assert errors(adapted, recording) < 0.8 * errors(model, recording)
    assert "ring 0" in adapted.title


def test_the_backbone_and_the_model_itself_stay_as_they_are(adapted_ring):
    model, _, adaptation = adapted_ring
    fresh = a_model()
    for name, tensor in fresh.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name
    adapted = adaptation.apply(model)
    for name, tensor in adapted.dynamics.blocks.state_dict().items():
        assert torch.equal(tensor, fresh.dynamics.blocks.state_dict()[name]), name
    for name, tensor in adapted.tokenizer.state_dict().items():
        assert torch.equal(tensor, fresh.tokenizer.state_dict()[name]), name


def test_no_frame_after_until_frame_is_looked_at(adapted_ring):
    model, recording, adaptation = adapted_ring
    traces = recording.traces.copy()
    traces[:, 700:] += 100
    again = adapt(model, Recording(traces, 6.0, name="x"), until_frame=700, config=QUICK)
    for name, tensor in adaptation.weights.items():
        assert torch.equal(tensor, again.weights[name]), name


def test_where_nothing_can_be_learned_the_zero_shot_model_is_kept():
    model = a_model()
    with torch.no_grad():
        model.forecast_head.skip.zero_()
        # Back to the long mean: the best there is about white noise.
        model.forecast_head.skip[:, -1] = -1
    noise = Recording(np.random.default_rng(0).normal(size=(6, 500)), 6.0, name="noise")
    optimiser = replace(QUICK.optimiser, learning_rate=1.0, patience=1)
    reckless = replace(QUICK, optimiser=optimiser)
    adaptation = adapt(model, noise, config=reckless)
    assert not adaptation.helped
    assert "zero-shot model is kept" in adaptation.verdict()
    adapted = adaptation.apply(model)
    assert "zero-shot" in adapted.title
    request = {"start_frame": 300, "horizon_frames": 8, "samples": 0}
    np.testing.assert_array_equal(
        adapted.forecast(noise, **request).mean, model.forecast(noise, **request).mean
    )


def test_saved_and_loaded_an_adaptation_forecasts_the_same(adapted_ring, tmp_path):
    model, recording, adaptation = adapted_ring
    path = adaptation.save(tmp_path / "ring.adaptation.safetensors")
    again = load_adaptation(path)
    assert again.verdict() == adaptation.verdict()
    request = {"start_frame": 800, "horizon_frames": 8, "samples": 3}
    np.testing.assert_array_equal(
        adaptation.apply(model).forecast(recording, **request).samples,
        again.apply(model).forecast(recording, **request).samples,
    )


def test_an_adaptation_belongs_to_its_recording_and_its_model(adapted_ring, tmp_path):
    model, recording, adaptation = adapted_ring
    adapted = adaptation.apply(model)
    fewer = Recording(recording.traces[:5], 6.0)
    with pytest.raises(RecordingError, match="Adapt to this recording"):
        adapted.forecast(fewer, start_frame=300, horizon_frames=8)
    other = a_model()
    other.config = replace(other.config, name="other")
    with pytest.raises(CheckpointError, match="made for the model random"):
        adaptation.apply(other)
    with pytest.raises(CheckpointError, match="kept as its adaptation"):
        adapted.save(tmp_path / "copy")
    with pytest.raises(CalmError, match="adapted to ring 0 already"):
        adapt(adapted, recording)


def test_a_file_that_is_no_adaptation_is_explained(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match="not readable"):
        load_adaptation(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="not readable"):
        load_adaptation(path)


def test_too_short_a_recording_and_a_model_without_head_are_explained():
    with pytest.raises(RecordingError, match="zero-shot"):
        adapt(a_model(), a_ring(n_frames=38))
    with pytest.raises(CalmError, match="no forecast head"):
        adapt(CalmModel.random(), a_ring())
