"""Moments of a recording in the colours of what the animal did."""

import numpy as np
import pyqtgraph as pg

from ..core.recording import Recording
from ..explore.cluster_palette import NO_CLUSTER_RGB
from ..explore.columns import Column, trial_limits
from .colouring import Colouring, of_numbers
from .palette import cluster_colours
from .recording_columns import columns_of

TIME = "time"


def frame_colours(recording: Recording, name: str) -> Colouring:
    """Return one colour a frame, by time or by a behaviour or trial column.

    Frames between trials have no value of a trial column and are grey.
    """
    columns = columns_of(recording)
    if name not in columns:
        time_s = np.arange(recording.n_frames) / recording.frame_rate_hz
        return of_numbers(TIME, "s", time_s)
    column = columns[name]
    values = value_of_frame(recording, column)
    if not column.classes:
        return of_numbers(column.name, "", values)
    palette = kind_colours(len(column.classes))
    colours = np.tile(np.array(NO_CLUSTER_RGB, np.uint8), (len(values), 1))
    known = np.isfinite(values)
    colours[known] = palette[values[known].astype(int)]
    return Colouring(
        name=column.name,
        values=values,
        colours=colours,
        categories=column.classes,
        category_colours=palette,
    )


def value_of_frame(recording: Recording, column: Column) -> np.ndarray:
    """Return the value of a column at each frame, (frames,); NaN outside trials."""
    if not column.per_trial:
        return column.values
    values = np.full(recording.n_frames, np.nan)
    for value, (start, stop) in zip(column.values, trial_limits(recording), strict=True):
        values[start:stop] = value
    return values


def kind_colours(n_kinds: int) -> np.ndarray:
    """Return one colour for each kind of trial, (kinds, 3) uint8."""
    if n_kinds <= 2:
        # Blue and orange, as far apart as two colours can be for any eyes.
        return cluster_colours(n_kinds)
    steps = np.linspace(0, 1, n_kinds)
    return pg.colormap.get("viridis").map(steps, mode="byte")[:, :3]
