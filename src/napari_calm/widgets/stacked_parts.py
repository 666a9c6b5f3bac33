"""What is drawn of a row of the stack: lines, filled stretches, strips of colours."""

from dataclasses import dataclass

import numpy as np

Colour = str | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class StackedLine:
    """One line.

    Parameters
    ----------
    time_s : numpy.ndarray, (frames,)
        Ascending.
    values : numpy.ndarray, (frames,)
    offset : float
        Where in the plot its zero is drawn.
    colour : str (``#rrggbb``, or with opacity ``#aarrggbb``) or tuple of int
        Red, green, blue and, perhaps, opacity, 0 to 255.
    width_px : float
    halo : str
        Colour of a wider line beneath; empty for none.
    scale : float
        Length in the plot of one unit of the values.
    """

    time_s: np.ndarray
    values: np.ndarray
    offset: float
    colour: Colour
    width_px: float = 1.3
    halo: str = ""
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class StackedFill:
    """What lies between two lines, as `StackedLine` has one."""

    time_s: np.ndarray
    low: np.ndarray
    high: np.ndarray
    offset: float
    colour: Colour
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class StackedStrip:
    """Colours one after the other, (parts, 4) uint8, of `part_s` seconds each.

    `bottom` and `height` are places in the plot.
    """

    start_s: float
    part_s: float
    colours: np.ndarray
    bottom: float
    height: float


def visible_extremes(
    time_s: np.ndarray, values: np.ndarray, view_s: tuple[float, float], columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a line looks like in a view of so many columns of pixels.

    Of more than two frames a column, the lowest and the highest value of each column are
    left, one after the other.

    Parameters
    ----------
    time_s, values : numpy.ndarray, (frames,)
    view_s : (float, float)
        Time that is seen.
    columns : int

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        Times and values, with one frame beyond either side of the view.
    """
    first, last = np.searchsorted(time_s, view_s)
    seen = slice(max(0, first - 1), last + 1)
    time_s, values = time_s[seen], values[seen]
    if len(values) <= 2 * columns:
        return time_s, values
    edges = np.linspace(0, len(values), columns + 1).astype(int)[:-1]
    extremes = np.empty((columns, 2), values.dtype)
    np.minimum.reduceat(values, edges, out=extremes[:, 0])
    np.maximum.reduceat(values, edges, out=extremes[:, 1])
    # Down and up in turn, so that the line does not cross a column twice.
    extremes[1::2] = extremes[1::2, ::-1]
    return np.repeat(time_s[edges], 2), extremes.ravel()
