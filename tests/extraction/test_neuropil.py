import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.core.footprints import Footprints
from napari_calm.core.movie import Movie
from napari_calm.extraction.extract import extract
from napari_calm.extraction.neuropil import neuropil_rings
from napari_calm.extraction.quality import trace_quality


def disc(y, x, radius, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return (*np.nonzero(inside), np.ones(inside.sum()))


@pytest.fixture
def footprints():
    shape = (60, 80)
    centres = [(20, 20, 5), (20, 34, 5), (3, 76, 4), (45, 50, 6)]
    return Footprints.from_pixels([disc(*each, shape) for each in centres], shape)


def test_rings_are_the_closest_free_pixels_beyond_the_gap(footprints):
    rings = neuropil_rings(footprints, gap_px=2, pixels=150)
    covered = footprints.weights.toarray().any(axis=0)
    rows, columns = np.divmod(np.arange(60 * 80), 80)
    for roi in range(4):
        ring = rings[[roi]].toarray()[0] > 0
        own = np.flatnonzero(footprints.weights[[roi]].toarray()[0])
        distance = np.min(
            np.hypot(rows[:, None] - rows[own], columns[:, None] - columns[own]), axis=1
        )
        allowed = ~covered & (distance > 2)
        limit = np.sort(distance[allowed])[149]
        np.testing.assert_array_equal(ring, allowed & (distance <= limit))
        assert rings[[roi]].sum() == pytest.approx(1, abs=1e-5)


def test_an_roi_without_free_pixels_has_an_empty_ring():
    full = Footprints.from_label_image(np.ones((8, 8), int))
    assert neuropil_rings(full).nnz == 0


def test_neuropil_is_subtracted_with_its_coefficient(footprints):
    """Cells shine with the neuropil and what is theirs; what is theirs comes back."""
    rng = np.random.default_rng(0)
    n_frames = 300
    haze = 100 + 30 * np.sin(np.arange(n_frames) / 5)
    spikes = np.zeros((4, n_frames))
    for cell in range(4):
        spikes[cell, 20 + rng.choice(n_frames - 20, 12, replace=False)] = 200
    frames = np.repeat(haze[:, None], 60 * 80, axis=1)
    for cell in range(4):
        pixels = footprints.weights[[cell]].indices
        frames[:, pixels] = 400 + 0.7 * haze[:, None] + spikes[cell][:, None]
    movie = Movie(frames.reshape(-1, 60, 80), frame_rate_hz=10)
    corrected = extract(movie, footprints, neuropil_coefficient=0.7)
    expected = spikes / (400 + 0.7 * 100)
    assert np.abs(corrected.traces - expected).max() < 0.06
    plain = extract(movie, footprints)
    assert np.corrcoef(plain.traces[0], haze)[0, 1] > 0.25
    assert abs(np.corrcoef(corrected.traces[0], haze)[0, 1]) < 0.15


def test_shared_pixels_can_be_left_out():
    shape = (5, 6)
    pixels = [
        (np.array([1, 1]), np.array([1, 2]), np.ones(2)),
        (np.array([1, 1]), np.array([2, 3]), np.ones(2)),
        (np.array([1]), np.array([3]), np.ones(1)),
    ]
    rng = np.random.default_rng(0)
    frames = rng.uniform(100, 200, (40, *shape))
    movie, rois = Movie(frames, frame_rate_hz=10), Footprints.from_pixels(pixels, shape)
    alone = extract(movie, rois, exclude_overlaps=True)
    for roi, expected in (
        (0, frames[:, 1, 1]),
        (1, frames[:, 1, 2:4].mean(1)),
        (2, frames[:, 1, 3]),
    ):
        base = np.array([np.percentile(expected[: t + 1], 20) for t in range(40)])
        np.testing.assert_allclose(alone.traces[roi], expected / base - 1, rtol=1e-4, atol=1e-5)


def test_quality_follows_noise_skewness_and_overlap(footprints):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (4, 4000))
    signal = np.zeros((4, 4000))
    signal[:2, ::40] = 2.0
    found = trace_quality(signal + noise, footprints, np.array([10.0, 20, 30, 40]))
    steps = np.median(np.abs(np.diff((signal + noise)[0]))) / 0.6745 / np.sqrt(2)
    assert steps == pytest.approx(0.1, rel=0.1)
    high = np.percentile((signal + noise)[0], 99) - np.median((signal + noise)[0])
    assert found["snr"][0] == pytest.approx(high / steps)
    assert (found["snr"][:2] > 2 * found["snr"][2:].max()).all()
    assert (found["skewness"][:2] > 3).all()
    assert (found["skewness"][2:].abs() < 0.2).all()
    assert list(found["area_px"]) == list(footprints.areas_px)
    assert list(found["baseline"]) == [10, 20, 30, 40]


def test_the_recording_keeps_its_quality_and_drops_it_with_its_neurons(footprints):
    frames = np.random.default_rng(0).uniform(100, 200, (50, 60, 80))
    frames[:, :10, 70:] = 5
    movie = Movie(frames, frame_rate_hz=10)
    found = extract(movie, footprints, drop_unusable=True)
    assert len(found.quality) == found.n_neurons == 3
    np.testing.assert_array_equal(found.quality["area_px"], found.footprints.areas_px)


@pytest.mark.parametrize("coefficient", [-0.1, 3.0, np.nan])
def test_an_impossible_coefficient_is_told(footprints, coefficient):
    movie = Movie(np.ones((5, 60, 80)), frame_rate_hz=10)
    with pytest.raises(RecordingError, match="neuropil coefficient"):
        extract(movie, footprints, neuropil_coefficient=coefficient)
