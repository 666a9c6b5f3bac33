from datetime import UTC, datetime

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.movies import open_movie, open_movies
from napari_calm.io.read import describe, read_recording

pynwb = pytest.importorskip("pynwb", reason="pynwb writes the files (napari-calm[nwb])")
HEIGHT, WIDTH, N_FRAMES = 9, 14, 50


@pytest.fixture
def images(rng):
    """Five ROIs (ROI, height, width), weighted, the last two overlapping."""
    images = np.zeros((5, HEIGHT, WIDTH), np.float32)
    for roi, (y, x) in enumerate([(0, 10), (5, 0), (6, 9), (2, 4), (3, 5)]):
        images[roi, y : y + 3, x : x + 2] = rng.uniform(0.1, 1, (3, 2))
    return images


@pytest.fixture
def fluorescence(rng):
    return rng.uniform(100, 200, (5, N_FRAMES)).astype(np.float32)


def write(
    path,
    images,
    traces=None,
    *,
    masks="pixel",
    order="time first",
    movie=None,
    rois=None,
    container="Fluorescence",
    timing=None,
    neuropil=None,
    still=None,
    behaviour=False,
    swap=False,
):
    """An NWB file of one plane; `swap` exchanges x and y of the masks against the format."""
    nwb = pynwb.NWBFile(
        session_description="a session",
        identifier=path.stem,
        session_start_time=datetime(2024, 5, 1, tzinfo=UTC),
    )
    plane = imaging_plane(nwb)
    timing = timing or {"rate": 10.0}
    if movie is not None:
        nwb.add_acquisition(
            pynwb.ophys.TwoPhotonSeries(
                name="TwoPhotonSeries", data=movie, imaging_plane=plane, unit="n.a.", **timing
            )
        )
    module = nwb.create_processing_module(name="ophys", description="traces")
    if len(images):
        table = roi_table(module, plane, images, masks, swap)
        rows = list(range(len(images))) if rois is None else rois
        for kind, name, data in (
            (container, "RoiResponseSeries", traces),
            ("Fluorescence2", "Neuropil", neuropil),
        ):
            if data is not None:
                holder = pynwb.ophys.DfOverF if kind == "DfOverF" else pynwb.ophys.Fluorescence
                holder = holder(name=kind)
                module.add(holder)
                holder.create_roi_response_series(
                    name=name,
                    data=data.T if order == "time first" else data,
                    rois=table.create_roi_table_region(description="rois", region=rows),
                    unit="n.a.",
                    **timing,
                )
    if still is not None:
        image = pynwb.image.GrayscaleImage(name="mean", data=still)
        module.add(pynwb.base.Images(name="Backgrounds", images=[image]))
    if behaviour:
        add_behaviour(nwb)
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def imaging_plane(nwb):
    channel = pynwb.ophys.OpticalChannel(
        name="green", description="GCaMP", emission_lambda=520.0
    )
    return nwb.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="V1",
        device=nwb.create_device(name="scope"),
        excitation_lambda=920.0,
        indicator="GCaMP6s",
        location="V1",
        grid_spacing=[0.8, 0.8],
        grid_spacing_unit="micrometers",
    )


def roi_table(module, plane, images, masks, swap):
    segmentation = pynwb.ophys.ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(
        description="cells", imaging_plane=plane, name="PlaneSegmentation"
    )
    for image in images:
        if masks == "pixel":
            y, x = np.nonzero(image)
            first, second = (y, x) if swap else (x, y)
            table.add_roi(pixel_mask=list(zip(first, second, image[y, x], strict=True)))
        else:
            table.add_roi(image_mask=image if swap else image.T)
    accepted = [[i % 2, 0.5] for i in range(len(images))]
    table.add_column(name="iscell", description="accepted, probability", data=accepted)
    return table


def add_behaviour(nwb):
    nwb.add_trial_column(name="cue", description="where it came from")
    for start, cue in ((0.0, "left"), (2.0, "right"), (900.0, "late")):
        nwb.add_trial(start_time=start, stop_time=start + 1.0, cue=cue)
    series = pynwb.behavior.SpatialSeries(
        name="Position",
        data=np.linspace(0, 1, 500)[:, None] * [1, 10],
        timestamps=np.linspace(0, 5, 500),
        unit="meters",
        reference_frame="corner",
    )
    module = nwb.create_processing_module(name="behavior", description="what it did")
    module.add(pynwb.behavior.Position(spatial_series=series))


def weights_of(recording):
    return recording.footprints.weights.toarray().reshape(-1, *recording.footprints.image_shape)


