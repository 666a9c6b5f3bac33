import dask.array as da
import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.core.footprints import Footprints
from napari_calm.core.movie import Movie
from napari_calm.core.progress import run
from napari_calm.extraction import fluorescence
from napari_calm.extraction.extract import extract, extract_steps
from napari_calm.extraction.fluorescence import fluorescence_steps

SHAPE = (12, 9)
N_FRAMES = 50


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(100, 4000, (N_FRAMES, *SHAPE)).astype(np.uint16)


@pytest.fixture
def footprints():
    """Random weighted ROIs of which many overlap."""
    rng = np.random.default_rng(1)
    pixels = []
    for _ in range(6):
        rows, columns = np.nonzero(rng.uniform(size=SHAPE) < 0.3)
        pixels.append((rows, columns, rng.uniform(0.1, 3, rows.size)))
    found = Footprints.from_pixels(pixels, SHAPE)
    assert (found.overlap_share > 0).all()
    return found


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(fluorescence, "BLOCK_BYTES", 7 * SHAPE[0] * SHAPE[1] * 2)


def dense_dff(frames, footprints, window, percentile=20):
    """Weighted means and their change over the baseline, one value at a time."""
    images = footprints.weights.toarray().reshape(-1, *footprints.image_shape).astype(float)
    mean = [
        [np.sum(image * frame) / image.sum() for frame in frames.astype(float)]
        for image in images
    ]
    result = np.empty((len(images), len(frames)))
    for neuron, trace in enumerate(np.array(mean)):
        for t in range(len(frames)):
            base = np.percentile(trace[max(0, t - window + 1) : t + 1], percentile)
            result[neuron, t] = (trace[t] - base) / base
    return result


@pytest.mark.parametrize("dtype", ["u1", ">u2", "<i2", ">i4", "f4", ">f8"])
def test_traces_match_a_dense_calculation(frames, footprints, small_blocks, dtype):
    frames = (frames // 16 if dtype == "u1" else frames).astype(dtype)
    movie = Movie(frames, frame_rate_hz=2.0)
    found = extract(movie, footprints, window_s=10, percentile=35)
    np.testing.assert_allclose(
        found.traces, dense_dff(frames, footprints, 20, 35), rtol=1e-4, atol=1e-5
    )
    assert found.footprints is footprints
    assert found.movie is movie


def test_dask_movies_give_the_same(frames, footprints, small_blocks):
    expected = extract(Movie(frames, frame_rate_hz=2.0), footprints)
    lazy = da.from_array(frames, chunks=(1, -1, -1))
    found = extract(Movie(lazy, frame_rate_hz=2.0), footprints)
    np.testing.assert_array_equal(found.traces, expected.traces)


class CountingFrames:
    """A movie that counts how often each frame is read and how many at a time."""

    def __init__(self, frames, chunks=None):
        self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.reads = np.zeros(len(frames), int)
        self.most = 0
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, key):
        self.reads[key] += 1
        block = self.frames[key]
        self.most = max(self.most, len(block))
        return block


@pytest.mark.parametrize(
    ("chunks", "largest"),
    [(None, 7), ((13, *SHAPE), 13), (((3,) * 16 + (2,), (12,), (9,)), 6)],
)
def test_every_frame_is_read_once_and_in_bounded_blocks(
    frames, footprints, small_blocks, chunks, largest
):
    counted = CountingFrames(frames, chunks)
    extract(Movie(counted, frame_rate_hz=2.0), footprints)
    np.testing.assert_array_equal(counted.reads, 1)
    assert counted.most == largest


