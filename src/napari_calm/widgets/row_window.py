"""Which rows of a stack are in view, and how tall they are."""

from dataclasses import dataclass, replace

import numpy as np

# Rows are made no smaller than this by themselves.
READABLE_PX = 20.0
# A row reaches so far below its zero and, at least, above it, in rows.
BELOW, ABOVE = 0.35, 0.65
_LEAST_HEAD = 0.85
_TALLEST = 0.8  # of the view


@dataclass(frozen=True)
class RowWindow:
    """A stretch of equally tall rows, of which zero is at ``-row``: the first is on top.

    Every change returns another window, kept within the rows.

    Parameters
    ----------
    n_rows : int
    view_px : float
        Height of the view, pixels.
    wanted_px : float, optional
        Height of a row that was asked for; None for what fills the view, but is readable.
    fits_all : bool
        Whether all rows are squeezed into the view, whatever their height.
    above : float
        Rows that are scrolled out of the view at its top.
    head : float
        Room above the first row's zero, rows.
    """

    n_rows: int = 0
    view_px: float = 1.0
    wanted_px: float | None = None
    fits_all: bool = False
    above: float = 0.0
    head: float = _LEAST_HEAD

    @property
    def n_content(self) -> float:
        """Height of all rows and the room around them, in rows."""
        return max(self.n_rows, 1) - 1 + self.head + BELOW

    @property
    def least_px(self) -> float:
        """Height of a row that has all of them fill the view."""
        return self.view_px / self.n_content

    @property
    def row_px(self) -> float:
        """Height of a row."""
        if self.fits_all:
            return self.least_px
        if self.wanted_px is None:
            return max(READABLE_PX, self.least_px)
        most = max(self.least_px, _TALLEST * self.view_px)
        return float(np.clip(self.wanted_px, self.least_px, most))

    @property
    def shown_rows(self) -> float:
        """Height of the view, in rows."""
        return self.view_px / self.row_px

    @property
    def most_above(self) -> float:
        """The furthest that can be scrolled down, in rows."""
        return max(0.0, self.n_content - self.shown_rows)

    @property
    def range_y(self) -> tuple[float, float]:
        """Lowest and highest place in view, where row i has its zero at -i."""
        top = self.head - self.above
        return top - self.shown_rows, top

    @property
    def in_view(self) -> range:
        """Rows of which at least half is in view."""
        bottom, top = self.range_y
        middle = (ABOVE - BELOW) / 2
        first = max(0, int(np.ceil(middle - top - 1e-6)))
        last = min(self.n_rows - 1, int(np.floor(middle - bottom + 1e-6)))
        return range(first, max(first, last + 1))

    @property
    def shows_all(self) -> bool:
        """Whether no row is out of view."""
        return self.most_above < 1e-6

    def row_at(self, y: float) -> int | None:
        """Return the row at a place, None beyond the last one."""
        row = int(np.floor(ABOVE - y))
        return row if 0 <= row < self.n_rows else None

    def with_rows(self, n_rows: int) -> "RowWindow":
        """Take another number of rows; as many stay scrolled to where they were."""
        above = self.above if n_rows == self.n_rows else 0.0
        return replace(self, n_rows=n_rows, above=above)._kept_within()

    def with_head(self, head: float) -> "RowWindow":
        """Take other room above the first row; rows that are scrolled stay where they are."""
        head = max(head, _LEAST_HEAD)
        above = self.above + head - self.head if self.above > 0 else 0.0
        return replace(self, head=head, above=max(0.0, above))._kept_within()

    def with_height(self, view_px: float) -> "RowWindow":
        """Take a view of another height."""
        return replace(self, view_px=max(1.0, view_px))._kept_within()

    def scrolled(self, rows: float) -> "RowWindow":
        """Move down by so many rows."""
        return replace(self, above=self.above + rows)._kept_within()

    def paged(self, way: int) -> "RowWindow":
        """Move by a view, down (1) or up (-1), with a row of the old one left."""
        return self.scrolled(way * max(1.0, np.floor(self.shown_rows) - 1))

    def scaled(self, factor: float, y: float | None = None) -> "RowWindow":
        """Make rows taller by a factor; what is at `y`, or in the middle, stays where it is."""
        bottom, top = self.range_y
        y = (bottom + top) / 2 if y is None else y
        share = (top - y) / (top - bottom)
        taller = replace(self, wanted_px=self.row_px * factor, fits_all=False)
        # Squeezed as far as it goes is all of it, also after more rows are selected.
        if factor < 1 and taller.row_px <= self.least_px * (1 + 1e-6):
            taller = replace(self, fits_all=True)
        return replace(taller, above=self.head - y - share * taller.shown_rows)._kept_within()

    def fitted(self, wanted: bool) -> "RowWindow":
        """Squeeze all rows into the view, or return to rows that can be read."""
        return replace(self, fits_all=wanted, wanted_px=None)._kept_within()

    def revealing(self, row: int) -> "RowWindow":
        """Scroll as little as brings a whole row into view."""
        bottom, top = self.range_y
        up, down = (-row + ABOVE) - top, bottom - (-row - BELOW)
        if up > 0:
            return self.scrolled(-up)
        return self.scrolled(max(0.0, down))

    def _kept_within(self) -> "RowWindow":
        return replace(self, above=float(np.clip(self.above, 0.0, self.most_above)))
