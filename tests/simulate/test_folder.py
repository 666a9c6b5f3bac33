import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import tifffile

from napari_calm.simulate.folder import write_session_folder, write_session_folder_steps
from napari_calm.simulate.movie import render_movie
from napari_calm.simulate.session import simulate_session

FILES = {
    "movie.tif",
    "labels.tif",
    "footprints.npz",
    "truth.npz",
    "behaviour.csv",
    "trials.csv",
}


@pytest.fixture(scope="module")
def session():
    return simulate_session(seed=4, n_neurons=12, n_trials=2, frame_rate_hz=7.0)


@pytest.fixture(scope="module")
def rendered(session):
    return render_movie(session, image_shape=(48, 56), pixel_size_um=1.2)


@pytest.fixture(scope="module")
def folder(session, rendered, tmp_path_factory):
    return write_session_folder(session, rendered, tmp_path_factory.mktemp("a") / "session")


def test_the_folder_holds_the_six_files_and_nothing_else(folder):
    assert {path.name for path in folder.iterdir()} == FILES


def test_the_movie_comes_back_memory_mapped_with_its_units(folder, rendered):
    mapped = tifffile.memmap(folder / "movie.tif", mode="r")
    np.testing.assert_array_equal(mapped, rendered.movie.frames)
    with tifffile.TiffFile(folder / "movie.tif") as tif:
        assert tif.series[0].axes == "TYX"
        assert 1 / tif.imagej_metadata["finterval"] == tif.imagej_metadata["fps"] == 7.0
        assert tif.imagej_metadata["unit"] == "micron"
        pixels, micrometres = tif.pages[0].tags["XResolution"].value
        assert micrometres / pixels == pytest.approx(1.2)


def test_nothing_in_the_movie_file_tells_when_or_with_what_it_was_written(folder):
    with tifffile.TiffFile(folder / "movie.tif") as tif:
        assert not {"DateTime", "Software", "HostComputer"} & {
            tag.name for tag in tif.pages[0].tags
        }


def test_labels_are_the_view_of_the_footprints(folder, rendered):
    labels = tifffile.imread(folder / "labels.tif")
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, rendered.footprints.label_image)


def test_footprints_come_back_as_a_sparse_matrix(folder, rendered):
    with np.load(folder / "footprints.npz", allow_pickle=False) as file:
        assert set(file) == {
            "data",
            "indices",
            "indptr",
            "shape",
            "image_shape",
            "label_values",
        }
        weights = sp.csr_array(
            (file["data"], file["indices"], file["indptr"]), shape=tuple(file["shape"])
        )
        assert tuple(file["image_shape"]) == (48, 56)
        np.testing.assert_array_equal(file["label_values"], np.arange(1, 13))
    assert (weights != rendered.footprints.weights).nnz == 0


def test_tables_come_back_to_five_digits(folder, session):
    behaviour = pd.read_csv(folder / "behaviour.csv")
    pd.testing.assert_frame_equal(
        behaviour, session.recording.behaviour, check_exact=False, rtol=0, atol=6e-6
    )
    trials = pd.read_csv(folder / "trials.csv")
    pd.testing.assert_frame_equal(trials, session.recording.trials, check_dtype=False)
    assert b"\r" not in (folder / "behaviour.csv").read_bytes()


def test_a_number_that_rounds_to_zero_has_no_sign(session, rendered, tmp_path):
    behaviour = session.recording.behaviour.assign(position_cm=-1e-9)
    recording = replace(session.recording, behaviour=behaviour)
    write_session_folder(replace(session, recording=recording), rendered, tmp_path)
    assert ",0.00000," in (tmp_path / "behaviour.csv").read_text()
    assert "-0.00000" not in (tmp_path / "behaviour.csv").read_text()


def test_truth_comes_back(folder, session):
    with np.load(folder / "truth.npz", allow_pickle=False) as file:
        assert list(file["group"]) == list(session.truth.group)
        np.testing.assert_array_equal(file["spikes"], session.truth.spikes)
        np.testing.assert_allclose(file["dff"], session.truth.dff, atol=6e-5)
        np.testing.assert_allclose(
            file["tuning_weight_cue"], session.truth.tuning["weight_cue"], atol=6e-5
        )


def test_archives_carry_no_time_and_no_system(folder):
    for name in ("footprints.npz", "truth.npz"):
        with zipfile.ZipFile(folder / name) as archive:
            for entry in archive.infolist():
                assert entry.date_time == (1980, 1, 1, 0, 0, 0)
                assert entry.create_system == 3


def test_writing_again_gives_the_same_bytes_and_progress_to_the_end(
    folder, session, rendered, tmp_path
):
    steps = list(write_session_folder_steps(session, rendered, tmp_path))
    assert steps[-1].fraction == 1
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name
