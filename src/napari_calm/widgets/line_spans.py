"""Very many lines at once: each column of pixels is filled from its lowest to its highest."""

from functools import lru_cache

import numpy as np

_SHADES = 256


def column_spans(x: np.ndarray, y: np.ndarray, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return between which heights a line runs in each column of pixels.

    Parameters
    ----------
    x, y : numpy.ndarray, (points,)
        Pixels; x ascending.
    n_columns : int
        Column i reaches from x = i to i + 1.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        Lowest and highest y, (columns,); NaN where there is no line.
    """
    edges = np.interp(np.arange(n_columns + 1), x, y, left=np.nan, right=np.nan)
    low, high = np.fmin(edges[:-1], edges[1:]), np.fmax(edges[:-1], edges[1:])
    seen = (x >= 0) & (x < n_columns)
    if seen.any():
        column, inside = x[seen].astype(int), y[seen]
        starts = np.flatnonzero(np.diff(column, prepend=-1))
        column = column[starts]
        low[column] = np.fmin(low[column], np.minimum.reduceat(inside, starts))
        high[column] = np.fmax(high[column], np.maximum.reduceat(inside, starts))
    return low, high


def painted_spans(
    low: np.ndarray,
    high: np.ndarray,
    colour: tuple[int, int, int, int],
    width_px: float,
    height: int,
) -> tuple[np.ndarray, int]:
    """Return spans as pixels, with as much of the colour as they cover of each.

    Parameters
    ----------
    low, high : numpy.ndarray, (columns,)
        Pixels from the top; NaN for none.
    colour : (int, int, int, int)
        Red, green, blue, opacity, 0 to 255.
    width_px : float
        Height of a span that has none.
    height : int
        Pixels that there are; what lies beyond is left out.

    Returns
    -------
    (numpy.ndarray, int)
        (rows, columns) uint32, each alpha, red, green, blue, multiplied by alpha; and at
        which row of pixels the first one lies. There may be none.
    """
    is_line = np.isfinite(low)
    if not is_line.any():
        return np.empty((0, len(low)), np.uint32), 0
    # Without a line the span ends before it begins.
    top = np.where(is_line, low - width_px / 2, 1.0).astype(np.float32)
    bottom = np.where(is_line, high + width_px / 2, 0.0).astype(np.float32)
    first = int(np.clip(np.floor(top[is_line].min()), 0, height))
    last = int(np.clip(np.ceil(bottom[is_line].max()), first, height))
    row = np.arange(first, last, dtype=np.float32)[:, None]
    covered = np.minimum(bottom, row + 1)
    covered -= np.maximum(top, row)
    np.clip(covered, 0, 1, out=covered)
    covered *= _SHADES - 1
    return _shades(colour)[covered.astype(np.uint8)], first


@lru_cache(64)
def _shades(colour: tuple[int, int, int, int]) -> np.ndarray:
    """Return the colour from not at all there to fully, (256,) uint32."""
    alpha = np.linspace(0, 1, _SHADES) * colour[3] / 255
    parts = [np.round(alpha * part).astype(np.uint32) for part in (255, *colour[:3])]
    shades: np.ndarray = parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]
    return shades
