import h5py
import numpy as np
import pytest
import tifffile

from napari_calm.widgets import layers
from napari_calm.widgets.job import Ending
from napari_calm.widgets.layer_sources import footprints_of
from napari_calm.widgets.session import session_of

N_ROIS, N_FRAMES, SIDE = 5, 300, 48


@pytest.fixture
def suite2p_folder(tmp_path):
    """A suite2p 0.x plane as suite2p writes it: object arrays of dicts, float32 traces."""
    rng = np.random.default_rng(1)
    plane = tmp_path / "suite2p" / "plane0"
    plane.mkdir(parents=True)
    y, x = np.divmod(np.arange(25), 5)
    stat = [
        {
            "ypix": y + 3 + 8 * number,
            "xpix": x + 10,
            "lam": np.linspace(0.5, 1.5, 25).astype(np.float32),
            "med": [5 + 8 * number, 12],
            "npix": 25,
        }
        for number in range(N_ROIS)
    ]
    walk = np.abs(np.cumsum(rng.normal(size=(N_ROIS, N_FRAMES)), axis=1))
    np.save(plane / "stat.npy", np.array(stat, dtype=object), allow_pickle=True)
    np.save(plane / "F.npy", (1000 + 20 * walk).astype(np.float32))
    np.save(plane / "Fneu.npy", np.full((N_ROIS, N_FRAMES), 100, np.float32))
    np.save(plane / "iscell.npy", np.ones((N_ROIS, 2)))
    ops = {"Ly": SIDE, "Lx": SIDE, "fs": 10.0, "meanImg": rng.random((SIDE, SIDE))}
    np.save(plane / "ops.npy", np.array(ops, dtype=object), allow_pickle=True)
    return plane


def test_a_suite2p_folder_is_a_recording_at_once(viewer, panel, press, qtbot, suite2p_folder):
    with qtbot.waitSignal(panel.job.ended, timeout=10_000) as ended:
        panel.recording.opener.start_opening(suite2p_folder)
    assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    recording = panel.session.recording
    assert (recording.n_neurons, recording.n_frames) == (N_ROIS, N_FRAMES)
    assert panel.recording.frame_rate_hz == 10.0
    names = {layer.name for layer in viewer.layers}
    assert {layers.ROIS, layers.ACTIVITY} < names
    assert any("mean image" in name for name in names)
    assert viewer.layers[layers.ACTIVITY].scale[0] == pytest.approx(0.1)
    assert press(panel, panel.tokens.tokenise).ending is Ending.DONE


def test_a_second_recording_takes_the_place_of_the_first(
    viewer, panel, press, qtbot, suite2p_folder
):
    panel.recording.opener.open_sample.click()
    press(panel, panel.recording.extract)
    with qtbot.waitSignal(panel.job.ended, timeout=10_000):
        panel.recording.opener.start_opening(suite2p_folder)
    qtbot.wait(50)
    assert panel.session.recording.n_neurons == N_ROIS
    names = [layer.name for layer in viewer.layers]
    assert sum(name.startswith(layers.ROIS) for name in names) == 1
    assert not viewer.layers["Y-maze movie"].visible
    # The field is about the movie that is chosen, and that is still the sample's.
    assert panel.recording.movie.layer.name == "Y-maze movie"
    assert panel.recording.frame_rate_hz == pytest.approx(6.0)


def test_only_accepted_cells_are_taken_if_asked_for(panel, qtbot, suite2p_folder):
    accepted = np.array([[1, 0.9], [0, 0.1], [1, 0.8], [0, 0.2], [0, 0.1]])
    np.save(suite2p_folder / "iscell.npy", accepted)
    for only_cells, expected in ((False, [1, 2, 3, 4, 5]), (True, [1, 3])):
        panel.recording.opener.cells_only.setChecked(only_cells)
        with qtbot.waitSignal(panel.job.ended, timeout=10_000):
            panel.recording.opener.start_opening(suite2p_folder)
        assert panel.session.recording.roi_labels.tolist() == expected
        assert "2 of 5 ROIs are accepted as cells" in panel.recording.result.text()


def test_napari_opens_a_suite2p_folder_and_the_panel_takes_it_over(
    viewer, panel, suite2p_folder
):
    viewer.open(str(suite2p_folder), plugin="napari-calm")
    assert panel.session.recording.n_neurons == N_ROIS
    assert [layer.name for layer in viewer.layers].count(layers.ROIS) == 1


def test_a_panel_opened_later_takes_over_what_a_reader_opened(
    viewer, suite2p_folder, no_looking_around, qtbot
):
    from napari_calm.widgets.panel import CalmPanel

    viewer.open(str(suite2p_folder / "stat.npy"), plugin="napari-calm")
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel)
    qtbot.waitUntil(lambda: not panel.model.looking)
    assert panel.session.recording.n_frames == N_FRAMES
    panel.release_once()


