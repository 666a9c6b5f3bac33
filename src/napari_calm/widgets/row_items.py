"""The rows in view of a stack, drawn as their height allows: in detail, as lines, as shades."""

import numpy as np

from .heat_rows import HeatRows
from .row_parts import drawn_parts
from .row_window import RowWindow
from .stacked_parts import StackedStrip
from .theme import ThemeColours
from .trace_levels import TraceLevels
from .trace_rows import Picture
from .trace_stack import TraceStack

SLOT_FILL = 1.25  # height of a row over the height of the middle trace
# Rows of fewer pixels have no bands and tokens, and traces reach over their neighbours.
DETAIL_PX = 14.0
_STAYS = 0.75
_CROWDED_FILL = 0.4
# Rows of fewer pixels are shades instead of lines.
_HEAT_PX = 6.0
_REACH = 1.5  # of what is as high as the middle trace


class RowItems:
    """What a plot holds of its rows: the stack of their lines, and the picture of shades."""

    def __init__(self) -> None:
        self.stack, self.heat = TraceStack(), HeatRows()
        self.is_detailed = True

    def draw_lines(
        self,
        picture: Picture,
        window: RowWindow,
        slot: float,
        colours: ThemeColours | None,
        *,
        marked: int | None,
        band: StackedStrip | None,
        free_px: float,
    ) -> None:
        """Draw the rows in view, of which each is `slot` of the traces' unit high.

        Below them `free_px` pixels are for the band.
        """
        # A legend of another length changes the height: that must not go back and forth.
        least_px = DETAIL_PX * (_STAYS if self.is_detailed else 1)
        self.is_detailed = window.row_px >= least_px
        heat = is_heat(picture, window)
        self.heat.setVisible(heat)
        if heat or not window.n_rows:
            self.stack.set_parts([], band=band)
            return
        bottom, top = window.range_y
        # Traces of rows below reach up into the view.
        reach = int(np.ceil(_REACH / fill_of(window.row_px)))
        first = max(0, int(np.floor(-top)) - 1)
        last = min(window.n_rows, int(np.ceil(-bottom)) + 1 + reach)
        detailed = self.is_detailed
        parts = drawn_parts(
            picture, range(first, last), slot, colours, detailed=detailed, marked=marked
        )
        self.stack.set_parts(*parts, band=band, free_px=free_px)

    def draw_heat(
        self,
        picture: Picture,
        window: RowWindow,
        levels: TraceLevels | None,
        view_s: tuple[float, float],
        width_px: float,
    ) -> None:
        """Draw the shades of the rows in view."""
        if picture.heat is not None:
            bottom, top = window.range_y
            first = max(0, int(np.floor(-top)))
            last = min(window.n_rows, int(np.ceil(-bottom)) + 1)
            size = int(width_px), int(window.view_px)
            self.heat.draw(picture.heat, levels, range(first, last), view_s, size)


def fill_of(row_px: float) -> float:
    """Return the height of a row over that of a trace: traces of low rows overlap."""
    return float(np.clip(SLOT_FILL * row_px / DETAIL_PX, _CROWDED_FILL, SLOT_FILL))


def is_heat(picture: Picture, window: RowWindow) -> bool:
    """Tell whether rows are so low that they are shades instead of lines."""
    return picture.heat is not None and window.row_px < _HEAT_PX
