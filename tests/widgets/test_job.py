import threading
import time

import pytest
from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QPushButton

from napari_calm.core.errors import RecordingError
from napari_calm.core.progress import Progress
from napari_calm.widgets.job import Ending, Job


def counted(n, pause_s=0.0, log=None):
    for i in range(n):
        if pause_s:
            time.sleep(pause_s)
        if log is not None:
            log.append(i)
        yield Progress(i + 1, n, "counting")
    return n


def busy(seconds, step_s=0.0001):
    """Hold Python's lock and yield every `step_s`, as a careless loop would."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        next_step = time.perf_counter() + step_s
        while time.perf_counter() < next_step:
            pass
        yield Progress(1, 2, "spinning")
    return "spun"


@pytest.fixture
def job(qtbot):
    parent = QObject()
    yield Job(parent)
    parent.deleteLater()


def run_to_end(qtbot, job, steps, **kwargs):
    done = []
    with qtbot.waitSignal(job.ended, timeout=10_000) as ended:
        assert job.start(steps, title="Work", on_done=done.append, **kwargs)
    return ended.args[0], done


def no_worker_left(qtbot):
    from superqt.utils import WorkerBase

    qtbot.waitUntil(lambda: not WorkerBase._worker_set, timeout=3000)


def test_the_result_arrives_in_the_main_thread(qtbot, job):
    threads = []
    with qtbot.waitSignal(job.ended):
        job.start(
            counted(3), title="Work", on_done=lambda _: threads.append(threading.get_ident())
        )
    assert threads == [threading.get_ident()]
    no_worker_left(qtbot)


def test_done_reports_done_with_the_result_and_frees_the_job(qtbot, job):
    report, done = run_to_end(qtbot, job, counted(5))
    assert (report.ending, done, job.running) == (Ending.DONE, [5], False)


def test_yields_every_tenth_of_a_millisecond_reach_the_window_20_times_a_second(qtbot, job):
    arrived, gaps, last = [], [], [time.perf_counter()]

    def tick():
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(5)
    job.progressed.connect(lambda progress: arrived.append(progress))
    report, _ = run_to_end(qtbot, job, busy(2.0))
    timer.stop()
    assert report.ending is Ending.DONE
    assert 20 <= len(arrived) <= 42
    # Measured without throttling: over a second.
    assert max(gaps) < 0.25


def test_cancel_ends_the_job_within_a_second_and_the_next_one_runs(qtbot, job):
    log, done = [], []
    job.start(counted(10_000, 0.02, log), title="Long", on_done=done.append)
    qtbot.waitUntil(lambda: len(log) > 3)
    asked_at = time.perf_counter()
    with qtbot.waitSignal(job.ended, timeout=2000) as ended:
        job.cancel()
    assert time.perf_counter() - asked_at < 1.0
    assert ended.args[0].ending is Ending.CANCELLED
    assert done == []
    no_worker_left(qtbot)
    stopped_at = len(log)
    report, done = run_to_end(qtbot, job, counted(2))
    assert (report.ending, done) == (Ending.DONE, [2])
    assert len(log) == stopped_at


def test_cancel_frees_the_panel_within_a_second_even_inside_a_long_step(qtbot, job):
    done = []
    job.start(counted(2, 2.5), title="Slow", on_done=done.append)
    qtbot.wait(100)
    asked_at = time.perf_counter()
    with qtbot.waitSignal(job.ended, timeout=2000):
        job.cancel()
    assert time.perf_counter() - asked_at < 1.0
    assert not job.running
    no_worker_left(qtbot)
    qtbot.wait(50)
    assert done == []


def test_cancelling_closes_the_generator(qtbot, job):
    closed = threading.Event()

    def steps():
        try:
            while True:
                time.sleep(0.01)
                yield Progress(0, 1, "waiting")
        finally:
            closed.set()

    job.start(steps(), title="Long", on_done=print)
    qtbot.wait(100)
    with qtbot.waitSignal(job.ended):
        job.cancel()
    assert closed.wait(1.0)


def test_a_worker_that_napari_stops_closes_the_generator_too(qtbot, job):
    log, closed = [], []

    def steps():
        try:
            yield from counted(10_000, 0.08, log)
        finally:
            closed.append(True)

    job.start(steps(), title="Long", on_done=print)
    qtbot.waitUntil(lambda: len(log) > 2)
    with qtbot.waitSignal(job.ended) as ended:
        job._worker.quit()
    assert ended.args[0].ending is Ending.CANCELLED
    qtbot.waitUntil(lambda: closed == [True], timeout=1000)


def test_what_could_not_be_kept_on_cancelling_is_told(qtbot, job):
    def steps():
        try:
            yield from counted(10_000, 0.02)
        finally:
            raise RecordingError("state.pt: the disk is full")

    job.start(steps(), title="Long", on_done=print)
    qtbot.wait(100)
    with qtbot.waitSignal(job.ended) as ended:
        job.cancel()
    assert (ended.args[0].ending, ended.args[0].message) == (
        Ending.ERROR,
        "state.pt: the disk is full",
    )


def failing(error):
    yield Progress(0, 1, "about to fail")
    raise error


def test_a_foreseen_error_is_told_in_its_own_words_without_a_traceback(qtbot, job):
    report, done = run_to_end(qtbot, job, failing(RecordingError("movie.tif: no frame")))
    assert (report.ending, report.message) == (Ending.ERROR, "movie.tif: no frame")
    assert report.details == ""
    assert done == []


def test_an_unforeseen_error_brings_its_traceback(qtbot, job):
    report, _ = run_to_end(qtbot, job, failing(KeyError("oops")))
    assert report.ending is Ending.ERROR
    assert "KeyError" in report.message
    assert "in failing" in report.details


def test_an_error_while_showing_the_result_is_reported_too(qtbot, job):
    with qtbot.waitSignal(job.ended) as ended:
        job.start(counted(1), title="Work", on_done=lambda _: 1 / 0)
    assert "ZeroDivisionError" in ended.args[0].details
    assert not job.running


def test_a_second_start_while_one_runs_does_nothing(qtbot, job):
    first, second = [], []
    job.start(counted(20, 0.01), title="First", on_done=first.append)
    assert not job.start(counted(1), title="Second", on_done=second.append)
    qtbot.waitUntil(lambda: first == [20])
    qtbot.wait(50)
    assert second == []


@pytest.mark.parametrize(
    "steps",
    [lambda: counted(3), lambda: failing(RecordingError("no")), lambda: failing(KeyError("x"))],
    ids=["done", "foreseen error", "unforeseen error"],
)
def test_guarded_buttons_are_off_while_running_and_on_after_any_ending(qtbot, job, steps):
    button = QPushButton()
    qtbot.addWidget(button)
    job.guard(button, lambda: "")
    states = []
    job.changed.connect(lambda: states.append((job.running, button.isEnabled())))
    run_to_end(qtbot, job, steps())
    assert states[0] == (True, False)
    assert states[-1] == (False, True)


def test_a_button_says_what_is_missing_and_its_own_tooltip_when_nothing_is(qtbot, job):
    button = QPushButton()
    qtbot.addWidget(button)
    button.setToolTip("Does it.")
    missing = ["Extract traces first."]
    job.guard(button, lambda: missing[0])
    assert (button.isEnabled(), button.toolTip()) == (False, "Extract traces first.")
    missing[0] = ""
    job.refresh_buttons()
    assert (button.isEnabled(), button.toolTip()) == (True, "Does it.")


def test_a_double_click_starts_one_job(qtbot, job):
    starts = []
    button = QPushButton()
    qtbot.addWidget(button)
    button.clicked.connect(
        lambda: starts.append(job.start(counted(5, 0.02), title="Work", on_done=print))
    )
    job.guard(button, lambda: "")
    with qtbot.waitSignal(job.ended):
        for _ in range(2):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        qtbot.mouseDClick(button, Qt.MouseButton.LeftButton)
    assert starts == [True]


def test_an_abandoned_job_stops_without_a_word(qtbot, job):
    log, done, reports = [], [], []
    job.ended.connect(reports.append)
    job.start(counted(10_000, 0.01, log), title="Long", on_done=done.append)
    qtbot.waitUntil(lambda: len(log) > 2)
    job.abandon()
    no_worker_left(qtbot)
    assert (done, reports, job.running) == ([], [], False)
