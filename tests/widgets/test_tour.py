"""The guided tour: it follows what the user does, points at it, and is never in the way."""

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_calm.widgets.panel import CalmPanel

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def shown(shown_viewer, qtbot, no_looking_around, small_model):
    """Return a panel in a window that is on the screen, 1280 x 800."""
    viewer = shown_viewer
    viewer.window.resize(1280, 800)
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.model.source.put(small_model, "tiny", "auto")
    panel.model.choose("tiny")
    yield panel
    panel.release_once()
    qtbot.waitUntil(lambda: not panel.job.running)


def points_at(panel, widget):
    pointer = panel.tour.pointer
    return pointer is not None and pointer.target is widget


def start(panel, qtbot):
    qtbot.mouseClick(panel.start_hint.tour, LEFT)
    qtbot.waitUntil(lambda: panel.tour.pointer is not None)


def test_whoever_does_the_steps_is_led_from_the_sample_to_clusters(shown, press, qtbot):
    panel, tour = shown, shown.tour
    start(panel, qtbot)
    done = (
        (panel.recording.opener.open_sample, False),
        (panel.recording.extract, True),
        (panel.tokens.tokenise, True),
        (panel.forecast.forecast, True),
    )
    for number, (button, is_job) in enumerate(done):
        qtbot.waitUntil(lambda target=button: points_at(panel, target))
        assert tour.title.text().startswith(f"{number + 1} of 6")
        if button is panel.forecast.forecast:
            panel.forecast.horizon.setValue(0.5)
            panel.session.seek(60.0)
        press(panel, button) if is_job else qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: points_at(panel, panel.window().centralWidget()))
    panel.session.select((3,))
    qtbot.waitUntil(lambda: points_at(panel, panel.embedding.cluster))
    panel.embedding.choices.source.setCurrentText("coactivity")
    panel.embedding.choices.setting.setValue(2)
    panel.embedding.choices.resamplings.setValue(2)
    press(panel, panel.embedding.cluster, timeout=120_000)
    qtbot.waitUntil(lambda: tour.step is None)
    assert tour.running
    assert "done" in tour.title.text()
    assert not tour.next.isVisible()
    qtbot.mouseClick(tour.close_it, LEFT)
    assert not tour.running
    assert not tour.isVisible()


def test_the_target_of_each_step_is_in_view_and_its_text_is_seen_whole(shown, qtbot):
    panel, tour = shown, shown.tour
    start(panel, qtbot)
    for step in tour.steps:
        qtbot.waitUntil(lambda now=step: tour.step is now and tour.pointer is not None)
        qtbot.wait(50)
        assert tour.text.height() >= tour.text.heightForWidth(tour.text.width()) > 0
        assert tour.title.width() >= tour.title.sizeHint().width()
        target = step.target()
        # What Qt says is not covered or cut away.
        assert target.visibleRegion().boundingRect().height() == target.height(), step.title
        qtbot.mouseClick(tour.next, LEFT)


def test_a_click_on_the_frame_reaches_what_it_frames(shown, recording, qtbot):
    panel = shown
    start(panel, qtbot)
    qtbot.waitUntil(lambda: points_at(panel, panel.recording.opener.open_sample))
    pointer, window = panel.tour.pointer, panel.window()
    rim = pointer.mapTo(window, QPoint(1, pointer.height() // 2))
    assert window.childAt(rim) is not pointer
    centre = panel.recording.opener.open_sample.rect().center()
    under = window.childAt(panel.recording.opener.open_sample.mapTo(window, centre))
    assert under is panel.recording.opener.open_sample


def test_traces_that_are_opened_are_two_steps_at_once(panel, recording, qtbot):
    panel.tour.start()
    panel.session.set_recording(recording)
    qtbot.waitUntil(lambda: panel.tour.step is panel.tour.steps[2])
    panel.tour.stop()
    # It begins at what is not done yet.
    panel.tour.start()
    assert panel.tour.step is panel.tour.steps[2]


def test_back_goes_to_a_step_that_is_done_and_stays_there(panel, recording, qtbot):
    panel.session.set_recording(recording)
    panel.tour.start()
    qtbot.mouseClick(panel.tour.back, LEFT)
    panel.session.select((1,))
    panel.session.seek(3.0)
    qtbot.wait(20)
    assert panel.tour.step is panel.tour.steps[1]
    qtbot.mouseClick(panel.tour.back, LEFT)
    assert panel.tour.step is panel.tour.steps[0]
    assert not panel.tour.back.isEnabled()


def test_a_folded_section_unfolds_for_its_step(panel, recording, qtbot):
    panel.session.set_recording(recording)
    panel.tokens.heading.click()
    panel.tour.start()
    qtbot.waitUntil(lambda: points_at(panel, panel.tokens.tokenise))
    assert panel.tokens.body.isVisibleTo(panel)


def test_esc_ends_the_tour_before_it_drops_the_selection(shown, recording, qtbot):
    panel = shown
    panel.session.set_recording(recording)
    before = panel.session.selection
    panel.tour.start()
    panel.tour.next.setFocus()
    qtbot.keyClick(QApplication.focusWidget() or panel.tour.next, Qt.Key.Key_Escape)
    assert not panel.tour.running
    assert panel.session.selection == before
    panel.tour.start()
    escape = next(one for one in panel.shortcuts.all if one.key == "Escape")
    escape.act()
    assert not panel.tour.running
    escape.act()
    assert panel.session.selection == ()


def test_a_closed_panel_takes_its_tour_along(viewer, panel, recording, qtbot):
    panel.tour.start()
    qtbot.waitUntil(lambda: panel.tour.pointer is not None)
    session = panel.session
    viewer.window.remove_dock_widget(panel.parentWidget())
    assert not panel.tour.running
    session.set_recording(recording)
    qtbot.wait(20)
    assert not panel.tour.running


def test_the_command_palette_starts_it_in_the_panel_that_is_open(panel, monkeypatch, viewer):
    import napari

    from napari_calm.widgets.plugin import start_tour

    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    start_tour()
    assert panel.tour.running
    docked = [each for each in viewer.window.dock_widgets.values() if each is panel]
    assert len(docked) == 1
