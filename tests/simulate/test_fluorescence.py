import numpy as np
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.simulate.fluorescence import (
    INDICATORS,
    Indicator,
    find_indicator,
    slow_drift,
    spikes_to_dff,
)


@pytest.mark.parametrize(
    ("name", "peak_s", "half_decay_s", "peak_dff"),
    [("gcamp6s", 0.179, 0.550, 0.23), ("gcamp6f", 0.045, 0.142, 0.19)],
)
def test_a_spike_peaks_and_halves_when_chen_et_al_say(name, peak_s, half_decay_s, peak_dff):
    time_s = np.arange(0, 3, 1e-4)
    dff = INDICATORS[name].kernel(time_s)
    peak = dff.argmax()
    half = peak + np.argmax(dff[peak:] < dff[peak] / 2)
    assert time_s[peak] == pytest.approx(peak_s, abs=2e-4)
    assert time_s[half] - time_s[peak] == pytest.approx(half_decay_s, abs=2e-4)
    assert dff[peak] == pytest.approx(peak_dff, rel=1e-4)


@pytest.mark.parametrize("frame_rate_hz", [2.0, 6.0, 30.0])
def test_fluorescence_is_the_sum_of_kernels_at_the_moments_of_the_spikes(frame_rate_hz):
    spikes = np.random.default_rng(0).poisson(0.3, (5, 80))
    indicator = INDICATORS["gcamp6f"]
    amplitude = np.linspace(0.5, 2, 5)
    dff = spikes_to_dff(
        spikes,
        indicator,
        frame_rate_hz=frame_rate_hz,
        rng=np.random.default_rng(1),
        amplitude=amplitude,
    )
    # The same draw of the moments, one for each spike in order, summed one by one.
    before_end_s = np.random.default_rng(1).random(spikes.sum()) / frame_rate_hz
    neuron, frame = (np.repeat(index, spikes[spikes > 0]) for index in np.nonzero(spikes))
    expected = np.zeros(spikes.shape)
    frame_end_s = np.arange(80) / frame_rate_hz
    for n, f, before in zip(neuron, frame, before_end_s, strict=True):
        since_spike = frame_end_s - (frame_end_s[f] - before)
        expected[n] += amplitude[n] * np.where(
            since_spike >= 0, indicator.kernel(since_spike), 0
        )
    np.testing.assert_allclose(dff, expected, atol=1e-12)


def test_a_spike_changes_no_earlier_frame():
    spikes = np.zeros((1, 50), int)
    spikes[0, 20] = 3
    dff = spikes_to_dff(
        spikes, INDICATORS["gcamp6s"], frame_rate_hz=6.0, rng=np.random.default_rng(0)
    )
    assert (dff[0, :20] == 0).all()
    assert (dff[0, 20:] > 0).all()


def test_saturation_bounds_the_bright_and_leaves_the_dim():
    spikes = np.array([[0, 1, 0, 0, 0], [0, 500, 500, 500, 500]])
    options = {"frame_rate_hz": 6.0}
    indicator = INDICATORS["gcamp6s"]
    free = spikes_to_dff(spikes, indicator, rng=np.random.default_rng(0), **options)
    bound = spikes_to_dff(
        spikes, indicator, rng=np.random.default_rng(0), saturation_dff=5.0, **options
    )
    np.testing.assert_allclose(bound, 1 / (1 / np.maximum(free, 1e-300) + 1 / 5), atol=1e-12)
    assert bound.max() < 5 < free.max()
    np.testing.assert_allclose(bound[0], free[0], rtol=0.05)


def test_drift_has_unit_size_and_takes_minutes():
    drift = slow_drift(np.random.default_rng(0), 500, 6000, frame_rate_hz=6.0)
    assert np.sqrt((drift**2).mean()) == pytest.approx(1, abs=0.2)
    assert np.abs(np.diff(drift, axis=1)).max() < 0.03


def test_indicators_are_found_in_any_case_and_unknown_ones_are_named():
    assert find_indicator("GCaMP6s") is INDICATORS["gcamp6s"]
    own = Indicator("own", time_to_peak_s=0.1, half_decay_s=0.4, peak_dff=0.3)
    assert find_indicator(own) is own
    with pytest.raises(CalmError, match=r"'fura'.*gcamp6s, gcamp6f"):
        find_indicator("fura")


def test_an_impossible_kernel_is_refused():
    with pytest.raises(CalmError, match=r"own.*1\.68 peak times"):
        Indicator("own", time_to_peak_s=0.5, half_decay_s=0.5, peak_dff=0.2)
