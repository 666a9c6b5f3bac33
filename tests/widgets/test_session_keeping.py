"""A saved session goes on where it was left, wherever its recording is now."""

import json
import pickle
import shutil
from dataclasses import replace
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import QFileDialog

from napari_calm.core.progress import run
from napari_calm.decoding.applied import Applied
from napari_calm.io.traces import write_recording
from napari_calm.model.checkpoint import save_model
from napari_calm.widgets.explore_panel import EXPLORE_DOCK
from napari_calm.widgets.job import Ending
from napari_calm.widgets.layers import FORECAST, TOKENS
from napari_calm.widgets.panel import TRACES_DOCK, CalmPanel
from napari_calm.widgets.session_file import read_session_steps

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def answers(monkeypatch):
    """Answer file dialogs in turn; return the questions that were asked."""
    given, asked = [], []

    def dialog(_parent, title, *_rest, **_options):
        asked.append(title)
        return given.pop(0), ""

    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, dialog)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: dialog(*args)[0])
    return given, asked


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Hold the session that the first test which needs one has saved, with all its files."""
    return SimpleNamespace(folder=tmp_path_factory.mktemp("work"), copy=None)


@pytest.fixture
def made(kept, viewer, panel, small_model, task, explored, answers, press, choose):
    """Return a panel with a recording from a file, results and choices; its session is kept."""
    shutil.rmtree(kept.folder)
    save_model(small_model, kept.folder / "small")
    (kept.folder / "data").mkdir()
    write_recording(task, kept.folder / "data" / "task.npz")
    viewer.open(kept.folder / "data" / "task.npz", plugin="napari-calm")
    panel.model.choose(str(kept.folder / "small"))
    press(panel, panel.tokens.tokenise)
    panel.session.seek(60.0)
    panel.forecast.seed.setValue(3)
    panel.forecast.horizon.setValue(2.0)
    panel.forecast.samples.setValue(2)
    press(panel, panel.forecast.forecast)
    panel.embedding.choices.setting.setValue(3)
    panel.embedding.column.draws.setValue(20)
    panel.embedding.column.window_to.setValue(4.0)
    choose(panel.embedding.column.column, "cue")
    press(panel, panel.embedding.column.selectivity)
    panel.session.set_embedding(explored.embedding, explored.neuron_map)
    panel.session.set_clusters(explored.clusters)
    panel.session.set_trajectories(explored.trajectories, coloured_by="cue")
    panel.session.select((7, 2))
    panel.session.set_accepted((1, 4), False)
    panel.traces.playing.speed.setCurrentText("5x")
    panel.traces.playing.loop.click()
    answers[0].append(str(kept.folder / "kept" / "work"))
    assert press(panel, panel.export.keeping.save).ending is Ending.DONE
    kept.copy = shutil.copytree(
        kept.folder, kept.folder.with_name("copy of work"), dirs_exist_ok=True
    )
    answers[1].clear()
    return panel


@pytest.fixture
def saved(kept, request):
    """Return the path of a session that Save session has written; its files are as then."""
    if kept.copy is None:
        request.getfixturevalue("made")
    shutil.rmtree(kept.folder)
    shutil.copytree(kept.copy, kept.folder)
    return kept.folder / "kept" / "work.calm"


@pytest.fixture
def at_work(saved, panel, answers, press):
    """Return a panel with that session: where it was made, or opened."""
    if panel.session.recording is None:
        assert opened(panel, press, answers, saved).ending is Ending.DONE
        answers[1].clear()
    return panel


@pytest.fixture
def another_panel(windows, qtbot, no_looking_around):
    """Return a panel of another window, as after starting napari anew."""
    viewer = windows.lend()
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.job.refresh_buttons()
    yield panel
    panel.release_once()
    qtbot.waitUntil(lambda: not panel.job.running)


def opened(panel, press, answers, path):
    answers[0].insert(0, str(path))
    return press(panel, panel.export.keeping.open)


def test_an_opened_session_is_the_one_that_was_saved(
    made, saved, another_panel, answers, press
):
    before, panel = made.session, another_panel
    assert opened(panel, press, answers, saved).ending is Ending.DONE
    after = panel.session
    np.testing.assert_array_equal(after.recording.traces, before.recording.traces)
    pd.testing.assert_frame_equal(after.recording.trials, before.recording.trials)
    assert after.origin == before.origin
    np.testing.assert_array_equal(after.tokens.tokens, before.tokens.tokens)
    np.testing.assert_array_equal(after.forecast.quantiles, before.forecast.quantiles)
    np.testing.assert_array_equal(after.clusters.labels, before.clusters.labels)
    np.testing.assert_array_equal(after.neuron_map.points, before.neuron_map.points)
    np.testing.assert_array_equal(
        after.selectivity["cue"].p_value, before.selectivity["cue"].p_value
    )
    np.testing.assert_array_equal(after.trajectories.states, before.trajectories.states)
    assert after.requests == before.requests
    assert after.selection == (7, 2)
    assert np.flatnonzero(~after.accepted).tolist() == [1, 4]
    assert after.time_s == before.time_s
    assert after.colour_by == before.colour_by
    assert panel.model.chosen == made.model.chosen
    assert panel.forecast.seed.value() == 3
    assert panel.forecast.horizon.value() == 2.0
    assert panel.embedding.choices.setting.value() == 3
    assert panel.embedding.column.column.currentText() == "cue"
    assert panel.traces.playback.speed == 5.0
    assert panel.traces.playback.loops
    assert panel.forecast.result.text() == made.forecast.result.text()
    roles = [layer.name for layer in panel.layers._viewer.layers]
    assert TOKENS in roles
    assert any(name.startswith(FORECAST) for name in roles)
    assert "made with ROI 2, 5, left out now" in panel.tokens.result.text()
    tokens = after.tokens
    panel.session.set_tokens(None)
    press(panel, panel.tokens.tokenise)
    in_use = after.accepted
    np.testing.assert_array_equal(after.tokens.tokens[in_use], tokens.tokens[in_use])
    assert np.flatnonzero(~after.tokens.known).tolist() == [1, 4]


def test_which_neurons_are_used_and_how_rows_are_sorted_come_back(
    at_work, another_panel, answers, press, choose, qtbot, tmp_path
):
    at_work.show_explore()
    choose(at_work.explore.raster.sorting.by, "similar activity")
    qtbot.mouseClick(at_work.recording.use.all, LEFT, pos=QPoint(8, 8))
    press(at_work, at_work.embedding.cluster)
    answers[0].append(str(tmp_path / "all"))
    assert press(at_work, at_work.export.keeping.save).ending is Ending.DONE
    panel = another_panel
    panel.show_explore()
    assert opened(panel, press, answers, tmp_path / "all.calm").ending is Ending.DONE
    assert panel.recording.use.all.isChecked()
    assert not panel.session.accepted_only
    assert panel.session.in_use.neurons is None
    assert "not up to date" not in panel.embedding.result.text()
    sorting = panel.explore.raster.sorting
    assert sorting.by.currentText() == "similar activity"
    # A feature that there is no more is not sorted by, but wished for until it is back.
    panel.session.set_sort_by("cue: d'")
    assert sorting.by.currentText() == "cue: d'"
    found = panel.session.selectivity
    panel.session.set_selectivity({})
    sorting.offer()
    assert sorting.by.currentText() == "colour"
    panel.session.set_selectivity(found)
    sorting.offer()
    assert sorting.by.currentText() == "cue: d'"


def test_a_session_saved_before_there_was_a_choice_is_of_all_neurons(saved, tmp_path):
    old = tmp_path / "old.calm"
    with ZipFile(saved) as archive, ZipFile(old, "w") as rewritten:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "session.json":
                text = json.loads(content)
                for field in ("accepted_only", "sort_by"):
                    del text[field]
                for request in text["requests"].values():
                    if request["model"] is not None:
                        del request["model"]["adapted_neurons"]
                content = json.dumps(text)
            rewritten.writestr(name, content)
    kept, _ = run(read_session_steps(old))
    assert (kept.accepted_only, kept.sort_by) == (False, "")
    assert kept.requests["tokens"].model.adapted_neurons is None


def dock_of(panel, name):
    return panel._viewer.window.dock_widgets[name].parentWidget()


def in_front(panel):
    tabs = panel.explore.tabs
    return tabs.tabText(tabs.currentIndex())


def click_tab(qtbot, panel, name):
    bar = panel.explore.tabs.tabBar()
    (place,) = [each for each in range(bar.count()) if bar.tabText(each) == name]
    qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(place).center())
    assert in_front(panel) == name


def test_decodings_and_the_open_views_come_back_where_they_were(
    at_work, another_panel, answers, press, choose, qtbot, tmp_path
):
    panel, decode = at_work, at_work.decode
    decode.choices.shifts.setValue(2)
    decode.choices.folds.setValue(2)
    decode.choices.head.setCurrentText("linear")
    for variable in ("cue", "position_cm"):
        choose(decode.variable, variable)
        assert press(panel, decode.decode).ending is Ending.DONE
    panel.session.show_decoding("cue")
    click_tab(qtbot, panel, "Clusters")
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    panel.window().addDockWidget(left, dock_of(panel, TRACES_DOCK))
    answers[0].append(str(tmp_path / "views.calm"))
    press(panel, panel.export.keeping.save)
    assert "Decodings are not" not in panel.export.result.text()

    other = another_panel
    assert opened(other, press, answers, tmp_path / "views.calm").ending is Ending.DONE
    before, after = panel.session, other.session
    assert list(after.decodings) == ["cue", "position_cm"]
    assert after.shown_decoding == "cue"
    for name, decoding in before.decodings.items():
        assert after.decodings[name].verdict() == decoding.verdict()
        np.testing.assert_array_equal(after.decodings[name].outputs, decoding.outputs)
    assert other.decode.result.text() == decode.result.text()
    assert after.colour_by == before.colour_by == "cue: weight"
    assert in_front(other) == "Clusters"
    assert other.window().dockWidgetArea(dock_of(other, TRACES_DOCK)) == left
    assert other.window().dockWidgetArea(dock_of(other, EXPLORE_DOCK)) != left

    used = before.in_use
    states = before.states_of(before.model, used.part)
    applied = Applied.of(after.decoding.decoder, after.in_use.part, states)
    other.session.set_applied(used.among(applied))
    other._viewer.window.remove_dock_widget(other._viewer.window.dock_widgets[EXPLORE_DOCK])
    answers[0].append(str(tmp_path / "applied.calm"))
    press(other, other.export.keeping.save)
    opened(panel, press, answers, tmp_path / "applied.calm")
    assert panel.session.decoding is None
    assert panel.session.applied.said == other.session.applied.said
    assert panel.session.colour_by == "cue (kept decoder): weight"
    assert panel.decode.result.text() == other.session.applied.said
    assert EXPLORE_DOCK not in panel._viewer.window.dock_widgets
    assert panel.window().dockWidgetArea(dock_of(panel, TRACES_DOCK)) == left


def test_a_session_file_of_before_decodings_were_kept_still_opens(
    saved, another_panel, answers, press, tmp_path
):
    with ZipFile(saved) as source, ZipFile(tmp_path / "before.calm", "w") as target:
        for member in source.namelist():
            content = source.read(member)
            if member == "session.json":
                text = json.loads(content)
                for name in ("docks", "shown_decoding", "decodings"):
                    del text[name]
                content = json.dumps(text).encode()
            target.writestr(member, content)
    report = opened(another_panel, press, answers, tmp_path / "before.calm")
    assert report.ending is Ending.DONE, report.message
    assert another_panel.session.clusters is not None


@pytest.mark.parametrize("exchanged_at", ["recording", "results"])
def test_results_of_a_session_do_not_come_to_a_recording_that_arrives_meanwhile(
    exchanged_at, saved, another_panel, qtbot
):
    panel, session = another_panel, another_panel.session
    reports, ticks = [], QTimer()
    panel.job.ended.connect(reports.append)

    def look():
        seen = session.recording if exchanged_at == "recording" else session.tokens
        if seen is not None:
            ticks.stop()
            # As many neurons and frames: nothing but the recording itself tells them apart.
            session.set_recording(replace(session.recording, name="twin"))

    ticks.timeout.connect(look)
    ticks.start(2)
    panel.export.keeping.start_opening(saved)
    qtbot.waitUntil(lambda: bool(reports), timeout=20_000)
    assert session.recording.name == "twin"
    assert session.tokens is None
    assert session.clusters is None
    assert session.accepted.all()
    assert session.time_s == 0.0
    if exchanged_at == "recording":
        assert "was replaced by another recording" in panel.export.result.text()


def test_a_moved_recording_is_asked_for_and_the_session_goes_on(
    kept, saved, another_panel, answers, press, tmp_path, qtbot
):
    given, asked = answers
    (tmp_path / "elsewhere").mkdir()
    shutil.move(kept.folder / "data" / "task.npz", tmp_path / "elsewhere" / "renamed.npz")
    panel = another_panel
    given.append(str(tmp_path / "elsewhere" / "renamed.npz"))
    opened(panel, press, answers, saved)
    qtbot.waitUntil(lambda: panel.session.clusters is not None, timeout=10_000)
    assert "task.npz is not at" in asked[-1]
    assert panel.session.origin.path == str(tmp_path / "elsewhere" / "renamed.npz")
    qtbot.waitUntil(lambda: not panel.job.running)
    assert "is open" in panel.export.result.text()


def test_a_session_that_moved_with_its_recording_finds_it(
    kept, saved, another_panel, answers, press, tmp_path
):
    new = tmp_path / "new computer"
    new.mkdir()
    for folder in ("kept", "data"):
        shutil.move(kept.folder / folder, new / folder)
    opened(another_panel, press, answers, new / "kept" / "work.calm")
    assert another_panel.session.origin.path == str(new / "data" / "task.npz")
    assert len(answers[1]) == 1


def test_what_cannot_be_opened_says_why_and_leaves_the_window_as_it_is(
    kept, at_work, saved, answers, press, tmp_path, qtbot, task
):
    panel, before = at_work, at_work.session.recording
    others = tmp_path / "others"
    others.mkdir()
    (others / "no zip.calm").write_bytes(b"nothing")
    write_recording(task, others / "recording.calm")

    def changed(name, change, result=lambda found: found):
        with ZipFile(saved) as source, ZipFile(others / name, "w") as target:
            for member in source.namelist():
                content = source.read(member)
                if member == "session.json":
                    text = json.loads(content)
                    change(text)
                    content = json.dumps(text).encode()
                elif member == "clusters.npz":
                    content = result(content)
                target.writestr(member, content)

    changed("newer.calm", lambda text: text.update(version=99))
    changed("damaged.calm", lambda text: text.update(selection=[[]]))
    changed("part.calm", lambda _text: None, lambda content: content[:100])
    changed("pickle.calm", lambda _text: None, lambda _content: pickle.dumps([1]))
    expected = {
        "missing.calm": "no such file",
        "no zip.calm": "not a readable zip",
        "recording.calm": "not a session file",
        "newer.calm": "newer napari-calm",
        "damaged.calm": "damaged",
        "part.calm": "clusters.npz",
        "pickle.calm": "clusters.npz",
    }
    for name, said in expected.items():
        report = opened(panel, press, answers, others / name)
        assert report.ending is Ending.ERROR
        assert not report.details, "an error that was not foreseen"
        assert said in panel.export.result.text()
    assert panel.session.recording is before
    assert panel.session.clusters is not None

    write_recording(
        type(task)(task.traces[::-1].copy(), task.frame_rate_hz),
        kept.folder / "data" / "task.npz",
    )
    assert opened(panel, press, answers, saved).ending is Ending.ERROR
    assert "not those of task" in panel.export.result.text()
    (kept.folder / "data" / "task.npz").unlink()
    answers[0].append("")
    opened(panel, press, answers, saved)
    qtbot.waitUntil(lambda: "choose where it is now" in panel.export.result.text())
    assert panel.session.recording is before


def test_a_recording_without_a_file_is_kept_in_the_session(
    viewer, panel, another_panel, press, answers, tmp_path, qtbot
):
    qtbot.mouseClick(panel.recording.opener.open_sample, LEFT)
    painted = viewer.layers["Y-maze ROIs"]
    painted.data = np.where(painted.data == 3, 0, painted.data)
    press(panel, panel.recording.extract)
    assert panel.session.origin is None
    answers[0].append(str(tmp_path / "painted.calm"))
    press(panel, panel.export.keeping.save)
    opened(another_panel, press, answers, tmp_path / "painted.calm")
    before, after = panel.session, another_panel.session
    np.testing.assert_array_equal(after.recording.traces, before.recording.traces)
    np.testing.assert_array_equal(
        after.recording.footprints.label_image, before.recording.footprints.label_image
    )
    assert after.pixel_size_um == before.pixel_size_um
    assert after.origin is None


def test_a_movie_and_rois_are_extracted_again(
    panel, another_panel, press, answers, tmp_path, qtbot
):
    qtbot.mouseClick(panel.recording.opener.open_sample, LEFT)
    press(panel, panel.recording.extract)
    assert panel.session.origin is not None
    answers[0].append(str(tmp_path / "maze.calm"))
    press(panel, panel.export.keeping.save)
    opened(another_panel, press, answers, tmp_path / "maze.calm")
    before, after = panel.session, another_panel.session
    np.testing.assert_array_equal(after.recording.traces, before.recording.traces)
    assert after.origin == before.origin
    assert any(layer.name.endswith("movie") for layer in another_panel.layers._viewer.layers)


def test_a_disk_that_is_full_leaves_the_session_file_of_before(
    at_work, saved, answers, press, monkeypatch
):
    content = saved.read_bytes()

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device", "work.calm")

    monkeypatch.setattr(ZipFile, "write", full)
    answers[0].append(str(saved))
    assert press(at_work, at_work.export.keeping.save).ending is Ending.ERROR
    assert "disk is full" in at_work.export.result.text()
    assert saved.read_bytes() == content
    assert list(saved.parent.iterdir()) == [saved]
