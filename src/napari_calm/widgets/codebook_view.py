"""The words of the model: what they look like, and where and when one of them is spoken."""

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout

from ..explore.token_shapes import TokenShapes, token_shapes_steps
from .codebook_plot import CodebookPlot
from .drawing_pen import drawing_pen, follow_letters
from .job import Job
from .palette import token_colours
from .seeking_box import SeekingBox
from .session import Session
from .session_view import SessionView
from .theme import ThemeColours
from .time_axis import TimeAxis

_EMPTY_HINT = "No tokens yet: press Tokenise in the CalM panel."
_USE_HINT = (
    "Each cell is a code: its mean waveform (z-scored dF/F) in its colour on the token map, "
    "and a bar for how often it is spoken; codes of like shape lie side by side. Click one to "
    "see on the movie who speaks it now, and below when it is spoken; click it again to see "
    "all."
)
_SPOKEN_HEIGHT_PX = 48


class CodebookView(SessionView):
    """Grid of waveforms, and the share of neurons that speak the chosen code over time."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.shapes: TokenShapes | None = None
        self._shapes_of = None
        self._preparing = Job(self)
        self.hint = QLabel(_EMPTY_HINT)
        self.hint.setWordWrap(True)
        self.plot = CodebookPlot()
        self.plot.setToolTip(_USE_HINT)
        self.plot.chosen.connect(self._on_chosen)
        self._box = SeekingBox()
        self.spoken = pg.PlotWidget(viewBox=self._box, axisItems={"bottom": TimeAxis()})
        self.spoken.setFixedHeight(_SPOKEN_HEIGHT_PX)
        self.spoken.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.spoken.hideButtons()
        follow_letters(self.spoken)
        self.spoken.hideAxis("left")
        self.spoken.setToolTip(
            "Share of the neurons that speak the chosen code; click to seek."
        )
        self.share = pg.PlotCurveItem()
        self._cursor = pg.InfiniteLine(angle=90)
        self.spoken.addItem(self.share)
        self.spoken.addItem(self._cursor, ignoreBounds=True)
        self._box.sought.connect(self.seek_soon)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part, stretch in ((self.hint, 0), (self.plot, 1), (self.spoken, 0)):
            layout.addWidget(part, stretch)
        self.follow(session.tokens_changed, session.code_changed)

    def release(self) -> None:
        """Stop following the session."""
        super().release()
        self._preparing.abandon()

    @property
    def is_preparing(self) -> bool:
        """Whether the waveforms are still averaged."""
        return self._preparing.running

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self.plot.set_colours(colours)
        self.spoken.setBackground(colours.background)
        axis = self.spoken.getAxis("bottom")
        axis.setTextPen(colours.text)
        axis.setPen(colours.muted)
        self._cursor.setPen(drawing_pen(colours.text, width=1.5))
        self.redraw_soon()

    def refresh(self) -> None:
        """Draw the waveforms, or average them first."""
        tokens, code = self._session.tokens, self._session.code
        self.hint.setVisible(tokens is None)
        self.plot.setVisible(tokens is not None)
        self.spoken.setVisible(tokens is not None and code is not None)
        if tokens is None:
            self.shapes = self._shapes_of = None
            self.tell("")
            return
        if self._shapes_of is not tokens:
            self._prepare(tokens)
            return
        if self.shapes is None:
            return
        self.plot.show_shapes(self.shapes, code)
        said = f"{tokens.used_codes} of {tokens.n_codes} codes are spoken"
        if code is not None:
            self._show_share(tokens, code)
            said = f"code {code}: {self.shapes.usage[code]:.1%} of all tokens"
        self.tell(said)

    def move_to(self, time_s: float) -> None:
        """Draw the cursor."""
        self._cursor.setValue(time_s)

    def _prepare(self, tokens) -> None:
        self._shapes_of, self.shapes = tokens, None
        self._preparing.abandon()
        self.tell("Averaging the waveforms ...")

        def on_done(shapes: TokenShapes) -> None:
            if self._shapes_of is tokens:
                self.shapes = shapes
                self.redraw_soon()

        steps = token_shapes_steps(self._session.recording, tokens)
        self._preparing.start(steps, title="Codebook", on_done=on_done)

    def _show_share(self, tokens, code: int) -> None:
        share = (tokens.tokens[tokens.known] == code).mean(axis=0)
        edges = tokens.start_s + tokens.token_duration_s * np.arange(len(share) + 1)
        red, green, blue = (token_colours(tokens.n_codes)[code, :3] * 255).astype(int)
        self.share.setData(
            edges,
            share,
            stepMode="center",
            fillLevel=0,
            pen=drawing_pen(red, green, blue),
            brush=pg.mkBrush(red, green, blue, 120),
        )
        self._box.setLimits(xMin=0, xMax=edges[-1], minXRange=0.5)
        self._box.setRange(xRange=(0, edges[-1]), yRange=(0, max(share.max(), 1e-6)), padding=0)

    def _on_chosen(self, code: int) -> None:
        self._session.set_code(None if code == self._session.code else code)