@pytest.fixture
def movie_files(tmp_path):
    frames = np.random.default_rng(0).integers(50, 90, (300, 24, 32)).astype(np.uint16)
    labels = np.zeros((24, 32), np.uint8)
    labels[2:8, 3:9], labels[12:18, 20:28] = 1, 5
    tifffile.imwrite(tmp_path / "cells.tif", frames, photometric="minisblack")
    tifffile.imwrite(tmp_path / "rois.tif", labels)
    return tmp_path / "cells.tif", tmp_path / "rois.tif"


def test_a_movie_and_its_rois_are_opened_chosen_and_extracted(
    viewer, panel, press, qtbot, movie_files
):
    section = panel.recording
    for start, path in zip(
        (section.start_opening_movie, section.start_opening_rois), movie_files, strict=True
    ):
        with qtbot.waitSignal(panel.job.ended, timeout=10_000) as ended:
            start(path)
        assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    assert section.movie.layer.name == "cells"
    assert section.rois.layer.name == "rois"
    # The file has no frame rate, so none is shown, and none is made up.
    assert section.frame_rate_hz is None
    assert [str(unit) for unit in section.movie.layer.units] == ["pixel"] * 3
    assert not section.extract.isEnabled()
    section.frame_rate.setValue(12.0)
    assert press(panel, section.extract).ending is Ending.DONE
    assert panel.session.recording.n_frames == 300
    assert [str(unit) for unit in viewer.layers["cells"].units] == ["second", "pixel", "pixel"]


def test_a_movie_that_is_none_is_told_in_the_panel(panel, qtbot, tmp_path):
    (tmp_path / "fake.tif").write_text("this is no movie")
    with qtbot.waitSignal(panel.job.ended) as ended:
        panel.recording.start_opening_movie(tmp_path / "fake.tif")
    assert ended.args[0].ending is Ending.ERROR
    assert "fake.tif" in panel.job_bar.message.text()
    assert panel.recording.open_movie.isEnabled()


def test_a_folder_that_is_no_suite2p_folder_is_told_in_the_panel(panel, qtbot, tmp_path):
    with qtbot.waitSignal(panel.job.ended) as ended:
        panel.recording.opener.start_opening(tmp_path)
    assert ended.args[0].ending is Ending.ERROR
    assert "stat.npy" in panel.job_bar.message.text()
    assert panel.job_bar.details.toPlainText() == ""


def test_the_reader_declines_other_folders_and_files(tmp_path, suite2p_folder):
    from napari_calm.widgets.plugin import suite2p_reader, traces_reader

    assert suite2p_reader(str(tmp_path / "nothing.npy")) is None
    (tmp_path / "elsewhere").mkdir()
    assert suite2p_reader(str(tmp_path / "elsewhere")) is None
    assert suite2p_reader(str(suite2p_folder)) is not None
    np.savez(tmp_path / "other.npz", a=1)
    assert traces_reader(str(tmp_path / "other.npz")) is None
    (tmp_path / "broken.npz").write_bytes(b"no zip")
    assert traces_reader(str(tmp_path / "broken.npz")) is None


def test_traces_without_rois_are_shown_as_a_raster_and_can_be_tokenised(
    viewer, panel, press, tmp_path
):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "traces.npz", traces=rng.random((6, 300)).astype("f4"), fps=6.0)
    viewer.open(str(tmp_path / "traces.npz"), plugin="napari-calm")
    assert panel.session.recording.n_neurons == 6
    assert viewer.layers[0].data.shape == (6, 300)
    assert press(panel, panel.tokens.tokenise).ending is Ending.DONE


def test_the_lists_follow_layers_added_renamed_and_removed(viewer, panel):
    movies = panel.recording.movie
    viewer.add_image(np.zeros((5, 8, 8)), name="first")
    viewer.add_image(np.zeros((5, 8, 8)), name="second")
    viewer.add_image(np.zeros((8, 8)), name="a still image")
    offered = [movies.itemText(i) for i in range(movies.count())]
    assert offered == ["first", "second"]
    movies.choose(viewer.layers["first"])
    viewer.layers["first"].name = "renamed"
    assert movies.currentText() == "renamed"
    viewer.layers.move(0, 2)
    assert movies.currentText() == "renamed"
    viewer.layers.remove("renamed")
    assert movies.currentText() == "second"
    viewer.layers.remove("second")
    assert movies.layer is None
    assert not panel.recording.extract.isEnabled()


