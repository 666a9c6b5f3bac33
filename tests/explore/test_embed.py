import numpy as np
import pytest
import torch

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.recording import Recording
from napari_calm.explore.embed import embed, sources_of
from napari_calm.explore.neuron_embedding import NeuronEmbedding
from napari_calm.model.adaptation import Adaptation


def adapted_to(model, recording):
    return Adaptation(
        model_name=model.name,
        recording_name=recording.name,
        until_frame=recording.n_frames,
        roi_labels=recording.roi_labels,
        weights={
            "neuron_rows": torch.arange(12.0 * 16).reshape(12, 16),
            "session_row": torch.zeros(16),
        },
        zero_shot_mse=1.0,
        adapted_mse=0.5,
    ).apply(model)


def test_the_mean_is_that_of_the_hidden_states_and_halves_average_to_it(model, task):
    states = model.represent(task)
    found = embed(model, task, source="mean", representation=states, resamplings=3)
    np.testing.assert_allclose(found.vectors, states.hidden.mean(axis=1), atol=1e-5)
    assert found.halves.shape == (3, 2, 12, 16)
    # 240 tokens make 20 equal blocks.
    np.testing.assert_allclose(found.halves.mean(axis=1)[0], found.vectors, atol=1e-5)


def test_a_given_representation_gives_what_the_model_would_compute(model, task):
    given = embed(model, task, representation=model.represent(task), resamplings=1)
    np.testing.assert_array_equal(given.vectors, embed(model, task, resamplings=1).vectors)
    assert given.source == "coupling"


def test_task_vectors_know_the_columns_beside_the_coupling(model, task):
    found = embed(model, task, source="task", columns=["cue"], resamplings=0)
    assert found.columns == ("cue",)
    coupling = embed(model, task, resamplings=0)
    np.testing.assert_allclose(found.vectors[:, 1:], coupling.vectors, atol=1e-6)


def test_coactivity_knows_traces_and_states_and_no_drift(model, task):
    found = embed(model, task, source="coactivity", resamplings=2)
    np.testing.assert_allclose(np.linalg.norm(found.vectors[:, :8], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.vectors[:, 8:], axis=1), 1, atol=1e-5)
    assert found.halves.shape == (2, 2, *found.vectors.shape)
    drift = np.linspace(0, 10, task.n_frames) * task.traces.std(axis=1, keepdims=True)
    drifting = Recording(task.traces + drift, task.frame_rate_hz)
    states = model.represent(task)
    moved = embed(
        model, drifting, source="coactivity", representation=states, resamplings=0
    ).vectors
    likeness = (moved * found.vectors)[:, 8:].sum(axis=1)
    assert likeness.min() > 0.9


def test_rows_are_those_that_adapting_fitted(model, task):
    adapted = adapted_to(model, task)
    found = embed(adapted, task, source="row")
    np.testing.assert_array_equal(found.vectors.ravel(), np.arange(12.0 * 16))
    assert sources_of(adapted, task) == ["coupling", "coactivity", "task", "mean", "row"]
    assert sources_of(model, task) == ["coupling", "coactivity", "task", "mean"]
    with pytest.raises(CalmError, match=r"is not adapted.*Adapt it"):
        embed(model, task, source="row")


def test_what_cannot_be_embedded_is_told(model, task):
    few = Recording(task.traces[:3], 6.0)
    with pytest.raises(RecordingError, match="3 neurons are too few"):
        embed(model, few)
    with pytest.raises(
        RecordingError, match=r"10\.0 s are too short; expected at least 13\.3 s"
    ):
        embed(model, Recording(task.traces[:, :60], 6.0))
    with pytest.raises(CalmError, match="unknown source 'best'"):
        embed(model, task, source="best")
    with pytest.raises(RecordingError, match="'nose'"):
        embed(model, task, source="task", columns=["nose"])
    other = Recording(task.traces[:, :900], 6.0)
    with pytest.raises(CalmError, match=r"12 neurons x 900 frames, but planted has 12 x 960"):
        embed(model, task, representation=model.represent(other))


def test_vectors_with_nan_are_refused():
    with pytest.raises(CalmError, match="NaN or infinite"):
        NeuronEmbedding(np.array([[1.0, np.nan]]), "mean")
