import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from napari_calm.core.atomic import replacing
from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.footprints import Footprints
from napari_calm.core.forecast import Forecast
from napari_calm.core.movie import Movie
from napari_calm.core.recording import Recording
from napari_calm.core.token_map import TokenMap

RNG = np.random.default_rng(0)
TRACES = RNG.normal(size=(3, 50))


def test_a_recording_keeps_its_traces_from_being_changed():
    recording = Recording(TRACES, frame_rate_hz=10.0)
    assert recording.traces.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        recording.traces[0, 0] = 1.0


@pytest.mark.parametrize("frame_rate_hz", [0.0, -1.0, float("inf")])
def test_an_impossible_frame_rate_is_refused(frame_rate_hz):
    with pytest.raises(RecordingError, match="it must be above 0"):
        Recording(TRACES, frame_rate_hz=frame_rate_hz)


@pytest.mark.parametrize("frame_rate_hz", [None, float("nan")])
def test_a_missing_frame_rate_is_asked_for(frame_rate_hz):
    with pytest.raises(RecordingError, match="--frame-rate"):
        Recording(TRACES, frame_rate_hz=frame_rate_hz, source="session.npz")


@pytest.mark.parametrize("shape", [(3,), (0, 5), (3, 0), (1, 2, 3)])
def test_traces_of_another_shape_are_refused(shape):
    with pytest.raises(RecordingError, match=r"expected \(neurons, frames\)"):
        Recording(np.zeros(shape), frame_rate_hz=1.0)


def test_unusable_traces_are_counted_by_kind():
    traces = RNG.normal(size=(10, 50))
    traces[2, 7] = np.nan
    traces[4, 9] = np.inf
    traces[[5, 8, 9]] = 1.5
    with pytest.raises(RecordingError) as error:
        Recording(traces, frame_rate_hz=1.0, source="file.npz")
    message = str(error.value)
    assert "file.npz: found NaN or infinite values in 2 of 10 traces (neurons 2, 4)" in message
    assert "a constant value in 3 of 10 traces (neurons 5, 8, 9)" in message
    assert "--drop-unusable" in message


def test_companions_must_have_the_recordings_size():
    two = Footprints.from_label_image(np.array([[1, 2], [0, 0]]))
    with pytest.raises(RecordingError, match="2 footprints for traces of 3 neurons"):
        Recording(TRACES, frame_rate_hz=1.0, footprints=two)
    with pytest.raises(RecordingError, match="49 movie frames"):
        Recording(TRACES, frame_rate_hz=1.0, movie=Movie(np.zeros((49, 2, 2))))
    with pytest.raises(RecordingError, match="7 behaviour rows"):
        Recording(TRACES, frame_rate_hz=1.0, behaviour=pd.DataFrame({"x": range(7)}))
    with pytest.raises(RecordingError, match="start_frame and stop_frame"):
        Recording(TRACES, frame_rate_hz=1.0, trials=pd.DataFrame({"cue": ["left"]}))
    three = Footprints.from_label_image(np.array([[1, 2], [3, 0]]))
    with pytest.raises(RecordingError, match="must be equal"):
        Recording(
            TRACES, frame_rate_hz=1.0, footprints=three, movie=Movie(np.zeros((50, 4, 2)))
        )


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4, 3), (0, 4, 4)])
def test_a_movie_has_three_axes(shape):
    with pytest.raises(RecordingError):
        Movie(np.zeros(shape))


def test_a_movies_units_must_be_above_zero():
    with pytest.raises(RecordingError, match="frame rate is 0"):
        Movie(np.zeros((2, 3, 4)), frame_rate_hz=0)
    with pytest.raises(RecordingError, match="pixel size is -1"):
        Movie(np.zeros((2, 3, 4)), pixel_size_um=-1)


def test_footprints_keep_overlaps_weights_and_gaps_in_numbers():
    footprints = Footprints.from_pixels(
        [
            (np.array([0, 0]), np.array([0, 1]), np.array([1.0, 2.0])),
            (np.array([0, 1]), np.array([1, 1]), np.array([4.0, 4.0])),
        ],
        (2, 3),
        label_values=np.array([7, 30]),
    )
    dense = footprints.weights.toarray()
    np.testing.assert_array_equal(dense, [[1, 2, 0, 0, 0, 0], [0, 4, 0, 0, 4, 0]])
    np.testing.assert_allclose(footprints.centroids_px, [[0, 2 / 3], [0.5, 1]])
    np.testing.assert_allclose(footprints.overlap_share, [0.5, 0.5])
    assert footprints.areas_px.tolist() == [2, 2]
    # Equally heavy relative to their own peaks: the later one is on top.
    assert footprints.label_image.tolist() == [[7, 30, 0], [0, 30, 0]]
    assert footprints.select(np.array([False, True])).label_values.tolist() == [30]


def test_a_label_image_survives_the_round_trip():
    labels = RNG.choice([0, 0, 0, 2, 5, 9], size=(20, 30))
    footprints = Footprints.from_label_image(labels)
    assert footprints.label_values.tolist() == [2, 5, 9]
    np.testing.assert_array_equal(footprints.label_image, labels)


