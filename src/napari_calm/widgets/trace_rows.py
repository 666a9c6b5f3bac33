"""What a stack of traces shows: its rows with forecasts and tokens, and a band below."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .bands import Band
from .heat_rows import HeatSource

# Frames that say how high a trace is.
_MOST_SCALED_FRAMES = 2000


@dataclass(frozen=True)
class Fan:
    """A forecast of one neuron, dF/F at `time_s`.

    `error` is how far its mean was off, of the first frames, as many as were recorded.
    """

    time_s: np.ndarray
    mean: np.ndarray
    wide: tuple[np.ndarray, np.ndarray] | None = None
    narrow: tuple[np.ndarray, np.ndarray] | None = None
    error: np.ndarray | None = None


@dataclass(frozen=True)
class Strip:
    """The tokens of one neuron as colours, (tokens, 4) uint8, from `start_s` on."""

    start_s: float
    duration_s: float
    colours: np.ndarray


@dataclass(frozen=True)
class Row:
    """One neuron of the stack: its name, colour and trace (dF/F at `time_s`)."""

    name: str
    colour: tuple[int, int, int]
    time_s: np.ndarray
    trace: np.ndarray
    fan: Fan | None = None
    strip: Strip | None = None


@dataclass(frozen=True)
class Picture:
    """All that the plot shows.

    Parameters
    ----------
    rows : sequence of Row
        From top to bottom; may make its rows only when they are asked for.
    start_s : float, optional
        Start of the forecast.
    end_s : float
        Where time ends.
    band : Band, optional
    heat : HeatSource, optional
        What rows are drawn from that are too low for lines; None where they stay lines.
    """

    rows: Sequence[Row] = field(default_factory=list)
    start_s: float | None = None
    end_s: float = 1.0
    band: Band | None = None
    heat: HeatSource | None = None


def typical_height(
    rows: Sequence[Row], view_s: tuple[float, float], *, most_rows: int = 24
) -> float:
    """Return the height of the middle one of the traces in view, dF/F.

    Of very many rows some are looked at, spread over all.
    """
    looked_at = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most_rows)).astype(int))
    heights = []
    for number in looked_at.tolist():
        seen = visible_part(rows[number], view_s)
        low, high = np.percentile(seen[:: 1 + len(seen) // _MOST_SCALED_FRAMES], (1, 99.5))
        heights.append(float(high - min(low, 0.0)))
    return max(float(np.median(heights)) if heights else 0.0, 1e-3)


def visible_part(row: Row, view_s: tuple[float, float]) -> np.ndarray:
    """Return the part of a trace that is in view, or all of it if none is."""
    first, last = np.searchsorted(row.time_s, view_s)
    part = row.trace[first : last + 1]
    return part if part.size else row.trace
