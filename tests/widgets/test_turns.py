"""Results are shown piece by piece, and the window lives in between."""

import pytest
from qtpy.QtCore import Qt, QTimer

from napari_calm.core.progress import Progress
from napari_calm.io.traces import write_recording
from napari_calm.widgets.job import Ending, Job
from napari_calm.widgets.layers import ACTIVITY, RECORDING_KEY, ROIS, role_of
from napari_calm.widgets.panel import TRACES_DOCK, CalmPanel
from napari_calm.widgets.turns import Turns


@pytest.fixture
def turns(qtbot):
    return Turns()


def deliver(qtbot, turns, result):
    """Deliver `result` and return what `then` was given, once it was called."""
    ended = []
    turns.deliver(result, ended.append)
    qtbot.waitUntil(lambda: bool(ended))
    assert len(ended) == 1
    return ended[0]


def test_outside_of_a_delivery_a_piece_is_drawn_at_once(turns):
    drawn = []
    turns.take(lambda: drawn.append(1))
    assert (drawn, turns.waiting) == ([1], False)


def test_the_window_gets_a_turn_between_any_two_pieces(qtbot, turns):
    log, ticks = [], QTimer()
    ticks.timeout.connect(lambda: log.append("window"))
    ticks.start(0)

    def result():
        for piece in "abc":
            turns.take(lambda piece=piece: log.append(piece))
        log.append("result")

    deliver(qtbot, turns, result)
    ticks.stop()
    for before, after in zip(["result", "a", "b"], ["a", "b", "c"], strict=True):
        between = log[log.index(before) + 1 : log.index(after)]
        assert set(between) == {"window"}, log


def test_a_piece_that_waits_is_drawn_once_and_one_taken_by_a_piece_comes_last(qtbot, turns):
    drawn = []

    def last():
        drawn.append("last")

    def first():
        drawn.append("first")
        turns.take(last)

    def second():
        drawn.append("second")

    def result():
        for piece in (first, second, first, second):
            turns.take(piece)

    assert deliver(qtbot, turns, result) is None
    assert drawn == ["first", "second", "last"]


def test_without_pieces_a_delivery_ends_at_once(turns):
    ended = []
    turns.deliver(lambda: None, ended.append)
    assert (ended, turns.waiting) == ([None], False)


def test_an_error_in_a_piece_is_told_and_the_other_pieces_are_drawn(qtbot, turns):
    drawn, error = [], ValueError("no layer")

    def failing():
        raise error

    def result():
        turns.take(failing)
        turns.take(lambda: drawn.append(1))

    assert deliver(qtbot, turns, result) is error
    assert drawn == [1]


def test_stopped_turns_draw_nothing_more_and_deliver_again(qtbot, turns):
    drawn, ended = [], []
    turns.deliver(lambda: turns.take(lambda: drawn.append(1)), ended.append)
    assert turns.waiting
    turns.stop()
    qtbot.wait(60)
    assert (drawn, ended, turns.waiting) == ([], [], False)
    assert deliver(qtbot, turns, lambda: turns.take(lambda: drawn.append(2))) is None
    assert drawn == [2]


def steps():
    yield Progress(1, 1, "counting")
    return "found"


def test_a_job_runs_until_the_last_piece_of_its_result_is_drawn(qtbot, turns):
    job, states = Job(turns=turns), []

    def piece():
        states.append((job.running, job.working, job.showing))

    job.start(steps(), title="Work", on_done=lambda _: turns.take(piece))
    with qtbot.waitSignal(job.ended) as ended:
        qtbot.waitUntil(lambda: job.showing)
        # There is nothing to cancel any more, and nothing else may start.
        job.cancel()
        assert not job.start(steps(), title="Other", on_done=print)
    assert states == [(True, False, True)]
    assert ended.args[0].ending is Ending.DONE
    assert not job.running


def test_an_error_in_a_piece_is_the_error_of_its_job(qtbot, turns):
    job = Job(turns=turns)

    def piece():
        raise ValueError("no layer")

    with qtbot.waitSignal(job.ended) as ended:
        job.start(steps(), title="Work", on_done=lambda _: turns.take(piece))
    report = ended.args[0]
    assert report.ending is Ending.ERROR
    assert "no layer" in report.message


def test_an_abandoned_job_draws_nothing_more(qtbot, turns):
    job, drawn, ended = Job(turns=turns), [], []
    job.ended.connect(ended.append)
    job.start(steps(), title="Work", on_done=lambda _: turns.take(lambda: drawn.append(1)))
    qtbot.waitUntil(lambda: job.showing)
    job.abandon()
    qtbot.wait(60)
    assert (drawn, ended, job.running) == ([], [], False)


@pytest.fixture
def with_sample(panel, qtbot):
    qtbot.mouseClick(panel.recording.opener.open_sample, Qt.MouseButton.LeftButton)
    return panel


def roles(viewer):
    return {role_of(layer) for layer in viewer.layers} - {""}


