import numpy as np
import pytest

from napari_calm.preprocess.baseline import running_baseline


@pytest.fixture
def traces():
    return np.random.default_rng(1).normal(100, 10, (3, 80))


def test_the_baseline_is_the_percentile_of_the_frames_up_to_each(traces):
    found = running_baseline(traces, 2.0, window_s=10, percentile=30)
    for neuron, trace in enumerate(traces):
        for t in range(trace.size):
            expected = np.percentile(trace[max(0, t - 19) : t + 1], 30)
            assert found[neuron, t] == pytest.approx(expected, rel=1e-6)


def test_later_frames_do_not_change_it(traces):
    before = running_baseline(traces, 2.0, window_s=10)
    traces[:, 50:] = 0
    np.testing.assert_array_equal(
        running_baseline(traces, 2.0, window_s=10)[:, :50], before[:, :50]
    )


def test_a_window_shorter_than_a_frame_is_the_frame_itself(traces):
    np.testing.assert_allclose(running_baseline(traces, 2.0, window_s=0.01), traces, rtol=1e-6)


def test_brief_transients_do_not_lift_it():
    trace = np.full((1, 300), 100.0)
    trace[0, ::10] = 500
    np.testing.assert_allclose(running_baseline(trace, 10.0, window_s=10)[0, 20:], 100)
