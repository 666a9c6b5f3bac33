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
    left, total = ((y - full) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
    # One regressor of noise in a third of 1200 independent bins.
    expected = ((((y - less) ** 2).sum(0) - left) - left * 3 / 1200) / total
    np.testing.assert_allclose(TaskFit(recording).shares()[:, 0], expected, rtol=1e-3)


def test_noise_explains_nothing(rng):
    noise = Recording(
        rng.normal(size=(30, 1200)), 2.0, behaviour=pd.DataFrame({"a": rng.normal(size=1200)})
    )
    assert np.median(TaskFit(noise).shares()) == 0


def test_blocks_are_fitted_by_themselves(task):
    half = TaskFit(task).shares(np.arange(10))
    other = TaskFit(task).shares(np.arange(10, 20))
    assert not np.allclose(half, other)
    assert (half[:4].argmax(axis=1) == 1).all()


def test_vectors_tell_what_is_explained_by_what_and_hardly_explained_ones_are_short():
    vectors = task_vectors(np.array([[0.5, 0.0], [0.25, 0.25], [0.001, 0.0], [0.0, 0.0]]))
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[0] == pytest.approx(1.5, rel=0.05)
    assert lengths[1] == pytest.approx(lengths[0])
    assert vectors[1, 0] == vectors[1, 1]
    assert lengths[2] < 0.3
    assert lengths[3] == 0


def test_a_recording_without_columns_is_refused(task):
    with pytest.raises(RecordingError, match="no behaviour or trial column"):
        TaskFit(replace(task, behaviour=None, trials=None))
