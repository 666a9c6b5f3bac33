"""A row of traces as what is drawn of it: line, forecast, error and tokens."""

from collections.abc import Iterable

import numpy as np
from qtpy.QtGui import QColor

from .palette import is_faint
from .row_window import BELOW
from .stacked_parts import StackedFill, StackedLine, StackedStrip
from .theme import ThemeColours
from .trace_rows import Fan, Picture

_STRIP_HEIGHT = 0.10  # of a row
_STRIP_BOTTOM = 0.26  # below a trace's zero, of a row
_ERROR_BASE = 0.15  # below a trace's zero, of a row: above the strip
_BAND_ALPHAS = (70, 110)
_ERROR_ALPHA = 90
_CROWDED_ALPHA = 110
_MARKED_ALPHA = 28
_MARKED_PX = 2.6
_GREY = "#808080"

Parts = tuple[list[StackedLine], list[StackedFill], list[StackedStrip]]


def drawn_parts(
    picture: Picture,
    rows: Iterable[int],
    slot_dff: float,
    colours: ThemeColours | None,
    *,
    detailed: bool,
    marked: int | None = None,
) -> Parts:
    """Return what is drawn of rows, of which row i has its zero at -i.

    Parameters
    ----------
    picture : Picture
    rows : iterable of int
    slot_dff : float
        Height of a row in the traces' unit.
    colours : ThemeColours, optional
    detailed : bool
        Whether bands, error and tokens are drawn.
    marked : int, optional
        The row that is looked at, drawn thicker on a ground of its own.
    """
    lines: list[StackedLine] = []
    fills: list[StackedFill] = []
    strips: list[StackedStrip] = []
    text = _GREY if colours is None else colours.text
    scale = 1 / slot_dff
    for number in rows:
        row, offset = picture.rows[number], -float(number)
        if number == marked:
            # First, so that it lies under all others.
            strips.insert(0, _ground(picture.end_s, offset, text))
        if detailed and row.strip is not None:
            bottom = offset - _STRIP_BOTTOM
            strips.append(
                StackedStrip(
                    row.strip.start_s,
                    row.strip.duration_s,
                    row.strip.colours,
                    bottom,
                    _STRIP_HEIGHT,
                )
            )
        if detailed and row.fan is not None:
            fills += _fan_fills(row.fan, offset, scale, row.colour, text)
        faint = colours is not None and is_faint(row.colour, colours.background)
        halo = colours.muted if faint and colours is not None else ""
        width = {"width_px": _MARKED_PX} if number == marked else {}
        lines.append(
            StackedLine(
                row.time_s, row.trace, offset, row.colour, halo=halo, scale=scale, **width
            )
        )
        if row.fan is not None:
            colour = text if detailed else text.replace("#", f"#{_CROWDED_ALPHA:02x}")
            width_px = 2.0 if detailed else 1.0
            fan = row.fan
            lines.append(
                StackedLine(fan.time_s, fan.mean, offset, colour, width_px, scale=scale)
            )
    return lines, fills, strips


def _ground(end_s: float, offset: float, text: str) -> StackedStrip:
    colour = np.array([[*QColor(text).getRgb()[:3], _MARKED_ALPHA]], np.uint8)
    return StackedStrip(0.0, end_s, colour, offset - BELOW, 1.0)


def _fan_fills(
    fan: Fan, offset: float, scale: float, colour: tuple[int, int, int], text: str
) -> list[StackedFill]:
    fills = []
    if fan.error is not None:
        base = offset - _ERROR_BASE
        fill = (*QColor(text).getRgb()[:3], _ERROR_ALPHA)
        time_s = fan.time_s[: len(fan.error)]
        fills.append(StackedFill(time_s, 0 * fan.error, fan.error, base, fill, scale))
    for band, alpha in zip((fan.wide, fan.narrow), _BAND_ALPHAS, strict=True):
        if band is not None:
            fill = (*colour, alpha)
            fills.append(StackedFill(fan.time_s, *band, offset, fill, scale))
    return fills
