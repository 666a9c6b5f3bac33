"""The dock "CalM help": a page for each section, with links between them."""

from qtpy.QtCore import QSize, QUrl
from qtpy.QtGui import QColor, QDesktopServices, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QTextBrowser, QToolButton, QVBoxLayout

from .dock_content import DockContent
from .help_pages import START, help_pages, title_of
from .letter_size import LetterSize
from .theme import theme_colours

HELP_DOCK = "CalM help"


class HelpPanel(DockContent):
    """Shows one page; links and a list lead to the others, Back returns.

    Links out of the help open in the web browser.
    """

    def __init__(self, viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._pages = help_pages()
        self._before: list[str] = []
        self.back = QToolButton(objectName="calm_help_back")
        self.back.setText("Back")
        LetterSize(self.back, self.back.setFont)
        self.back.setToolTip("The page before.")
        self.back.clicked.connect(self._go_back)
        self.pages = QComboBox(objectName="calm_help_pages")
        self.pages.setAccessibleName("Page of the help")
        self.pages.setToolTip("All pages of the help.")
        self.pages.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        for page in self._pages:
            self.pages.addItem(title_of(page), page)
        self.pages.activated.connect(lambda _row: self.show_page(self.pages.currentData()))
        self.text = QTextBrowser(objectName="calm_help_text")
        LetterSize(self.text, self.text.setFont)
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._follow)
        top = QHBoxLayout()
        top.addWidget(self.back)
        top.addWidget(self.pages)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.text, 1)
        viewer.events.theme.connect(self._on_theme)
        self.page = START
        self._on_theme()

    def release(self) -> None:
        """Stop following the viewer."""
        self._viewer.events.theme.disconnect(self._on_theme)

    def sizeHint(self) -> QSize:
        """Ask for about a dozen lines."""
        line = self.fontMetrics().lineSpacing()
        return QSize(40 * line, 17 * line)

    def show_page(self, page: str) -> None:
        """Show a page by its name; the first one if there is none of that name."""
        page = page if page in self._pages else START
        if page != self.page:
            self._before.append(self.page)
        self._show(page)

    def _show(self, page: str) -> None:
        self.page = page
        self.text.setMarkdown(self._pages[page].read_text(encoding="utf-8"))
        self._colour_links()
        self.text.verticalScrollBar().setValue(0)
        self.pages.setCurrentIndex(self.pages.findData(page))
        self.back.setEnabled(bool(self._before))

    def _go_back(self) -> None:
        self._show(self._before.pop())

    def _follow(self, url: QUrl) -> None:
        if url.isRelative():
            self.show_page(url.path().removesuffix(".md"))
        else:
            QDesktopServices.openUrl(url)

    def _on_theme(self, _event=None) -> None:
        self._link = QColor(theme_colours(self._viewer.theme).link)
        self._show(self.page)

    def _colour_links(self) -> None:
        """Give links the theme's colour: napari's style sheet leaves them Qt's dark blue."""
        look = QTextCharFormat()
        look.setForeground(self._link)
        cursor = QTextCursor(self.text.document())
        block = self.text.document().begin()
        while block.isValid():
            parts = block.begin()
            while not parts.atEnd():
                part = parts.fragment()
                if part.charFormat().isAnchor():
                    cursor.setPosition(part.position())
                    end = part.position() + part.length()
                    cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
                    cursor.mergeCharFormat(look)
                parts += 1
            block = block.next()
