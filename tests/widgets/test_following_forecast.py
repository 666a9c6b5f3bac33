"""A forecast that follows the slider is made where it rests, and nowhere else."""

import pytest
from qtpy.QtCore import QPoint, Qt

from napari_calm.core.progress import Progress
from napari_calm.widgets.job import Ending

LEFT = Qt.MouseButton.LeftButton


def step_to(viewer, frame):
    viewer.dims.set_current_step(0, frame)


def tick(qtbot, box):
    qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))


@pytest.fixture
def following(viewer, with_task, qtbot):
    """Return a panel whose forecast follows the slider, with the first one made."""
    panel = with_task
    panel.forecast.horizon.setValue(1.0)
    step_to(viewer, 100)
    with qtbot.waitSignal(panel.job.ended, timeout=20_000):
        tick(qtbot, panel.forecast.follow_slider)
    assert panel.session.forecast.start_frame == 100
    return panel


@pytest.fixture
def slow(small_model, monkeypatch):
    """Let forecasts wait until told to go on; return where they began, and the word."""
    begun, go_on, real = [], [], type(small_model).forecast_steps

    def waiting(model, recording, *, start_frame, **options):
        begun.append(start_frame)
        while not go_on:
            yield Progress(0, 1, "waiting")
        return (yield from real(model, recording, start_frame=start_frame, **options))

    monkeypatch.setattr(type(small_model), "forecast_steps", waiting)
    return begun, go_on


def test_it_is_made_anew_where_the_slider_rests(viewer, following, slow, qtbot):
    begun, go_on = slow
    go_on.append(True)
    with qtbot.waitSignal(following.job.ended, timeout=20_000):
        for frame in (150, 160, 170, 200):
            step_to(viewer, frame)
    assert begun == [200]
    assert following.session.forecast.start_frame == 200
    tick(qtbot, following.forecast.follow_slider)
    step_to(viewer, 250)
    qtbot.wait(500)
    assert begun == [200]


def test_moving_on_cancels_it_and_only_the_last_place_is_forecast(
    viewer, following, slow, qtbot
):
    begun, go_on = slow
    job = following.job
    step_to(viewer, 150)
    qtbot.waitUntil(lambda: begun == [150])
    with qtbot.waitSignal(job.ended, timeout=5000) as ended:
        step_to(viewer, 180)
        step_to(viewer, 210)
    assert ended.args[0].ending is Ending.CANCELLED
    go_on.append(True)
    qtbot.waitUntil(lambda: following.session.forecast.start_frame == 210, timeout=20_000)
    qtbot.waitUntil(lambda: not job.running)
    qtbot.wait(400)
    assert begun == [150, 210]


def test_cancel_is_not_followed_by_another_try(viewer, following, slow, qtbot):
    begun, _ = slow
    step_to(viewer, 150)
    qtbot.waitUntil(lambda: begun == [150])
    with qtbot.waitSignal(following.job.ended, timeout=5000):
        qtbot.mouseClick(following.job_bar.cancel, LEFT)
    qtbot.wait(500)
    assert begun == [150]
    assert not following.job.running


def test_another_job_is_not_disturbed_and_then_the_slider_is_followed(
    viewer, following, slow, small_model, monkeypatch, qtbot
):
    begun, go_on = slow
    go_on.append(True)
    done, real = [], type(small_model).tokenize_steps

    def waiting(model, recording):
        while not done:
            yield Progress(0, 1, "waiting")
        return (yield from real(model, recording))

    monkeypatch.setattr(type(small_model), "tokenize_steps", waiting)
    qtbot.mouseClick(following.tokens.tokenise, LEFT)
    step_to(viewer, 150)
    qtbot.wait(400)
    step_to(viewer, 180)
    qtbot.wait(400)
    assert following.job.title == "Tokenise"
    assert begun == []
    done.append(True)
    qtbot.waitUntil(lambda: following.session.forecast.start_frame == 180, timeout=20_000)
    assert following.session.tokens is not None
    assert begun == [180]


def test_after_an_error_it_follows_no_more(viewer, following, small_model, monkeypatch, qtbot):
    def failing(_model, _recording, **_options):
        yield Progress(0, 1, "about to fail")
        raise OSError("gone")

    monkeypatch.setattr(type(small_model), "forecast_steps", failing)
    monkeypatch.setattr("napari_calm.widgets.job.show_error", lambda _text: None)
    with qtbot.waitSignal(following.job.ended, timeout=5000) as ended:
        step_to(viewer, 150)
    assert ended.args[0].ending is Ending.ERROR
    assert not following.forecast.follow_slider.isChecked()


def test_a_start_frame_of_ones_own_ends_following(following, qtbot):
    tick(qtbot, following.forecast.follow)
    assert not following.forecast.follow_slider.isChecked()
    tick(qtbot, following.forecast.follow_slider)
    assert following.forecast.follow.isChecked()
