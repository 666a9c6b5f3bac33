"""Nothing in the panel is cut off at 1280 x 800, with small letters or large ones."""

from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QTabBar,
    QToolButton,
)

from napari_calm.widgets import drawing_pen as pens
from napari_calm.widgets.drawing_pen import drawing_pen
from napari_calm.widgets.eliding import ElidingCombo, ElidingLabel
from napari_calm.widgets.panel import CalmPanel


@pytest.fixture
def font_size():
    import napari

    appearance = napari.settings.get_settings().appearance
    before = appearance.font_size

    def set_size(points):
        appearance.font_size = points

    yield set_size
    appearance.font_size = before


@pytest.fixture
def shown(shown_viewer, qtbot, no_looking_around, task, explored):
    viewer = shown_viewer
    viewer.window.resize(1280, 800)
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    panel.session.set_recording(task)
    panel.session.set_clusters(explored.clusters)
    yield panel
    panel.release_once()


def cut_widgets(panel):
    """Return what is narrower or lower than its text."""
    cut = []
    for label in panel.findChildren(QLabel):
        if not label.isVisible() or isinstance(label, ElidingLabel) or not label.text():
            continue
        if label.wordWrap():
            if label.height() < label.heightForWidth(label.width()):
                cut.append(("height of", label.text()))
        elif label.width() < label.sizeHint().width():
            cut.append(("width of", label.text()))
    for button in panel.findChildren(QAbstractButton):
        text_width = button.fontMetrics().horizontalAdvance(button.text())
        if button.isVisible() and button.width() < max(text_width, 0):
            cut.append(("button", button.text()))
        if button.isVisible() and button.height() < button.fontMetrics().height():
            cut.append(("height of button", button.text()))
    for field in panel.findChildren(QAbstractSpinBox):
        inner = field.findChild(QLineEdit)
        if field.isVisible() and inner.width() < inner.fontMetrics().horizontalAdvance(
            field.text()
        ):
            cut.append(("field", field.text()))
    for combo in panel.findChildren(QComboBox):
        if combo.isVisible() and not isinstance(combo, ElidingCombo):
            advance = combo.fontMetrics().horizontalAdvance(combo.currentText())
            if combo.width() < advance:
                cut.append(("combo", combo.currentText()))
    return cut


@pytest.mark.parametrize("points", [9, 16])
def test_nothing_in_the_panel_is_cut(shown, font_size, points, qtbot):
    font_size(points)
    for more in (shown.embedding.more, shown.decode.more):
        more.heading.click()
    shown.tour.start()
    shown.tour.next.click()
    qtbot.wait(200)
    for button in (shown.recording.extract, shown.recording.heading, shown.tokens.ask):
        assert button.font().pointSize() >= points
    assert cut_widgets(shown) == []
    if points == 9:
        assert shown.window().width() == 1280


@pytest.mark.parametrize("points", [9, 12])
def test_the_tabs_of_the_views_need_no_arrows(shown, font_size, points, qtbot):
    font_size(points)
    if points > 9:
        # Letters of this size leave the views 230 pixels of 1280.
        shown.window().resize(1700, 1000)
    shown.show_explore()
    explore = shown.explore
    explore.tabs.setCurrentWidget(explore.decoding)
    qtbot.wait(150)
    explore.decoding.tell("a long line about what is shown " * 4)
    qtbot.wait(50)
    bar = explore.tabs.findChild(QTabBar)
    arrows = [each for each in bar.findChildren(QToolButton) if each.isVisible()]
    assert arrows == []
    last = bar.tabRect(bar.count() - 1)
    assert last.right() <= bar.width() + 1
    caption = explore.caption
    if not caption.isVisible():
        # The titles need all the room.
        return
    assert caption.shown_text != caption.text()
    advance = caption.fontMetrics().horizontalAdvance(caption.shown_text)
    assert advance <= caption.width()


def test_axes_of_plots_follow_the_font_of_napari(shown, font_size, qtbot):
    shown.traces.parentWidget().raise_()
    axis = shown.traces.plot.getAxis("bottom")
    font_size(9)
    qtbot.wait(150)
    small = axis.style["tickFont"].pointSize()
    font_size(16)
    qtbot.wait(100)
    assert (small, axis.style["tickFont"].pointSize()) == (9, 16)


def test_a_long_name_is_shortened_in_the_middle_and_told_whole(qtbot):
    combo = ElidingCombo()
    qtbot.addWidget(combo)
    name = "velocity_pitch_of_the_ball_mm_per_s"
    combo.addItem(name)
    combo.resize(120, 26)
    combo.show()
    qtbot.waitExposed(combo)
    shown = combo.shown_text
    assert len(shown) < len(name)
    start, end = shown.split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    advance = combo.fontMetrics().horizontalAdvance(shown)
    assert advance <= combo.width()
    combo.resize(600, 26)
    assert combo.shown_text == name


def test_lines_are_as_wide_on_a_fine_screen(monkeypatch):
    class Fine:
        @staticmethod
        def instance():
            class App:
                devicePixelRatio = staticmethod(lambda: 2.0)

            return App

    before = drawing_pen("w", width=1.5).widthF() / QApplication.instance().devicePixelRatio()
    monkeypatch.setattr(pens, "QGuiApplication", Fine)
    assert np.isclose(drawing_pen("w", width=1.5).widthF(), 2 * before)


def test_every_field_says_what_it_is_called(panel):
    """What a screen reader reads out."""
    names = {}
    for section in panel._sections:
        for kind in (QComboBox, QAbstractSpinBox):
            for field in section.findChildren(kind):
                assert field.accessibleName(), field.objectName()
                names.setdefault(field.accessibleName(), []).append(field.objectName())
    assert panel.recording.open_movie.accessibleName() == "Movie: Open"
    assert panel.forecast.seed.accessibleName() == "Forecast: Seed"
    assert panel.recording.movie.accessibleName() == "Recording: Movie"
    assert panel.forecast.save.accessibleName() == "Forecast: Save"


def test_tab_goes_down_the_panel(shown, qtbot):
    """Each press goes to the right in the same row, or further down."""
    shown.session.set_recording(None)
    content = shown.recording.parentWidget()
    at = shown.recording.opener.open_suite2p
    order = []
    for _ in range(400):
        at = at.nextInFocusChain()
        if at is shown.recording.opener.open_suite2p:
            break
        tabbed = at.focusPolicy() & Qt.FocusPolicy.TabFocus
        if content.isAncestorOf(at) and at.isVisible() and at.isEnabled() and tabbed:
            spot = at.mapTo(content, at.rect().center())
            order.append((spot.y(), spot.x(), at.objectName() or type(at).__name__))
    assert len(order) > 15
    backwards = [
        (before[2], after[2]) for before, after in pairwise(order) if after[0] < before[0] - 12
    ]
    # Once: from the last one to the heading of the first section, which lies above.
    assert len(backwards) <= 1, backwards
