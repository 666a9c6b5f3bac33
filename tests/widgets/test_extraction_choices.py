"""What "More" of the Recording section says is what is extracted, copied and kept."""

import shlex
import sys

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_calm import cli
from napari_calm.core.footprints import Footprints
from napari_calm.core.movie import Movie
from napari_calm.extraction.extract import extract
from napari_calm.io.read import read_recording


@pytest.fixture
def chosen(viewer, panel, press, qtbot, tmp_path):
    """Return a panel with all four choices made by keys, and what should be extracted."""
    frames = np.random.default_rng(0).integers(200, 900, (90, 24, 32)).astype(np.uint16)
    labels = np.zeros((24, 32), np.uint16)
    labels[2:8, 2:8], labels[12:20, 18:26] = 1, 2
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    tifffile.imwrite(tmp_path / "rois.tif", labels)
    section = panel.recording
    for start, path in (
        (section.start_opening_movie, tmp_path / "movie.tif"),
        (section.start_opening_rois, tmp_path / "rois.tif"),
    ):
        with qtbot.waitSignal(panel.job.ended, timeout=10_000):
            start(path)
    qtbot.mouseClick(section.choices.heading, Qt.MouseButton.LeftButton)
    assert not section.choices.body.isHidden()
    for box, typed in (
        (section.frame_rate, "10"),
        (section.choices.neuropil, "0.6"),
        (section.choices.window_s, "4"),
        (section.choices.percentile, "35"),
    ):
        box.selectAll()
        qtbot.keyClicks(box, typed)
        qtbot.keyClick(box, Qt.Key.Key_Return)
    section.choices.exclude_overlaps.click()
    press(panel, section.extract)
    expected = extract(
        Movie(frames, 10.0),
        Footprints.from_label_image(labels),
        window_s=4,
        percentile=35,
        neuropil_coefficient=0.6,
        exclude_overlaps=True,
    )
    return panel, expected.traces


def test_choices_are_extracted_and_copied_and_kept(chosen, press, qtbot, tmp_path, monkeypatch):
    panel, expected = chosen
    session = panel.session
    np.testing.assert_array_equal(session.recording.traces, expected)
    made = {}
    qtbot.mouseClick(panel.export.copy_python, Qt.MouseButton.LeftButton)
    exec(QApplication.clipboard().text(), made)
    np.testing.assert_array_equal(made["recording"].traces, expected)

    press(panel, panel.tokens.tokenise)
    qtbot.mouseClick(panel.export.copy_command, Qt.MouseButton.LeftButton)
    first, second = QApplication.clipboard().text().splitlines()
    assert second.startswith("napari-calm tokenize traces.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(first))
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    np.testing.assert_allclose(
        read_recording("traces.npz").traces, expected, rtol=1e-6, atol=1e-6
    )

    kept, origin = panel.export.keeping, session.origin
    with qtbot.waitSignal(panel.job.ended, timeout=10_000):
        kept.start_saving(tmp_path / "s.npz")
    session.set_recording(None)
    with qtbot.waitSignal(panel.job.ended, timeout=10_000):
        kept.start_opening(tmp_path / "s.npz")
    assert session.origin == origin
    np.testing.assert_array_equal(session.recording.traces, expected)
