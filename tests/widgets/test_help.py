"""The help: a page for each section, no link that leads nowhere, opened where one is."""

import pytest
from qtpy.QtCore import QPoint, Qt, QUrl
from qtpy.QtWidgets import QApplication

from napari_calm.widgets import help_panel
from napari_calm.widgets.help_pages import START, help_folder, help_pages, links_of, title_of
from napari_calm.widgets.help_panel import HELP_DOCK

LEFT = Qt.MouseButton.LeftButton
PAGES = help_pages()


def test_every_section_and_view_has_a_page(panel, recording):
    panel.session.set_recording(recording)
    panel.show_explore()
    wanted = [section.help_page for section in panel._sections]
    assert len(set(wanted)) == 9
    explore = panel.explore
    for row in range(explore.tabs.count()):
        explore.tabs.setCurrentIndex(row)
        wanted.append(explore.help_page)
    for page in (*wanted, panel.traces.help_page, START):
        assert page in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_pages_leads_to_one(page):
    text = PAGES[page].read_text(encoding="utf-8")
    links = links_of(text)
    assert links, "a page that leads nowhere"
    for link in links:
        assert link.startswith("https://") or (help_folder() / link).is_file(), link
    if page == START:
        assert {link.removesuffix(".md") for link in links} >= set(PAGES) - {START}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short_and_has_a_title(page):
    assert len(PAGES[page].read_text(encoding="utf-8").split()) < 400
    assert title_of(page)


def test_what_pages_call_by_name_is_in_the_window(panel):
    """Buttons that pages put in bold and that are not there any more."""
    from qtpy.QtWidgets import QAbstractButton

    shown = {button.text().rstrip(".") for button in panel.findChildren(QAbstractButton)}
    named = {
        "forecast": ("Forecast", "How good is it here?", "Follow the slider"),
        "recording": ("Extract traces",),
        "embedding": ("Cluster", "Selectivity", "Trajectories"),
        "decode": ("Decode", "Save decoder", "Apply decoder"),
        "export": ("Copy as Python", "Copy as command", "Save session", "Save figure"),
        "tokens": ("Tokenise", "Codebook"),
        "model": ("Unload",),
        "pretrain": ("Use this model",),
        "index": ("Guided tour",),
    }
    for page, names in named.items():
        text = " ".join(PAGES[page].read_text(encoding="utf-8").split())
        for name in names:
            assert f"**{name}**" in text
            assert name in shown


def test_a_question_mark_opens_the_page_of_its_section(viewer, panel, qtbot):
    for section in (panel.adapt, panel.export):
        qtbot.mouseClick(section.ask, LEFT)
        assert panel.help.page == section.help_page
        assert title_of(section.help_page) in panel.help.text.toPlainText()
    assert list(viewer.window.dock_widgets).count(HELP_DOCK) == 1


@pytest.fixture
def shown(make_napari_viewer_proxy, qtbot, no_looking_around):
    from napari_calm.widgets.panel import CalmPanel

    viewer = make_napari_viewer_proxy(show=True)
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM")
    qtbot.waitUntil(lambda: not panel.model.looking)
    yield panel
    panel.release_once()


def test_f1_opens_the_page_of_the_section_with_the_keyboard(shown, recording, qtbot):
    panel = shown
    panel.session.set_recording(recording)
    panel.show_explore()
    for widget, page in (
        (panel.forecast.horizon, "forecast"),
        (panel.recording.frame_rate, "recording"),
        (panel.traces.find, "traces"),
        (panel.explore.colour_by, "embedding"),
    ):
        _raise(widget)
        widget.setFocus()
        assert widget.window().focusWidget() is widget
        qtbot.keyClick(widget, Qt.Key.Key_F1)
        assert panel.help.page == page


def _raise(widget):
    from qtpy.QtWidgets import QDockWidget

    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    widget.raise_()
    QApplication.processEvents()


def test_links_between_pages_work_and_back_returns(panel, qtbot):
    panel.show_help("index")
    panel.help.text.anchorClicked.emit(QUrl("forecast.md"))
    assert panel.help.page == "forecast"
    assert panel.help.pages.currentText() == title_of("forecast")
    panel.help.text.anchorClicked.emit(QUrl("adapt.md"))
    qtbot.mouseClick(panel.help.back, LEFT)
    assert panel.help.page == "forecast"
    qtbot.mouseClick(panel.help.back, LEFT)
    assert panel.help.page == "index"
    assert not panel.help.back.isEnabled()


def test_a_real_click_on_a_link_follows_it(shown, qtbot):
    panel = shown
    panel.show_help("index")
    text = panel.help.text
    qtbot.waitUntil(text.isVisible)
    qtbot.wait(50)
    text.verticalScrollBar().setValue(text.verticalScrollBar().maximum() // 2)
    height, width = text.viewport().height(), text.viewport().width()
    places = [QPoint(x, y) for y in range(0, height, 3) for x in range(0, width, 6)]
    at = next(place for place in places if text.anchorAt(place))
    expected = text.anchorAt(at).removesuffix(".md")
    qtbot.mouseClick(text.viewport(), LEFT, pos=at)
    assert panel.help.page == expected != START


def test_links_out_of_the_help_open_the_browser(panel, monkeypatch):
    opened = []
    monkeypatch.setattr(help_panel.QDesktopServices, "openUrl", opened.append)
    panel.show_help()
    url = QUrl("https://arxiv.org/abs/2604.04958")
    panel.help.text.anchorClicked.emit(url)
    assert opened == [url]
    assert panel.help.page == START


def test_the_help_can_be_closed_and_opened_again(viewer, panel):
    panel.show_help("decode")
    viewer.window.remove_dock_widget(panel.help.parentWidget())
    panel.show_help("tokens")
    assert panel.help.page == "tokens"
    assert HELP_DOCK in viewer.window.dock_widgets


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_links_can_be_read_in_both_themes(viewer, panel, theme):
    from napari_calm.widgets.palette import is_faint
    from napari_calm.widgets.theme import theme_colours

    viewer.theme = theme
    panel.show_help()
    fragments = []
    block = panel.help.text.document().begin()
    while block.isValid():
        parts = block.begin()
        while not parts.atEnd():
            shape = parts.fragment().charFormat()
            if shape.isAnchor():
                colour = shape.foreground().color()
                fragments.append((colour.red(), colour.green(), colour.blue()))
            parts += 1
        block = block.next()
    assert fragments
    background = theme_colours(theme).background
    assert not any(is_faint(colour, background) for colour in fragments)


def test_the_pages_are_in_the_wheel():
    """They lie in the package's folder, all of which hatchling packs."""
    import tomllib
    from pathlib import Path

    import napari_calm

    package = Path(napari_calm.__file__).parent
    project = package.parents[1] / "pyproject.toml"
    if not project.is_file():
        pytest.skip("not a checkout")
    packed = tomllib.loads(project.read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "src/napari_calm" in packed["packages"]
    assert help_folder().is_relative_to(package)
