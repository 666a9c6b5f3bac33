from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.recording import Recording
from napari_calm.decoding import fold, network_fit
from napari_calm.decoding.states import represent_frames
from napari_calm.model.calm import CalmModel
from napari_calm.preprocess.smooth import smooth_causally


@pytest.fixture(scope="package")
def model():
    return CalmModel.random(seed=3, context_frames=16, max_frames=64)


@pytest.fixture
def few_steps(monkeypatch):
    quick = replace(network_fit.OPTIMISER, steps=40, learning_rate=1e-2)
    monkeypatch.setattr(fold, "N_NETWORKS", 1)
    monkeypatch.setattr(network_fit, "OPTIMISER", quick)


def planted(seed, *, n_neurons=14, n_frames=420, name="animal"):
    """Neurons of which half follow a speed, beside columns that nothing follows."""
    rng = np.random.default_rng(seed)

    def slow(n):
        found = smooth_causally(rng.standard_normal((n, n_frames)), 0.3)
        return found / found.std(axis=1, keepdims=True)

    speed, unrelated = slow(2)
    weights = np.where(np.arange(n_neurons) % 2 == 0, rng.uniform(0.6, 1.2, n_neurons), 0)
    angle = np.cumsum(0.15 + 0.1 * unrelated)
    preferred = 2 * np.pi * np.arange(n_neurons) / n_neurons
    traces = weights[:, None] * speed + np.cos(angle - preferred[:, None])
    traces = traces + 0.4 * rng.standard_normal((n_neurons, n_frames))
    behaviour = pd.DataFrame(
        {
            "speed": speed,
            "unrelated": slow(1)[0],
            "running": np.where(speed > 0.6, "fast", "slow"),
            "heading": np.angle(np.exp(1j * angle)),
            "still": np.zeros(n_frames),
        }
    )
    return Recording(traces, 5.0, name, behaviour=behaviour)


@pytest.fixture(scope="package")
def plant():
    return planted


@pytest.fixture(scope="package")
def recording():
    return planted(0)


@pytest.fixture(scope="package")
def states(model, recording):
    return represent_frames(model, recording)
