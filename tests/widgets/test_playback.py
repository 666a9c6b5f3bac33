"""Playing keeps to the clock, however long drawing takes."""

import time

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_calm.widgets.panel import CalmPanel
from napari_calm.widgets.playback import Playback, behind_told
from napari_calm.widgets.session import Session
from napari_calm.widgets.trace_panel import TracePanel

from .conftest import RATE_HZ, random_recording, square_rois

N_FRAMES = 400


class Clock:
    """A clock that stands until it is moved."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session():
    session = Session()
    session.set_recording(random_recording(n_frames=N_FRAMES))
    return session


@pytest.fixture
def playback(qtbot, session, clock):
    playback = Playback(session, clock_s=clock)
    yield playback
    playback.stop()


def frame_of(session):
    return round(session.time_s * RATE_HZ)


def shows(qtbot, session, frame):
    qtbot.waitUntil(lambda: frame_of(session) == frame, timeout=2000)


def test_frames_come_when_the_clock_says_and_late_ones_are_left_out(
    qtbot, session, playback, clock
):
    seen = []
    session.seek(10 / RATE_HZ)
    session.time_changed.connect(lambda: seen.append(frame_of(session)))
    playback.start()
    clock.now_s += 1.5 / RATE_HZ
    shows(qtbot, session, 11)
    # Drawing took as long as seven frames.
    clock.now_s += 7 / RATE_HZ
    shows(qtbot, session, 18)
    assert seen == [11, 18]


@pytest.mark.parametrize(("speed", "frame"), [(0.25, 1), (5.0, 24)])
def test_speed_stretches_the_clock(qtbot, session, playback, clock, speed, frame):
    playback.set_speed(speed)
    playback.start()
    clock.now_s += 0.81
    shows(qtbot, session, frame)


def test_whoever_moves_in_time_is_followed(qtbot, session, playback, clock):
    playback.start()
    clock.now_s += 3.5 / RATE_HZ
    shows(qtbot, session, 3)
    session.seek(200 / RATE_HZ)
    clock.now_s += 2.5 / RATE_HZ
    shows(qtbot, session, 202)


def test_it_stops_at_the_last_frame_and_begins_at_the_first_from_there(
    qtbot, session, playback, clock
):
    session.seek((N_FRAMES - 2) / RATE_HZ)
    playback.start()
    clock.now_s += 1.2 / RATE_HZ
    shows(qtbot, session, N_FRAMES - 1)
    assert playback.playing
    clock.now_s += 1 / RATE_HZ
    qtbot.waitUntil(lambda: not playback.playing, timeout=2000)
    assert frame_of(session) == N_FRAMES - 1
    playback.start()
    assert frame_of(session) == 0


def test_repeating_stays_in_view(qtbot, session, playback, clock):
    playback.loops, playback.view_s = True, (50 / RATE_HZ, 54 / RATE_HZ)
    session.seek(0.0)
    playback.start()
    assert frame_of(session) == 50
    clock.now_s += 4.5 / RATE_HZ
    shows(qtbot, session, 54)
    clock.now_s += 1 / RATE_HZ
    shows(qtbot, session, 50)
    assert playback.playing


def test_a_standstill_is_not_caught_up(qtbot, session, playback, clock):
    playback.start()
    clock.now_s += 1.5 / RATE_HZ
    shows(qtbot, session, 1)
    clock.now_s += 60.0
    qtbot.wait(150)
    clock.now_s += 1.5 / RATE_HZ
    shows(qtbot, session, 2)


def test_another_recording_ends_it(session, playback):
    playback.start()
    session.set_recording(random_recording(seed=1))
    assert not playback.playing


def test_frames_that_are_left_out_are_told(qtbot, session, playback, clock):
    told = []
    playback.counted.connect(lambda *counts: told.append(counts))
    playback.start()
    for frame in (3, 6, 9, 12):
        clock.now_s += 0.5
        shows(qtbot, session, frame)
    qtbot.waitUntil(lambda: bool(told), timeout=2000)
    assert told == [(pytest.approx(2.0), RATE_HZ)]
    assert f"2.0 of {RATE_HZ:.3g} frames/s" in behind_told(*told[0], playback.speed)


@pytest.fixture
def in_window(panel):
    """Return viewer and panel whose traces are open."""
    panel.session.set_recording(random_recording(n_frames=N_FRAMES, footprints=square_rois()))
    return panel._viewer, panel


def test_play_moves_napari_s_slider_at_the_speed_chosen(in_window, qtbot):
    viewer, panel = in_window
    playing = panel.traces.playing
    playing.speed.setCurrentText("20x")
    qtbot.mouseClick(playing.play, Qt.MouseButton.LeftButton)
    assert playing.play.text() == "Stop"
    clock = time.perf_counter
    began_s, first_s = clock(), panel.session.time_s
    qtbot.waitUntil(lambda: panel.session.time_s > first_s + 20, timeout=10000)
    passed_s = clock() - began_s
    assert panel.session.time_s - first_s == pytest.approx(20 * passed_s, rel=0.3)
    assert viewer.dims.point[0] == pytest.approx(panel.session.time_s)
    qtbot.mouseClick(playing.play, Qt.MouseButton.LeftButton)
    assert playing.play.text() == "Play"
    stays_s = panel.session.time_s
    qtbot.wait(150)
    assert panel.session.time_s == stays_s


def test_looping_repeats_what_the_traces_show(session, qtbot):
    panel = TracePanel(ViewerModel(), session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.plot.n_rows > 0)
    panel.plot.view_time(30.0, 32.0)
    qtbot.mouseClick(panel.playing.loop, Qt.MouseButton.LeftButton)
    seen = []
    session.time_changed.connect(lambda: seen.append(session.time_s))
    panel.playing.speed.setCurrentText("10x")
    qtbot.mouseClick(panel.playing.play, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(seen) > 40, timeout=20000)
    panel.release_once()
    assert min(seen) >= 30 - 1e-6
    assert max(seen) <= 32 + 1e-6
    assert np.sum(np.diff(seen) < 0) >= 2


def test_the_key_plays_and_stops(in_window):
    _, panel = in_window
    play = next(one for one in panel.shortcuts.all if one.key == "Shift-P")
    play.act()
    assert panel.traces.playback.playing
    play.act()
    assert not panel.traces.playback.playing


def test_closed_traces_play_no_more(in_window, qtbot):
    viewer, panel = in_window
    qtbot.mouseClick(panel.traces.playing.play, Qt.MouseButton.LeftButton)
    playback = panel.traces.playback
    viewer.window.remove_dock_widget(viewer.window.dock_widgets["CalM traces"])
    assert not playback.playing
    stays_s = panel.session.time_s
    qtbot.wait(250)
    assert panel.session.time_s == stays_s


def test_what_is_left_out_is_said_above_the_traces(in_window):
    _, panel = in_window
    panel.traces.playback.start()
    usual = panel.traces.legend.text()
    panel.traces.playback.counted.emit(1.5, RATE_HZ)
    assert "1.5 of 6 frames/s" in panel.traces.legend.text()
    panel.traces.playback.stop()
    assert panel.traces.legend.text() == usual


def test_a_window_that_is_closed_plays_no_more(shown_viewer, no_looking_around, qtbot):
    panel = CalmPanel(shown_viewer)
    shown_viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.session.set_recording(random_recording(n_frames=N_FRAMES))
    qtbot.mouseClick(panel.traces.playing.play, Qt.MouseButton.LeftButton)
    assert panel.traces.playback.playing
    panel.window().hide()
    assert not panel.traces.playback.playing
    panel.release_once()
