"""Traces from a movie and its ROIs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording, check_frame_rate, usable_traces
from ..preprocess.baseline import DEFAULT_PERCENTILE, DEFAULT_WINDOW_S
from .dff import dff_steps
from .fluorescence import fluorescence_steps
from .neuropil import neuropil_rings
from .options import ExtractionOptions
from .quality import trace_quality
from .usable import leave_out_unusable


def extract_steps(
    movie: Movie,
    footprints: Footprints,
    *,
    frame_rate_hz: float | None = None,
    window_s: float = DEFAULT_WINDOW_S,
    percentile: float = DEFAULT_PERCENTILE,
    neuropil_coefficient: float = 0.0,
    exclude_overlaps: bool = False,
    drop_unusable: bool = False,
    name: str | None = None,
) -> Steps[Recording]:
    """Extract dF/F traces in one pass over the movie.

    1. Every frame is averaged under each footprint (`fluorescence_steps`), giving F.
    2. F0 is the running percentile of the seconds before each frame (`running_baseline`).
    3. dF/F = (F - F0) / F0. With a neuropil coefficient c, the mean N of a ring around each
       ROI that avoids all ROIs (`neuropil_rings`) is subtracted first, and
       dF/F = (F - c N - F0(F - c N)) / F0(F): the divisor is the baseline before the
       subtraction, which cannot come near 0.
    4. `quality` of the recording tells signal, noise and overlap of each neuron
       (`trace_quality`).

    Only frames up to t enter the value at t, so a forecast that starts anywhere in the
    recording has seen nothing of what it is scored on.

    Parameters
    ----------
    movie : Movie
        The movie; read in blocks, never as a whole.
    footprints : Footprints
        ROIs on an image of the same size.
    frame_rate_hz : float, optional
        Frames a second; goes before what the movie says.
    window_s, percentile : float
        Window in seconds and percentile of the baseline.
    neuropil_coefficient : float
        Share of the surround to subtract: 0 to 1, 0.7 is usual for two-photon movies.
    exclude_overlaps : bool
        Leave out pixels that several ROIs share; they count for each of them otherwise.
    drop_unusable : bool
        Leave out neurons without a usable trace (NaN pixels, constant, or a baseline that
        is not above 0) instead of raising.
    name : str, optional
        Name of the recording; the movie's if not given.

    Yields
    ------
    Progress
        Frames read, then neurons done.

    Returns
    -------
    Recording
        Traces with footprints and movie.

    Raises
    ------
    RecordingError
        If the frame rate is missing or 0, a number makes no sense, movie and ROIs differ in
        size, pixels under an ROI are NaN, a baseline is not above 0, or a trace is constant.
    """
    where = movie.source or movie.name
    rate = check_frame_rate(
        movie.frame_rate_hz if frame_rate_hz is None else frame_rate_hz, source=where
    )
    # Checks them.
    ExtractionOptions(window_s, percentile, neuropil_coefficient, exclude_overlaps)
    rings = neuropil_rings(footprints) if neuropil_coefficient else None
    fluorescence = yield from fluorescence_steps(
        movie,
        footprints,
        rings=rings,
        exclude_overlaps=exclude_overlaps,
        allow_nan=drop_unusable,
    )
    corrected = fluorescence
    if rings is not None:
        fluorescence, neuropil = np.split(fluorescence, 2)
        corrected = fluorescence - np.float32(neuropil_coefficient) * neuropil
    without_baseline = np.zeros(footprints.n_neurons, bool)
    mean_baseline = np.zeros(footprints.n_neurons, np.float32)

    def note_baseline(rows: slice, baseline: np.ndarray) -> None:
        without_baseline[rows] = ~(baseline > 0).all(axis=1)
        mean_baseline[rows] = baseline.mean(axis=1)

    traces = yield from dff_steps(
        corrected,
        rate,
        window_s=window_s,
        percentile=percentile,
        reference=None if rings is None else fluorescence,
        on_baseline=note_baseline,
    )
    kept: Footprints | None = footprints
    if drop_unusable:
        traces[without_baseline] = np.nan
        mean_baseline = mean_baseline[usable_traces(traces)]
        traces, kept = leave_out_unusable(traces, footprints, source=where)
    elif without_baseline.any():
        _refuse_baseline(without_baseline, fluorescence, where)
    if movie.frame_rate_hz != rate:
        movie = replace(movie, frame_rate_hz=rate)
    return Recording(
        traces,
        rate,
        name=name or movie.name,
        source=movie.source,
        footprints=kept,
        movie=movie,
        quality=trace_quality(traces, kept, mean_baseline),
        notes=_notes(rings),
    )


def extract(
    movie: Movie,
    footprints: Footprints,
    *,
    frame_rate_hz: float | None = None,
    window_s: float = DEFAULT_WINDOW_S,
    percentile: float = DEFAULT_PERCENTILE,
    neuropil_coefficient: float = 0.0,
    exclude_overlaps: bool = False,
    drop_unusable: bool = False,
    name: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Recording:
    """Extract dF/F traces in one pass over the movie; see `extract_steps`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_calm import Footprints, Movie, extract
    >>> frames = np.full((30, 4, 4), 100, np.uint16)
    >>> frames[10, :2] += 50
    >>> rois = Footprints.from_label_image(np.repeat([[1], [1], [0], [0]], 4, axis=1))
    >>> recording = extract(Movie(frames, frame_rate_hz=10), rois)
    >>> recording.traces[0, 9:12].tolist()
    [0.0, 0.5, 0.0]
    """
    return run(
        extract_steps(
            movie,
            footprints,
            frame_rate_hz=frame_rate_hz,
            window_s=window_s,
            percentile=percentile,
            neuropil_coefficient=neuropil_coefficient,
            exclude_overlaps=exclude_overlaps,
            drop_unusable=drop_unusable,
            name=name,
        ),
        on_progress,
    )


def _notes(rings: sp.csr_array | None) -> tuple[str, ...]:
    empty = 0 if rings is None else int((np.diff(rings.indptr) == 0).sum())
    if not empty:
        return ()
    return (f"{empty} ROIs have no free pixel near; no neuropil is subtracted from them.",)


def _refuse_baseline(without: np.ndarray, fluorescence: np.ndarray, where: str) -> None:
    neurons = np.flatnonzero(without)
    shown = ", ".join(map(str, neurons[:5])) + (" ..." if neurons.size > 5 else "")
    raise RecordingError(
        f"{where}: the baseline of {neurons.size} of {without.size} neurons (neurons {shown}) "
        f"is not above 0 (lowest fluorescence {fluorescence[neurons].min():g}), so dF/F is "
        "not defined. If an offset was subtracted from the movie, add it again; if only some "
        "ROIs lie in empty borders, leave them out with --drop-unusable on the command line, "
        "drop_unusable=True in Python or 'Leave out unusable traces' in the window."
    )
