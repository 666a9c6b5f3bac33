"""Averages of all traces over ever longer bins, against means taken directly."""

import numpy as np
import pytest

from napari_calm.core.progress import run
from napari_calm.widgets.trace_levels import trace_levels_steps


@pytest.mark.parametrize("n_frames", [4096, 5003, 4095, 1023, 1025, 4111, 100])
def test_every_level_holds_means_of_z_also_where_bins_do_not_fit(n_frames):
    traces = np.random.default_rng(0).normal(5, 2, (70, n_frames)).astype(np.float32)
    found = run(trace_levels_steps(traces))
    assert found.traces is traces
    z = (traces - traces.mean(axis=1, keepdims=True)) / traces.std(axis=1, keepdims=True)
    for level, means in enumerate(found.levels, 1):
        starts = range(0, n_frames, 4**level)
        expected = np.stack([z[:, at : at + 4**level].mean(axis=1) for at in starts], axis=1)
        np.testing.assert_allclose(means, expected, atol=2e-3)
    assert len(found.levels) == sum(-(-n_frames // 4**level) >= 256 for level in range(1, 9))


def test_levels_take_a_sixth_of_the_traces_memory():
    traces = np.random.default_rng(0).normal(size=(64, 20_000)).astype(np.float32)
    levels = run(trace_levels_steps(traces)).levels
    assert sum(level.nbytes for level in levels) < 0.18 * traces.nbytes