@pytest.mark.parametrize("length", [3, 7, 10, 50])
def test_no_chunk_of_a_lazy_movie_is_read_twice(frames, footprints, small_blocks, length):
    reads = []

    def read(block, block_info=None):
        reads.append(block_info[0]["chunk-location"])
        return block

    lazy = da.from_array(frames, chunks=(length, -1, -1)).map_blocks(
        read, dtype=frames.dtype, meta=np.empty((0, 0, 0), frames.dtype)
    )
    extract(Movie(lazy, frame_rate_hz=2.0), footprints)
    assert len(reads) == len(set(reads)) == -(-N_FRAMES // length)


def test_later_frames_do_not_change_earlier_values(frames, footprints, small_blocks):
    before = extract(Movie(frames, frame_rate_hz=2.0), footprints).traces
    changed = frames.copy()
    changed[30:] = changed[30:] * 3 + 7
    after = extract(Movie(changed, frame_rate_hz=2.0), footprints).traces
    np.testing.assert_array_equal(after[:, :30], before[:, :30])
    assert not np.allclose(after[:, 30:], before[:, 30:])


def test_progress_counts_frames_and_then_neurons(frames, footprints, small_blocks):
    told = []
    extract(Movie(frames, frame_rate_hz=2.0), footprints, on_progress=told.append)
    reading = [step for step in told if step.stage == "Reading the movie"]
    assert [step.done for step in reading] == [7, 14, 21, 28, 35, 42, 49, 50]
    assert told[-1].done == told[-1].total == 6


def test_stopping_early_reads_no_further_frame(frames, footprints, small_blocks):
    counted = CountingFrames(frames)
    steps = extract_steps(Movie(counted, frame_rate_hz=2.0), footprints)
    next(steps)
    steps.close()
    assert counted.reads.sum() == 7


def test_the_size_of_the_weights_does_not_matter(frames, footprints):
    larger = Footprints(footprints.weights * 50, SHAPE)
    found = [run(fluorescence_steps(Movie(frames), rois)) for rois in (footprints, larger)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert found[0].min() >= frames.min()
    assert found[0].max() <= frames.max()


def test_another_image_size_names_both_and_the_remedy(frames):
    labels = Footprints.from_label_image(np.ones((20, 30), int), source="rois.tif")
    with pytest.raises(
        RecordingError, match=r"12 x 9 pixels.*rois\.tif lie on 20 x 30.*drawn on this movie"
    ):
        extract(Movie(frames, frame_rate_hz=2.0), labels)
    swapped = Footprints.from_label_image(np.ones(SHAPE[::-1], int))
    with pytest.raises(RecordingError, match="swapped: transpose"):
        extract(Movie(frames, frame_rate_hz=2.0), swapped)


@pytest.mark.parametrize(
    ("recorded", "given", "message"),
    [(None, None, "not recorded"), (None, 0.0, "is 0 Hz"), (5.0, float("nan"), "not recorded")],
)
def test_a_missing_or_zero_frame_rate_is_told_before_any_frame_is_read(
    frames, footprints, recorded, given, message
):
    counted = CountingFrames(frames)
    with pytest.raises(RecordingError, match=message):
        extract(Movie(counted, frame_rate_hz=recorded), footprints, frame_rate_hz=given)
    assert counted.reads.sum() == 0


def test_nan_pixels_under_rois_name_frame_and_neurons(frames, footprints, small_blocks):
    broken = frames.astype(np.float32)
    row, column = divmod(int(footprints.weights.indices[0]), SHAPE[1])
    broken[23, row, column] = np.nan
    hit = int((footprints.weights.toarray()[:, row * SHAPE[1] + column] > 0).sum())
    movie = Movie(broken, frame_rate_hz=2.0)
    with pytest.raises(RecordingError, match=f"frame 23 holds NaN.*{hit} of 6 neurons"):
        extract(movie, footprints)
    assert extract(movie, footprints, drop_unusable=True).n_neurons == 6 - hit


def test_nan_pixels_outside_all_rois_do_no_harm(frames):
    labels = np.zeros(SHAPE, int)
    labels[:3, :3] = 1
    broken = frames.astype(np.float32)
    broken[:, 8, 8] = np.nan
    found = extract(Movie(broken, frame_rate_hz=2.0), Footprints.from_label_image(labels))
    assert np.isfinite(found.traces).all()


def test_a_baseline_that_is_not_above_zero_is_told_or_left_out(frames):
    labels = np.zeros(SHAPE, int)
    labels[:2], labels[5:7] = 1, 2
    frames[:5, :2] = 0
    movie = Movie(frames, frame_rate_hz=2.0)
    rois = Footprints.from_label_image(labels)
    with pytest.raises(RecordingError, match=r"baseline of 1 of 2 neurons \(neurons 0\)"):
        extract(movie, rois)
    np.testing.assert_array_equal(
        extract(movie, rois, drop_unusable=True).footprints.label_values, [2]
    )


def test_a_constant_neuron_is_told_or_left_out(frames):
    labels = np.zeros(SHAPE, int)
    labels[:2], labels[5:7] = 1, 2
    frames[:, :2] = 77
    movie = Movie(frames, frame_rate_hz=2.0)
    rois = Footprints.from_label_image(labels)
    with pytest.raises(RecordingError, match="constant value in 1 of 2"):
        extract(movie, rois)
    assert extract(movie, rois, drop_unusable=True).n_neurons == 1


def test_complex_pixels_are_refused(frames, footprints):
    with pytest.raises(RecordingError, match="complex64"):
        extract(Movie(frames.astype(np.complex64), frame_rate_hz=2.0), footprints)


def test_frames_that_can_not_be_read_are_named(frames, footprints, small_blocks):
    class Failing(CountingFrames):
        def __getitem__(self, key):
            if key.start >= 14:
                raise OSError("gone")
            return super().__getitem__(key)

    with pytest.raises(RecordingError, match=r"frames 14 to 20 cannot be read \(gone\)"):
        extract(Movie(Failing(frames), frame_rate_hz=2.0), footprints)


def test_the_given_rate_is_used_and_attached(frames, footprints):
    found = extract(Movie(frames, frame_rate_hz=9.0), footprints, frame_rate_hz=2.0, name="x")
    assert found.frame_rate_hz == found.movie.frame_rate_hz == 2.0
    assert found.name == "x"