def test_a_frame_rate_is_taken_from_the_layer_and_never_invented(viewer, panel):
    viewer.add_image(np.zeros((5, 8, 8)), name="unknown")
    assert panel.recording.frame_rate.text() == "not known"
    viewer.add_image(
        np.zeros((5, 8, 8)), name="known", scale=(100, 1, 1), units=("ms", "um", "um")
    )
    panel.recording.movie.choose(viewer.layers["known"])
    assert panel.recording.frame_rate_hz == pytest.approx(10.0)
    panel.recording.movie.choose(viewer.layers["unknown"])
    assert panel.recording.frame_rate_hz is None


def test_two_proxies_of_a_viewer_share_one_session_and_two_viewers_do_not(
    make_napari_viewer_proxy,
):
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    proxy = type(first)(first.__wrapped__)
    assert session_of(first) is session_of(proxy)
    assert session_of(first) is not session_of(second)


def test_edited_labels_replace_the_weights_that_came_with_them(recording):
    weighted = recording.footprints
    labels = weighted.label_image.copy()
    assert footprints_of(labels, weighted, source="x") is weighted
    labels[labels == 2] = 0
    assert footprints_of(labels, weighted, source="x").n_neurons == weighted.n_neurons - 1


def test_shapes_are_rois_with_their_overlaps(viewer, panel, press):
    rng = np.random.default_rng(0)
    frames = rng.integers(100, 900, (60, 30, 40)).astype(np.uint16)
    viewer.add_image(frames, scale=(0.1, 1, 1), units=("s", "pixel", "pixel"))
    corners = [np.array([[4, 5], [4, 14], [12, 14], [12, 5]])]
    corners.append(corners[0] + (3, 4))
    shapes = viewer.add_shapes(corners, shape_type="rectangle", name="drawn")
    panel.recording.rois.choose(shapes)
    assert press(panel, panel.recording.extract).ending is Ending.DONE
    found = panel.session.recording.footprints
    masks = shapes.to_masks(mask_shape=(30, 40))
    np.testing.assert_array_equal(found.weights.toarray().reshape(2, 30, 40) > 0, masks)
    assert (found.overlap_share > 0).all()


def write_nwb_without_images(path):
    """Square masks on a square image: nothing shows which axis comes first."""
    masks = np.zeros((3, 20, 20), np.float32)
    for roi in range(3):
        masks[roi, 2 : 5 + roi, 5 + 4 * roi : 8 + 4 * roi] = 1
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        table = file.create_group("processing/ophys/seg/PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["id"], table["image_mask"] = np.arange(3), masks
        series = file.create_group("processing/ophys/DfOverF/traces")
        series.attrs["neurodata_type"] = "RoiResponseSeries"
        series.parent.attrs["neurodata_type"] = "DfOverF"
        series["data"] = np.random.default_rng(0).normal(size=(60, 3))
        series["timestamps"] = np.arange(60) / 10
        series.create_dataset("rois", data=np.arange(3)).attrs["table"] = table.ref
    return masks


def test_where_nwb_leaves_the_axes_open_the_window_offers_to_exchange_them(
    viewer, panel, press, qtbot, tmp_path
):
    masks = write_nwb_without_images(tmp_path / "n.nwb").sum(axis=0)
    section = panel.recording
    assert section.opener.exchange.isHidden()
    viewer.open(str(tmp_path / "n.nwb"), plugin="napari-calm")
    assert not section.opener.exchange.isHidden()
    assert "'Exchange axes'" in section.result.text()
    # The format has x first.
    np.testing.assert_array_equal(viewer.layers[layers.ROIS].data > 0, masks.T > 0)
    for expected, option in ((masks, "--no-transpose"), (masks.T, "--transpose")):
        press(panel, section.opener.exchange)
        # The layers of the former reading go when napari is done with the new ones.
        qtbot.wait(50)
        (rois,) = (each for each in viewer.layers if each.name.startswith(layers.ROIS))
        np.testing.assert_array_equal(rois.data > 0, expected > 0)
        assert panel.session.origin.command().endswith(option)
        made = {}
        exec("\n".join(["import napari_calm", *panel.session.origin.python()]), made)
        weights = made["recording"].footprints.weights.toarray()
        np.testing.assert_array_equal(
            weights, panel.session.recording.footprints.weights.toarray()
        )
        # Whoever exchanged them once can exchange them back.
        assert not section.opener.exchange.isHidden()


def test_every_kind_of_behaviour_file_can_be_chosen(panel, monkeypatch):
    asked = []
    dialog = "napari_calm.widgets.behaviour_row.QFileDialog.getOpenFileName"
    monkeypatch.setattr(dialog, lambda *arguments: asked.append(arguments[3]) or ("", ""))
    panel.recording.behaviour._ask_for_table()
    for suffix in ("csv", "tsv", "parquet", "npz", "nwb"):
        assert f"*.{suffix}" in asked[0]
