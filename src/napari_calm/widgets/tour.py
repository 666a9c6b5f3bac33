"""A guided tour: a strip that says the next step and points at where it is done."""

from collections.abc import Callable

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .pointer_frame import PointerFrame
from .theme import ThemeColours
from .tour_steps import TourStep

_END = (
    "That was the round: from movie to forecast to groups of cells. The <b>?</b> beside a "
    "heading opens its help, F1 that of where you are."
)


class Tour(QFrame):
    """Goes through the steps at the user's pace and never stands in the way.

    A step that the user does, here or anywhere in the window, moves the tour on; so do Next
    and Back. Hidden while it does not run.

    Parameters
    ----------
    steps : tuple of TourStep
    reveal : callable
        Brings a widget of the panel into view.
    """

    def __init__(
        self, steps: tuple[TourStep, ...], reveal: Callable[[QWidget], object]
    ) -> None:
        super().__init__(objectName="calm_tour")
        self.steps, self._reveal = steps, reveal
        self._number = -1
        self._colour = "#f2c14e"
        self.pointer: PointerFrame | None = None
        self.title = QLabel(objectName="calm_tour_title")
        self.text = QLabel(objectName="calm_tour_text")
        self.text.setWordWrap(True)
        self.back = QPushButton("Back", objectName="calm_tour_back")
        self.back.setToolTip("The step before.")
        self.next = QPushButton("Next", objectName="calm_tour_next")
        self.next.setToolTip("The step after, whether this one is done or not.")
        self.close_it = QPushButton("Close", objectName="calm_tour_close")
        self.close_it.setToolTip("End the tour (Esc).")
        buttons = QHBoxLayout()
        for button in (self.back, self.next, self.close_it):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        self.back.clicked.connect(lambda: self._go_to(self._number - 1))
        self.next.clicked.connect(lambda: self._go_to(self._number + 1))
        self.close_it.clicked.connect(self.stop)
        # A widget that has just come up gets its place only after this turn of the events.
        self._pointing = QTimer(self)
        self._pointing.setSingleShot(True)
        self._pointing.setInterval(0)
        self._pointing.timeout.connect(self._point)
        # Signals come in the middle of changes; the tour goes on when all has changed.
        self._looking = QTimer(self)
        self._looking.setSingleShot(True)
        self._looking.setInterval(0)
        self._looking.timeout.connect(self._go_on_if_done)
        self.hide()

    @property
    def running(self) -> bool:
        """Whether the tour is on."""
        return self._number >= 0

    @property
    def step(self) -> TourStep | None:
        """The present step; None at the end and while the tour is off."""
        return self.steps[self._number] if 0 <= self._number < len(self.steps) else None

    def start(self, _checked: bool = False) -> None:
        """Begin at the first step that is not done, or at the first if all are."""
        open_ones = (n for n, step in enumerate(self.steps) if not step.is_done())
        self._go_to(next(open_ones, 0))

    def stop(self, _checked: bool = False) -> None:
        """End the tour."""
        self._leave()
        self._number = -1
        self.hide()

    def set_colours(self, colours: ThemeColours) -> None:
        """Take the colours of napari's theme."""
        self._colour = colours.warning
        self.setStyleSheet(
            f"#calm_tour {{ border: 2px solid {self._colour}; border-radius: 4px; }}"
            f"#calm_tour_title {{ color: {self._colour}; font-weight: bold; }}"
        )
        if self.pointer is not None:
            self.pointer.set_colour(self._colour)

    def _go_to(self, number: int) -> None:
        self._leave()
        self._number = min(max(number, 0), len(self.steps))
        step = self.step
        if step is None:
            self.title.setText("The tour is done")
            self.text.setText(_END)
        else:
            self.title.setText(f"{self._number + 1} of {len(self.steps)}: {step.title}")
            self.text.setText(step.told)
            for signal in step.signals:
                signal.connect(self._look_soon)
        self.back.setEnabled(self._number > 0)
        self.next.setVisible(step is not None)
        self.show()
        self._pointing.start()

    def _leave(self) -> None:
        """Let go of the present step."""
        self._pointing.stop()
        self._looking.stop()
        if self.step is not None:
            for signal in self.step.signals:
                signal.disconnect(self._look_soon)
        if self.pointer is not None:
            self.pointer.remove()
            self.pointer = None

    def _look_soon(self) -> None:
        self._looking.start()

    def _go_on_if_done(self) -> None:
        """Go on to what is not done yet, once the present step is."""
        if self.step is None or not self.step.is_done():
            return
        after = range(self._number + 1, len(self.steps))
        self._go_to(next((n for n in after if not self.steps[n].is_done()), len(self.steps)))

    def _point(self) -> None:
        target = self.step.target() if self.step is not None else None
        if target is not None:
            self._reveal(target)
            self.pointer = PointerFrame(target, self._colour)
