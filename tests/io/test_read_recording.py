import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_calm.core.errors import RecordingError
from napari_calm.extraction.extract import extract
from napari_calm.io.labels import write_footprints
from napari_calm.io.read import read_recording
from napari_calm.io.session_folder import read_session_folder
from napari_calm.io.tiff import read_movie
from napari_calm.io.traces import write_recording


@pytest.fixture
def session(tmp_path, frames, footprints, recording):
    folder = tmp_path / "session"
    folder.mkdir()
    tifffile.imwrite(
        folder / "movie.tif",
        frames,
        photometric="minisblack",
        metadata={"axes": "TYX", "fps": 7.5},
    )
    tifffile.imwrite(folder / "labels.tif", footprints.label_image.astype(np.uint16))
    write_footprints(footprints, folder / "footprints.npz")
    recording.behaviour.to_csv(folder / "behaviour.csv", index=False)
    recording.trials.to_csv(folder / "trials.csv", index=False)
    return folder


def test_a_session_without_traces_is_extracted_from_its_movie(session, footprints):
    found = read_recording(session)
    expected = extract(read_movie(session / "movie.tif"), footprints)
    np.testing.assert_array_equal(found.traces, expected.traces)
    assert (found.frame_rate_hz, found.name, found.movie.n_frames) == (7.5, "session", 40)
    assert list(found.behaviour["state"][[0, 39]]) == ["rest", "run"]
    assert list(found.trials["cue"]) == ["left", "right"]


def test_a_session_with_traces_is_read_not_extracted(session, recording):
    write_recording(recording, session / "traces.npz")
    found = read_recording(session)
    np.testing.assert_array_equal(found.traces, recording.traces)
    assert found.movie.n_frames == 40
    pd.testing.assert_frame_equal(found.trials, recording.trials)


def test_traces_without_rate_or_rois_take_those_of_the_session(session, recording):
    traces = recording.traces.copy()
    traces[1] = 0
    np.savez(session / "traces.npz", traces=traces, fps=np.nan)
    found = read_recording(session, drop_unusable=True)
    assert found.frame_rate_hz == 7.5
    np.testing.assert_array_equal(found.footprints.label_values, [3, 9])


def test_without_the_archive_the_label_image_gives_the_rois(session, footprints):
    (session / "footprints.npz").unlink()
    found = read_session_folder(session).footprints
    np.testing.assert_array_equal(found.label_image, footprints.label_image)
    (session / "labels.tif").unlink()
    with pytest.raises(RecordingError, match=r"no ROIs beside movie\.tif"):
        read_session_folder(session)


def test_behaviour_of_another_length_is_told(session, recording):
    recording.behaviour[:-3].to_csv(session / "behaviour.csv", index=False)
    with pytest.raises(RecordingError, match=r"behaviour\.csv: 37 rows for a movie of 40"):
        read_recording(session)


def test_rois_of_another_size_are_told(session):
    tifffile.imwrite(session / "other.tif", np.ones((8, 9), np.uint8))
    for path in (session, session / "movie.tif"):
        with pytest.raises(RecordingError, match="8 x 9 pixels, but the movie has 24 x 32"):
            read_recording(path, rois=session / "other.tif")


def test_a_movie_needs_rois(session):
    with pytest.raises(RecordingError, match=r"--rois.*napari-calm extract"):
        read_recording(session / "movie.tif")


def test_a_movie_with_rois_is_extracted(session, footprints):
    found = read_recording(
        session / "movie.tif", rois=session / "footprints.npz", frame_rate_hz=3
    )
    expected = extract(read_movie(session / "movie.tif"), footprints, frame_rate_hz=3)
    np.testing.assert_array_equal(found.traces, expected.traces)
    assert found.frame_rate_hz == found.movie.frame_rate_hz == 3


def test_a_movie_without_frame_rate_asks_for_it(session, frames):
    tifffile.imwrite(session / "movie.tif", frames, photometric="minisblack")
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_recording(session / "movie.tif", rois=session / "labels.tif")


def test_traces_are_told_by_content(tmp_path, recording):
    write_recording(recording, tmp_path / "traces.backup")
    np.testing.assert_array_equal(
        read_recording(tmp_path / "traces.backup").traces, recording.traces
    )


def test_traces_may_be_given_rois(tmp_path, recording, footprints):
    np.savez(tmp_path / "t.npz", traces=recording.traces, fps=6.0)
    write_footprints(footprints, tmp_path / "rois.npz")
    found = read_recording(tmp_path / "t.npz", rois=tmp_path / "rois.npz")
    np.testing.assert_array_equal(found.footprints.label_values, [3, 7, 9])


def test_suite2p_is_read_from_folders_and_from_a_file_in_them(suite2p_plane):
    from_file = read_recording(suite2p_plane / "stat.npy", cells_only=True)
    from_folder = read_recording(suite2p_plane.parents[1], cells_only=True)
    np.testing.assert_array_equal(from_file.traces, from_folder.traces)
    assert from_file.n_neurons == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing", None, "no such file or folder"),
        ("notes.txt", b"hello", "file is of no known kind"),
        ("folder/", None, "folder is of no known kind"),
        ("broken.tif", b"hello", "not a TIFF file"),
        ("broken.npz", b"hello", "not a readable npz archive"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path, name, content, message):
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    elif content:
        path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        read_recording(path)


def test_other_results_are_named_for_what_they_are(tmp_path, footprints):
    write_footprints(footprints, tmp_path / "rois.npz")
    with pytest.raises(
        RecordingError, match="found a footprints archive; expected a recording"
    ):
        read_recording(tmp_path / "rois.npz")