@pytest.mark.filterwarnings("ignore:.*does not match the length of rois.*:UserWarning")
@pytest.mark.parametrize("order", ["time first", "ROI first"])
def test_both_orientations_of_the_traces_are_told_apart(tmp_path, images, fluorescence, order):
    found = read_recording(
        write(tmp_path / "a.nwb", images, fluorescence, order=order, container="DfOverF")
    )
    np.testing.assert_array_equal(found.traces, fluorescence)
    assert (found.unit, found.frame_rate_hz) == ("dF/F", 10)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("masks", ["pixel", "image"])
def test_masks_are_turned_to_fit_the_image(tmp_path, images, fluorescence, masks, swap):
    still = images.max(axis=0) * 100
    path = write(tmp_path / "a.nwb", images, fluorescence, masks=masks, swap=swap, still=still)
    np.testing.assert_allclose(weights_of(read_recording(path)), images, rtol=1e-6)


@pytest.mark.parametrize("swap", [False, True])
def test_on_a_square_image_the_brighter_fit_decides(tmp_path, fluorescence, rng, swap):
    images = np.zeros((5, 40, 40), np.float32)
    for roi in range(5):
        y, x = 2 + 7 * roi, 33 - 5 * roi
        images[roi, y : y + 4, x : x + 3] = 1
    still = 50 + 30 * images.max(axis=0) + rng.normal(size=(40, 40))
    path = write(tmp_path / "a.nwb", images, fluorescence, swap=swap, still=still)
    np.testing.assert_allclose(weights_of(read_recording(path)), images)


def test_without_any_image_a_note_says_how_to_transpose(tmp_path, images, fluorescence):
    path = write(tmp_path / "a.nwb", images, fluorescence)
    found = read_recording(path)
    assert "--transpose" in found.notes[-1]
    other = read_recording(path, transpose=False)
    np.testing.assert_allclose(
        weights_of(found)[:, : other.footprints.image_shape[1]],
        weights_of(other).transpose(0, 2, 1),
    )


@pytest.mark.parametrize("x_first", [True, False])
def test_movies_are_transposed_to_height_and_width(
    tmp_path, images, fluorescence, rng, x_first
):
    frames = rng.integers(0, 900, (N_FRAMES, HEIGHT, WIDTH)).astype(np.uint16)
    stored = frames.transpose(0, 2, 1) if x_first else frames
    path = write(
        tmp_path / "a.nwb", images, fluorescence, movie=stored, still=frames.mean(axis=0)
    )
    movie = open_movie(path)
    np.testing.assert_array_equal(np.asarray(movie.frames), frames)
    assert (movie.frame_rate_hz, movie.pixel_size_um) == (10, pytest.approx(0.8))
    recording = read_recording(path)
    assert recording.movie.n_frames == N_FRAMES
    np.testing.assert_allclose(weights_of(recording), images, rtol=1e-6)


def test_rois_may_be_a_subset_in_another_order(tmp_path, images, fluorescence):
    path = write(
        tmp_path / "a.nwb",
        images,
        fluorescence[[4, 1]],
        rois=[4, 1],
        still=images.max(axis=0),
        container="DfOverF",
    )
    found = read_recording(path)
    np.testing.assert_allclose(weights_of(found), images[[4, 1]], rtol=1e-6)
    np.testing.assert_array_equal(found.roi_labels, [5, 2])
    cells = read_recording(path, cells_only=True)
    np.testing.assert_array_equal(cells.roi_labels, [2])


def test_irregular_timestamps_are_kept_and_their_gap_is_told(tmp_path, images, fluorescence):
    times = 3 + np.arange(N_FRAMES) / 8
    times[20:] += 4
    path = write(tmp_path / "a.nwb", images, fluorescence, timing={"timestamps": times})
    found = read_recording(path)
    np.testing.assert_allclose(found.timestamps_s, times)
    assert found.frame_rate_hz == pytest.approx(8)
    assert "1 gaps between frames (the longest 4.12 s)" in found.notes[0]
    backwards = write(
        tmp_path / "b.nwb", images, fluorescence, timing={"timestamps": times[::-1]}
    )
    with pytest.raises(RecordingError, match="must be finite and ascend"):
        read_recording(backwards)


def test_raw_fluorescence_becomes_that_of_suite2p(tmp_path, images, fluorescence, rng):
    neuropil = rng.uniform(50, 90, fluorescence.shape).astype(np.float32)
    found = read_recording(write(tmp_path / "a.nwb", images, fluorescence, neuropil=neuropil))
    corrected = fluorescence - 0.7 * neuropil
    low, raw = (
        np.array([[np.percentile(t[: i + 1], 20) for i in range(N_FRAMES)] for t in traces])
        for traces in (corrected, fluorescence)
    )
    np.testing.assert_allclose(found.traces, (corrected - low) / raw, atol=1e-5)


