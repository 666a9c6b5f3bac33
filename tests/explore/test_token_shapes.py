import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.core.recording import Recording
from napari_calm.core.token_map import TokenMap
from napari_calm.explore.token_shapes import token_shapes


@pytest.fixture
def spoken(rng):
    """Return a recording whose tokens were planted: three waveforms, one code unused."""
    shapes = np.array([[0.0, 0, 0, 0], [0, 1, 2, 3], [3, 2, 1, 0]])
    codes = rng.integers(0, 3, (5, 60))
    traces = shapes[codes].reshape(5, 240) + rng.normal(0, 0.01, (5, 240))
    tokens = TokenMap(codes, 4, 4, 6.0, 6.0, 240)
    return Recording(traces, 6.0, name="planted"), tokens, shapes


def test_waveforms_are_the_planted_ones(spoken):
    recording, tokens, shapes = spoken
    found = token_shapes(recording, tokens)
    traces = recording.traces.astype(float)
    z = (traces - traces.mean(1, keepdims=True)) / traces.std(1, keepdims=True)
    for code in range(3):
        parts = [
            z[neuron, 4 * at : 4 * at + 4]
            for neuron, at in zip(*np.nonzero(tokens.tokens == code), strict=True)
        ]
        np.testing.assert_allclose(found.waveforms[code], np.mean(parts, axis=0), atol=1e-9)
        assert found.counts[code] == len(parts)
        assert np.corrcoef(found.waveforms[1], shapes[1])[0, 1] > 0.99
    assert np.isnan(found.waveforms[3]).all()
    assert found.usage.sum() == pytest.approx(1)


def test_only_spoken_codes_are_ordered_and_like_shapes_are_neighbours(rng):
    shapes = np.linspace(0, 1, 6)[rng.permutation(6), None] * np.arange(1, 5)
    codes = np.concatenate([np.arange(6), rng.integers(0, 6, 54)])[None]
    recording = Recording(shapes[codes].reshape(1, -1), 6.0)
    found = token_shapes(recording, TokenMap(codes, 8, 4, 6.0, 6.0, 240))
    assert sorted(found.order) == list(range(6))
    levels = shapes[found.order].mean(axis=1)
    np.testing.assert_array_equal(levels, np.sort(levels))


def test_tokens_of_another_recording_are_refused(spoken):
    recording, tokens, _ = spoken
    other = Recording(recording.traces[:3], 6.0, name="other")
    with pytest.raises(RecordingError, match="5 neurons"):
        token_shapes(other, tokens)