def test_an_roi_outside_the_image_is_named():
    inside = (np.array([1]), np.array([1]), np.array([1.0]))
    outside = (np.array([1, 9]), np.array([1, 2]), np.array([1.0, 1.0]))
    with pytest.raises(RecordingError, match=r"ROI 1 reaches outside the image: rows 1 to 9"):
        Footprints.from_pixels([inside, outside], (5, 5))


@pytest.mark.parametrize("labels", [np.zeros((4, 4), int), np.zeros((0, 4), int)])
def test_no_roi_at_all_is_refused(labels):
    with pytest.raises(RecordingError, match="no ROI found"):
        Footprints.from_label_image(labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 3, 4), int), "one label image"),
        (np.full((3, 4), 0.5), "holds integers"),
        (np.full((3, 4), -1), "labels start at 0"),
    ],
)
def test_what_is_no_label_image_is_refused(labels, message):
    with pytest.raises(RecordingError, match=message):
        Footprints.from_label_image(labels)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1.0, 0, 0, 0], [0, 0, 0, 0]], "1 of 2 ROIs have no pixel"),
        ([[1.0, -1, 0, 0]], "not negative"),
        ([[1.0, np.nan, 0, 0]], "finite"),
        ([[1.0, 0, 0]], "do not make an image"),
    ],
)
def test_impossible_weights_are_refused(weights, message):
    with pytest.raises(RecordingError, match=message):
        Footprints(sp.csr_array(np.array(weights)), (2, 2))


def a_token_map(**changes):
    settings = {"tokens": np.arange(6).reshape(2, 3), "n_codes": 8, "frames_per_token": 4,
                "model_rate_hz": 10.0, "frame_rate_hz": 30.0,
                "n_frames": 38} | changes  # fmt: skip
    return TokenMap(**settings)


def test_a_token_map_says_which_token_a_frame_belongs_to():
    tokens = a_token_map(start_s=0.1)
    expected = [-1] * 3 + [0] * 12 + [1] * 12 + [2] * 11
    assert tokens.token_of_frame().tolist() == expected
    assert a_token_map(n_frames=40).token_of_frame()[36:].tolist() == [-1] * 4


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": np.zeros((2, 3))},
        {"tokens": np.zeros(3, int)},
        {"tokens": np.full((2, 3), 8)},
        {"tokens": np.full((2, 3), -1)},
        {"model_rate_hz": 0.0},
        {"frames_per_token": 0},
    ],
)
def test_an_impossible_token_map_is_refused(changes):
    with pytest.raises(CalmError, match="tokens:"):
        a_token_map(**changes)


def a_forecast(**changes):
    settings = {"mean": np.zeros((2, 5)), "quantiles": np.zeros((3, 2, 5)),
                "quantile_levels": np.array([0.1, 0.5, 0.9]), "samples": np.zeros((4, 2, 5)),
                "start_frame": 30, "frame_rate_hz": 6.0, "centre": np.array([1.0, 2.0]),
                "scale": np.array([2.0, 4.0])} | changes  # fmt: skip
    return Forecast(**settings)


def test_a_forecast_speaks_both_units():
    forecast = a_forecast(mean=np.full((2, 5), 5.0))
    np.testing.assert_allclose(forecast.mean_normalised[:, 0], [2.0, 0.75])
    assert forecast.start_s == 5.0
    assert forecast.samples_normalised.shape == (4, 2, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": np.zeros(5)},
        {"quantiles": np.zeros((2, 2, 5))},
        {"samples": np.zeros((4, 2, 6))},
        {"scale": np.ones(3)},
        {"mean": np.full((2, 5), np.nan)},
        {"start_frame": -1},
    ],
)
def test_an_impossible_forecast_is_refused(changes):
    with pytest.raises(CalmError, match="forecast:"):
        a_forecast(**changes)


def test_a_written_file_has_the_usual_permissions(tmp_path):
    plain, written = tmp_path / "plain", tmp_path / "written"
    plain.write_text("")
    with replacing(written) as partial:
        partial.write_text("")
    assert written.stat().st_mode == plain.stat().st_mode


def write_half(path):
    with replacing(path) as partial:
        partial.write_text("new, half wri")
        raise RuntimeError("killed")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    with replacing(path) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError, match="killed"):
        write_half(path)
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_frames_lie_evenly_unless_timestamps_say_otherwise():
    even = Recording(TRACES, frame_rate_hz=10.0)
    np.testing.assert_allclose(even.frame_times_s[[0, 1, 49]], [0, 0.1, 4.9])
    times = np.r_[np.arange(25), np.arange(25) + 100] / 10
    gapped = Recording(TRACES, frame_rate_hz=10.0, timestamps_s=times)
    np.testing.assert_array_equal(gapped.frame_times_s, times)
    assert gapped.duration_s == 5


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.arange(49), "shape \\(49,\\) for 50 frames"),
        (np.r_[np.arange(49), 3.0], "must be finite and ascend"),
        (np.r_[np.arange(49), np.nan], "must be finite and ascend"),
        (["now"] * 50, "no numbers"),
    ],
)
def test_timestamps_that_are_no_clock_are_refused(times, message):
    with pytest.raises(RecordingError, match=message):
        Recording(TRACES, frame_rate_hz=10.0, timestamps_s=times)


def test_an_image_too_large_to_be_true_is_refused():
    with pytest.raises(RecordingError, match="1000000000 x 2 pixels"):
        Footprints(sp.csr_array((1, 2_000_000_000)), (1_000_000_000, 2))
