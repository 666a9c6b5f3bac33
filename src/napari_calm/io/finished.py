"""The last steps that readers of finished analyses share."""

from typing import Any

import numpy as np
import pandas as pd

from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.recording import Recording, usable_traces
from ..extraction.usable import leave_out_unusable

_MOST_LABELS = 2**31 - 2


def finished_recording(
    traces: np.ndarray,
    frame_rate_hz: float,
    *,
    name: str,
    source: str,
    footprints: Footprints | None = None,
    drop_unusable: bool = False,
    unit: str = "dF/F",
    timestamps_s: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
    movie: Movie | None = None,
    behaviour: pd.DataFrame | None = None,
    trials: pd.DataFrame | None = None,
    accepted: np.ndarray | None = None,
) -> Recording:
    """Make a recording of what a reader found; see `Recording` for the parameters.

    With `drop_unusable`, neurons whose trace is constant or not finite are left out and a
    note says how many.
    """
    if drop_unusable:
        before = traces.shape[0]
        if accepted is not None:
            accepted = accepted[usable_traces(traces)]
        traces, footprints = leave_out_unusable(traces, footprints, source=source)
        if traces.shape[0] < before:
            notes = (*notes, f"{before - traces.shape[0]} unusable traces are left out.")
    return Recording(
        traces,
        frame_rate_hz,
        name=name,
        source=source,
        footprints=footprints,
        movie=movie,
        behaviour=behaviour,
        trials=trials,
        timestamps_s=timestamps_s,
        unit=unit,
        notes=notes,
        accepted=accepted,
    )


def label_numbers(ids: Any, n_rois: int) -> np.ndarray:
    """Label numbers of ROIs that their source counts from 0: id + 1, as 0 is background.

    Ids that are missing, double or no label numbers give way to 1, 2, 3 ...
    """
    plain = np.arange(1, n_rois + 1, dtype=np.int64)
    numbers = np.asarray([] if ids is None else ids)
    if numbers.shape != (n_rois,) or numbers.dtype.kind not in "iu":
        return plain
    if numbers.min() < 0 or numbers.max() > _MOST_LABELS or np.unique(numbers).size < n_rois:
        return plain
    labels: np.ndarray = numbers.astype(np.int64) + 1
    return labels