def test_traces_around_zero_stay_as_they_are(tmp_path, images, rng):
    traces = rng.normal(size=(5, N_FRAMES)).astype(np.float32)
    found = read_recording(write(tmp_path / "a.nwb", images, traces))
    np.testing.assert_array_equal(found.traces, traces)
    assert found.unit == "a.u."


def test_behaviour_and_trials_are_brought_to_the_frames(tmp_path, images, fluorescence):
    found = read_recording(write(tmp_path / "a.nwb", images, fluorescence, behaviour=True))
    assert list(found.behaviour) == ["Position_x_meters", "Position_y_meters"]
    np.testing.assert_allclose(
        found.behaviour["Position_y_meters"], np.arange(N_FRAMES) / 10 * 2, atol=0.05
    )
    pd.testing.assert_frame_equal(
        found.trials[["start_frame", "stop_frame", "cue"]],
        pd.DataFrame(
            {"start_frame": [0, 20], "stop_frame": [10, 30], "cue": ["left", "right"]}
        ),
        check_dtype=False,
    )


def test_of_several_series_one_must_be_chosen(tmp_path, images, fluorescence):
    path = write(tmp_path / "a.nwb", images, fluorescence)
    with h5py.File(path, "r+") as file:
        file.copy(
            "processing/ophys/Fluorescence/RoiResponseSeries",
            "processing/ophys/Fluorescence/Second",
        )
    with pytest.raises(
        RecordingError, match=r"traces in it: .*RoiResponseSeries.*Second.*::NAME"
    ):
        read_recording(path)
    assert read_recording(f"{path}::Second").n_neurons == 5


def test_every_series_of_images_is_a_movie(tmp_path, images, fluorescence, rng):
    frames = rng.integers(0, 900, (N_FRAMES, HEIGHT, WIDTH)).astype(np.uint16)
    path = write(
        tmp_path / "a.nwb", images, fluorescence, movie=frames, still=frames.mean(axis=0)
    )
    first = open_movie(path)
    with h5py.File(path, "r+") as file:
        name = first.source.partition("::")[2]
        file.copy(name, f"{name}Green")
        file[f"{name}Green/data"][...] += 1
    found = {chosen["dataset"]: movie for chosen, movie in open_movies(path)}
    assert set(found) == {name, f"{name}Green"}
    np.testing.assert_array_equal(found[name].frames, frames)
    np.testing.assert_array_equal(found[f"{name}Green"].frames, frames + 1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Fluorescence/RoiResponseSeries/rois", np.array([0, 1, 2, 3, 77]), "rows 0 to 77"),
        (
            "Fluorescence/RoiResponseSeries/data",
            np.ones((50, 7)),
            r"\(50, 7\), but refers to 5",
        ),
        (
            "ImageSegmentation/PlaneSegmentation/pixel_mask_index",
            np.array([9, 3, 1, 2, 3]),
            "does not cut",
        ),
    ],
)
def test_contradictions_are_told(tmp_path, images, fluorescence, name, value, message):
    path = write(tmp_path / "a.nwb", images, fluorescence)
    with h5py.File(path, "r+") as file:
        attributes = dict(file[f"processing/ophys/{name}"].attrs)
        del file[f"processing/ophys/{name}"]
        made = file.create_dataset(f"processing/ophys/{name}", data=value)
        made.attrs.update(attributes)
    with pytest.raises(RecordingError, match=message) as told:
        read_recording(path)
    assert str(path) in str(told.value)


def test_a_file_with_a_movie_only_takes_rois(tmp_path, images, rng, fluorescence):
    frames = rng.integers(100, 900, (N_FRAMES, WIDTH, HEIGHT)).astype(np.uint16)
    movie = write(tmp_path / "m.nwb", images[:0], movie=frames)
    other = write(tmp_path / "r.nwb", images, fluorescence, still=images.max(axis=0))
    with pytest.raises(RecordingError, match=r"movie alone has no traces.*--rois"):
        read_recording(movie)
    assert read_recording(movie, rois=other).n_neurons == 5


def test_it_is_described(tmp_path, images, fluorescence):
    found = describe(write(tmp_path / "a.nwb", images, fluorescence, behaviour=True))
    assert (found["kind"], found["n_neurons"], found["n_frames"]) == ("NWB file", 5, N_FRAMES)
    assert (found["frame_rate_hz"], found["n_trials"], found["duration_s"]) == (10, 3, 5)
