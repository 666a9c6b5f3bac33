from dataclasses import replace

import numpy as np
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.decoding.states import coordinates_of, represent_frames


def test_no_state_knows_a_later_frame(model, recording, states):
    last = 200
    traces = recording.traces.copy()
    traces[:, last + 1 :] = traces[:, last + 1 :][:, ::-1] + 2.0
    changed = represent_frames(model, replace(recording, traces=traces))
    assert states.first_frame < last
    np.testing.assert_array_equal(
        changed.hidden[states.first_frame : last + 1],
        states.hidden[states.first_frame : last + 1],
    )
    assert (changed.hidden[last + 8 :] != states.hidden[last + 8 :]).any()


def test_a_frame_is_in_its_own_state(model, recording, states):
    frame = 203
    traces = recording.traces.copy()
    traces[:, frame] += 3.0
    changed = represent_frames(model, replace(recording, traces=traces))
    assert (changed.hidden[frame] != states.hidden[frame]).any()


def test_weights_of_coordinates_are_weights_of_the_states(states):
    coordinates = coordinates_of(states)
    weights = np.random.default_rng(0).standard_normal((coordinates.values.shape[1], 2))
    on_states, offset = coordinates.channel_weights(weights)
    flat = states.hidden.reshape(len(states.hidden), -1).astype(np.float64)
    np.testing.assert_allclose(
        flat @ on_states + offset, coordinates.values @ weights, rtol=1e-3, atol=2e-3
    )


def test_many_neurons_are_read_once_and_every_frame_keeps_its_newest_token(
    model, recording, monkeypatch
):
    from napari_calm.decoding import states as module

    monkeypatch.setattr(module, "MOST_NEURONS_EVERY_FRAME", 5)
    found = represent_frames(model, recording)
    assert found.renewed_every == model.config.tokenizer.stride
    whole = model.represent(recording)
    known = whole.known_token_of_frame()
    for frame in (30, 31, 200):
        np.testing.assert_allclose(
            found.hidden[frame], whole.hidden[:, known[frame]], atol=2e-3
        )


def test_states_that_do_not_fit_into_memory_are_refused_with_their_size(
    model, recording, monkeypatch
):
    from napari_calm.core import memory

    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(CalmError, match="hidden states of 14 neurons at 420 frames take"):
        represent_frames(model, recording)


def test_a_recording_shorter_than_a_context_is_refused(model, recording):
    short = replace(recording, traces=recording.traces[:, :9], behaviour=None)
    with pytest.raises(CalmError, match="frames"):
        represent_frames(model, short)
