from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.recording import Recording
from napari_calm.core.representation import Representation
from napari_calm.model.calm import CalmModel
from napari_calm.model.forecasting import prepare_context


@pytest.fixture(scope="module")
def model():
    return CalmModel.random(seed=3, context_frames=16, max_frames=32)


def a_recording(n_neurons=5, n_frames=101, seed=0):
    rng = np.random.default_rng(seed)
    return Recording(np.cumsum(rng.normal(size=(n_neurons, n_frames)), axis=1), 6.0)


def test_a_state_is_what_the_dynamics_say_of_the_context_and_block_before_it(model):
    recording = a_recording()
    found = model.represent(recording)
    # Frames 48 to 64 are the third block; its context begins at 32.
    context = prepare_context(model, recording, 48)
    units = context.normalisation.apply(recording.traces[:, 32:64]).astype(np.float32)
    with torch.no_grad():
        tokens = model.tokenizer.tokenize(torch.as_tensor(units))
        expected = model.dynamics(tokens[None])[0, :, 4:].numpy()
    np.testing.assert_allclose(found.hidden[:, 12:16], expected, atol=1e-5)
    assert found.hidden.shape == (5, 26, 16)


def test_a_state_depends_on_no_frame_after_its_token(model):
    recording = a_recording()
    found = model.represent(recording).hidden
    for frame in (17, 40, 63, 100):
        traces = recording.traces.copy()
        traces[:, frame:] += 10 * np.random.default_rng(frame).normal(size=(5, 101 - frame))
        changed = model.represent(Recording(traces, 6.0)).hidden
        np.testing.assert_array_equal(changed[:, : frame // 4], found[:, : frame // 4])
        assert not np.allclose(changed[:, frame // 4], found[:, frame // 4])


def test_the_known_token_of_a_frame_is_complete_when_the_frame_ends(model):
    found = model.represent(a_recording())
    known = found.known_token_of_frame()
    assert known[:9].tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1]
    fast = Recording(np.random.default_rng(0).normal(size=(3, 90)), 20.0)
    shown_at_10_hz = model.represent(fast)
    assert shown_at_10_hz.model_rate_hz < 20
    for frame, token in enumerate(shown_at_10_hz.known_token_of_frame()):
        assert (token + 1) * shown_at_10_hz.token_duration_s <= (frame + 1) / 20 + 1e-9


def test_a_large_population_is_read_in_groups():
    small = CalmModel.random(seed=3, context_frames=16, max_frames=32)
    whole = small.represent(a_recording(12)).hidden
    small.config = replace(small.config, dynamics=replace(small.config.dynamics, max_neurons=5))
    grouped = small.represent(a_recording(12)).hidden
    assert grouped.shape == whole.shape
    assert not np.allclose(grouped, whole)
    np.testing.assert_array_equal(grouped, small.represent(a_recording(12)).hidden)


def test_too_short_a_recording_and_impossible_rows_are_explained(model):
    with pytest.raises(RecordingError, match="longer recording"):
        model.represent(a_recording(n_frames=12))
    with pytest.raises(CalmError, match="neuron_ids"):
        model.represent(a_recording(), neuron_ids=np.arange(5))
    with pytest.raises(CalmError, match="neurons, tokens, width"):
        Representation(np.zeros((3, 4)), 4, 6.0, 6.0, 16)
