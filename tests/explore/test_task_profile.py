from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from sklearn.linear_model import LinearRegression

from napari_calm.core.errors import RecordingError
from napari_calm.core.recording import Recording
from napari_calm.explore.task_profile import TaskFit, task_vectors


def test_each_neuron_is_explained_by_what_it_is_tuned_to(task):
    fit = TaskFit(task)
    assert fit.columns == ("position_cm", "cue")
    shares = fit.shares()
    assert (shares[:4].argmax(axis=1) == 1).all()
    assert (shares[4:8].argmax(axis=1) == 0).all()
    assert shares[:4, 1].min() > 0.4
    assert shares[8:].max() < 0.1


def test_a_share_is_what_a_regression_loses_without_the_column(rng, monkeypatch):
    monkeypatch.setattr("napari_calm.explore.task_profile.RIDGE", 1e-12)
    a, b = rng.integers(0, 2, (2, 1200))
    traces = (a + 0.5 * b + rng.normal(size=(3, 1200))) * [[1], [2], [3]]
    recording = Recording(traces, 2.0, behaviour=pd.DataFrame({"a": a, "b": b}))
    keep = np.exp(-0.5)
    design = lfilter([1 - keep], [1, -keep], 2.0 * np.stack([a, b], axis=1) - 1, axis=0)
    y = recording.traces.T
    full = LinearRegression().fit(design, y).predict(design)
    less = LinearRegression().fit(design[:, 1:], y).predict(design[:, 1:])
    expected = (((y - less) ** 2).sum(0) - ((y - full) ** 2).sum(0)) / (y - y.mean(0)).var(0)
    np.testing.assert_allclose(TaskFit(recording).shares()[:, 0], expected / 1200, rtol=1e-3)


def test_blocks_are_fitted_by_themselves(task):
    half = TaskFit(task).shares(np.arange(10))
    other = TaskFit(task).shares(np.arange(10, 20))
    assert not np.allclose(half, other)
    assert (half[:4].argmax(axis=1) == 1).all()


def test_vectors_have_one_length_even_where_nothing_is_explained():
    vectors = task_vectors(np.array([[0.0, 0.0], [0.25, 0.0]]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert vectors[1, 0] > 0.999


def test_a_recording_without_columns_is_refused(task):
    with pytest.raises(RecordingError, match="no behaviour or trial column"):
        TaskFit(replace(task, behaviour=None, trials=None))