def test_what_extraction_found_is_shown_one_layer_or_dock_a_turn(
    viewer, with_sample, press, qtbot
):
    panel, seen, told = with_sample, [], set()

    def look():
        now = len(roles(viewer)) + (TRACES_DOCK in viewer.window.dock_widgets)
        if panel.job.showing:
            told.add((panel.job_bar.message.text(), panel.job_bar.cancel.isEnabled()))
        seen.append(now)

    ticks = QTimer()
    ticks.timeout.connect(look)
    ticks.start(2)
    assert press(panel, panel.recording.extract).ending is Ending.DONE
    ticks.stop()
    assert list(dict.fromkeys(seen)) == [0, 1, 2, 3]
    assert roles(viewer) == {ACTIVITY, ROIS}
    assert told == {("Extract traces: showing the result ...", False)}
    activity, rois = (panel.layers.find(role) for role in (ACTIVITY, ROIS))
    assert activity.colorbar.visible
    assert rois.contour == 1


def at_first_piece(qtbot, panel, act):
    """Extract, and do `act` when the first layer of the result is there and others are not."""
    done, ticks = [], QTimer()

    def look():
        if not done and panel.layers.find(ACTIVITY) is not None:
            assert panel.job.showing
            assert panel.layers.find(ROIS) is None
            done.append(True)
            act()

    ticks.timeout.connect(look)
    ticks.start(2)
    qtbot.mouseClick(panel.recording.extract, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(done), timeout=10_000)
    ticks.stop()


def test_layers_deleted_between_two_pieces_do_not_harm_the_others(viewer, with_sample, qtbot):
    panel, reports = with_sample, []
    panel.job.ended.connect(reports.append)
    at_first_piece(qtbot, panel, viewer.layers.clear)
    qtbot.waitUntil(lambda: bool(reports))
    assert reports[0].ending is Ending.DONE
    assert roles(viewer) == {ROIS}
    assert panel.traces is not None


def test_another_recording_between_two_pieces_is_the_one_that_is_shown(
    viewer, with_sample, task, qtbot
):
    panel, reports = with_sample, []
    panel.job.ended.connect(reports.append)
    at_first_piece(qtbot, panel, lambda: panel.session.set_recording(task))
    qtbot.waitUntil(lambda: bool(reports))
    assert reports[0].ending is Ending.DONE
    assert panel.session.recording is task
    assert panel.layers.find(ROIS).metadata[RECORDING_KEY] is task
    assert panel.layers.find(ACTIVITY).data.shape == (task.n_frames, 40, 112)


def test_a_panel_closed_between_two_pieces_shows_no_more_and_the_next_one_does(
    viewer, with_sample, no_looking_around, qtbot
):
    panel = with_sample
    at_first_piece(qtbot, panel, lambda: viewer.window.remove_dock_widget(panel))
    qtbot.wait(200)
    assert roles(viewer) == {ACTIVITY}
    assert TRACES_DOCK not in viewer.window.dock_widgets
    viewer.layers.remove(panel.layers.find(ACTIVITY))
    other = CalmPanel(viewer)
    viewer.window.add_dock_widget(other, name="CalM")
    assert roles(viewer) == {ACTIVITY, ROIS}
    assert other.layers.find(ROIS).contour == 1
    assert TRACES_DOCK in viewer.window.dock_widgets
    other.release_once()


def test_all_layers_removed_between_two_pieces_of_opening_is_no_error(
    viewer, panel, task, tmp_path, qtbot
):
    write_recording(task, tmp_path / "task.npz")
    ticks, reports = QTimer(), []
    panel.job.ended.connect(reports.append)

    def look():
        if panel.layers.find(ROIS) is not None:
            ticks.stop()
            viewer.layers.clear()

    ticks.timeout.connect(look)
    ticks.start(2)
    panel.recording.opener.start_opening(tmp_path / "task.npz")
    qtbot.waitUntil(lambda: bool(reports), timeout=10_000)
    assert reports[0].ending is Ending.DONE
    assert panel.session.recording.n_neurons == task.n_neurons


def test_a_window_hidden_between_two_pieces_shows_no_more_and_works_when_it_is_back(
    shown_viewer, no_looking_around, press, qtbot
):
    panel = CalmPanel(shown_viewer)
    shown_viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    qtbot.mouseClick(panel.recording.opener.open_sample, Qt.MouseButton.LeftButton)
    reports = []
    panel.job.ended.connect(reports.append)
    at_first_piece(qtbot, panel, panel.window().hide)
    assert reports[0].ending is Ending.CANCELLED
    assert "before all of the result was shown" in panel.job_bar.message.text()
    panel.window().show()
    assert press(panel, panel.recording.extract).ending is Ending.DONE
    assert roles(shown_viewer) == {ACTIVITY, ROIS}
    assert panel.traces is not None


def test_a_window_closed_between_two_pieces_shows_no_more(
    make_napari_viewer_proxy, no_looking_around, qtbot
):
    viewer = make_napari_viewer_proxy(show=True)
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    qtbot.mouseClick(panel.recording.opener.open_sample, Qt.MouseButton.LeftButton)
    at_first_piece(qtbot, panel, viewer.close)
    qtbot.wait(200)
    assert not panel.job.running
    assert panel.traces is None
