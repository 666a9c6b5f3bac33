import numpy as np
import pytest

from napari_calm.core.token_map import TokenMap
from napari_calm.widgets.lazy_frames import PaintedFrames, neuron_image, ring_image


@pytest.fixture
def frames():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    image = np.array([[0, 1, 1, 0], [2, 2, 0, 3]], np.int32)
    return PaintedFrames(values, image)


def painted_by_hand(frames):
    full = np.full(frames.shape, np.nan, np.float32)
    for t in range(frames.shape[0]):
        for y in range(frames.shape[1]):
            for x in range(frames.shape[2]):
                neuron = frames.neuron_image[y, x]
                if neuron:
                    full[t, y, x] = frames.values[neuron - 1, t]
    return full


@pytest.mark.parametrize(
    "key",
    [
        2,
        -1,
        np.int64(1),
        slice(1, 3),
        slice(None),
        (1, slice(None), slice(None)),
        (slice(None), 1),
        (slice(1, 3), slice(0, 1), slice(1, 4)),
        (Ellipsis, 1),
        (2, Ellipsis),
        (np.array([3, 0]), slice(None)),
        slice(2, 2),
    ],
)
def test_any_part_equals_the_same_part_of_the_movie_painted_pixel_by_pixel(frames, key):
    expected = painted_by_hand(frames)[key]
    got = frames[key]
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


def test_as_an_array_it_is_the_whole_movie(frames):
    np.testing.assert_array_equal(np.asarray(frames), painted_by_hand(frames))


def test_a_movie_of_a_terabyte_costs_no_more_than_its_values_and_one_image():
    values = np.zeros((50, 1_000_000), np.float32)
    frames = PaintedFrames(values, np.zeros((512, 512), np.int32))
    assert frames.size * 4 > 1e12
    assert frames.nbytes < 250e6
    assert frames.values is values
    assert frames[999_999].shape == (512, 512)


def test_tokens_are_held_for_all_their_frames_and_absent_outside():
    tokens = TokenMap(np.array([[5, 7]]), 8, 4, 6.0, 6.0, n_frames=10, start_s=1 / 6)
    frames = PaintedFrames(
        tokens.tokens, np.ones((1, 1), np.int32), column_of_frame=tokens.token_of_frame()
    )
    seen = frames[:, 0, 0]
    np.testing.assert_array_equal(seen, [np.nan, 5, 5, 5, 5, 7, 7, 7, 7, np.nan])


def test_an_image_of_more_neurons_than_values_is_refused():
    with pytest.raises(ValueError, match="neurons up to 3"):
        PaintedFrames(np.zeros((2, 5)), np.array([[0, 3]]))


def test_neuron_image_follows_label_values_with_gaps():
    labels = np.array([[0, 9], [4, 4]])
    np.testing.assert_array_equal(neuron_image(labels, np.array([4, 9])), [[0, 2], [1, 1]])


def test_rims_keep_the_outer_pixels_of_each_neuron_and_empty_the_inside():
    neurons = np.zeros((30, 30), np.int32)
    neurons[2:9, 2:9] = 1  # 49 pixels: small, one pixel of rim
    neurons[10:28, 10:28] = 2  # large, two pixels
    rims = ring_image(neurons)
    expected = neurons.copy()
    expected[3:8, 3:8] = 0
    expected[12:26, 12:26] = 0
    np.testing.assert_array_equal(rims, expected)
