"""One session of one animal."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .errors import RecordingError
from .footprints import Footprints
from .movie import Movie

_NEURONS_AT_ONCE = 64


def check_frame_rate(frame_rate_hz: float | None, *, source: str) -> float:
    """Return the frame rate as a float, or say what is wrong with it.

    Raises
    ------
    RecordingError
        If it is missing (None or NaN), zero, negative or infinite.
    """
    if frame_rate_hz is None or np.isnan(frame_rate_hz):
        raise RecordingError(
            f"{source}: the frame rate is not recorded. Give it in Hz (--frame-rate on the "
            "command line, frame_rate_hz= in Python, 'Frame rate' in the window)."
        )
    if not 0 < frame_rate_hz < float("inf"):
        raise RecordingError(
            f"{source}: the frame rate is {frame_rate_hz:g} Hz; it must be above 0."
        )
    return float(frame_rate_hz)


def usable_traces(traces: np.ndarray) -> np.ndarray:
    """Tell which traces are finite and not constant, (neurons,) of bool."""
    usable = np.empty(len(traces), bool)
    # Some at a time: large traces are not copied as a whole.
    for start in range(0, len(traces), _NEURONS_AT_ONCE):
        part = traces[start : start + _NEURONS_AT_ONCE]
        finite = np.isfinite(part).all(axis=1)
        varies = np.ptp(np.where(finite[:, None], part, 0), axis=1) > 0
        usable[start : start + _NEURONS_AT_ONCE] = finite & varies
    return usable


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """One session: traces with their frame rate and, where known, what surrounds them.

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
        dF/F (dimensionless), kept as float32.
    frame_rate_hz : float
        Frames a second.
    name, source : str
        What to call it, and where it came from.
    footprints : Footprints, optional
        One footprint a neuron, in the order of the traces.
    movie : Movie, optional
        The movie that the traces were extracted from, with as many frames.
    behaviour : pandas.DataFrame, optional
        One row a frame; units in the column names (``velocity_pitch_mm_per_s``).
    trials : pandas.DataFrame, optional
        One row a trial with ``start_frame`` and ``stop_frame`` (exclusive) and any labels.
    timestamps_s : numpy.ndarray, (frames,), optional
        When each frame was taken, in seconds on the session's clock, ascending; evenly
        spaced from 0 if not given. Gaps are longer steps.
    unit : str
        What the numbers in `traces` are, where a file holds no dF/F.
    quality : pandas.DataFrame, optional
        One row a neuron: signal over noise, skewness, baseline, size and overlap of its ROI.
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons the source takes for cells; None where it does not say.
    notes : tuple of str
        What a reader had to decide and the user should know.
    numbers : numpy.ndarray of int, (neurons,), optional
        Number of each neuron in its source, where there are no footprints to say it and these
        are only some of the neurons (`select`).

    Raises
    ------
    RecordingError
        If shapes or units do not fit, a trace is not finite or constant, or the timestamps
        do not ascend.

    Examples
    --------
    >>> import numpy as np
    >>> recording = Recording(np.eye(3, 60), frame_rate_hz=6.0, name="three cells")
    >>> recording.n_neurons, recording.n_frames, recording.duration_s
    (3, 60, 10.0)
    """

    traces: np.ndarray
    frame_rate_hz: float
    name: str = "recording"
    source: str = ""
    footprints: Footprints | None = None
    movie: Movie | None = None
    behaviour: pd.DataFrame | None = None
    trials: pd.DataFrame | None = None
    timestamps_s: np.ndarray | None = None
    unit: str = "dF/F"
    quality: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    accepted: np.ndarray | None = None
    numbers: np.ndarray | None = None

    def __post_init__(self) -> None:
        where = self.source or self.name
        traces = np.ascontiguousarray(self.traces, dtype=np.float32)
        if traces.ndim != 2 or 0 in traces.shape:
            raise RecordingError(
                f"{where}: found traces of shape {traces.shape}; expected (neurons, frames) "
                "with at least one of each."
            )
        traces.flags.writeable = False
        object.__setattr__(self, "traces", traces)
        object.__setattr__(
            self, "frame_rate_hz", check_frame_rate(self.frame_rate_hz, source=where)
        )
        self._check_traces(where)
        self._check_companions(where)
        self._check_timestamps(where)
        if self.accepted is not None:
            accepted = np.array(self.accepted, dtype=bool)
            accepted.flags.writeable = False
            object.__setattr__(self, "accepted", accepted)
        if self.numbers is not None:
            numbers = np.array(self.numbers, dtype=np.int64)
            numbers.flags.writeable = False
            object.__setattr__(self, "numbers", numbers)

    def _check_traces(self, where: str) -> None:
        unusable = np.flatnonzero(~usable_traces(self.traces))
        if unusable.size == 0:
            return
        not_finite = ~np.isfinite(self.traces[unusable]).all(axis=1)
        found = [
            f"{kind} in {which.size} of {self.n_neurons} traces "
            f"(neurons {', '.join(map(str, which[:5]))}{' ...' if which.size > 5 else ''})"
            for kind, which in (
                ("NaN or infinite values", unusable[not_finite]),
                ("a constant value", unusable[~not_finite]),
            )
            if which.size
        ]
        raise RecordingError(
            f"{where}: found {' and '.join(found)}; the model needs finite traces that vary. "
            "Leave such neurons out with --drop-unusable on the command line, "
            "drop_unusable=True in Python or 'Leave out unusable traces' in the window."
        )

    def _check_companions(self, where: str) -> None:
        counts = {
            "footprints": (self.footprints and self.footprints.n_neurons, self.n_neurons),
            "movie frames": (self.movie and self.movie.n_frames, self.n_frames),
            "rows of quality": (
                None if self.quality is None else len(self.quality),
                self.n_neurons,
            ),
            "flags of accepted cells": (
                None if self.accepted is None else np.size(self.accepted),
                self.n_neurons,
            ),
            "numbers of neurons": (
                None if self.numbers is None else np.size(self.numbers),
                self.n_neurons,
            ),
            "behaviour rows": (
                None if self.behaviour is None else len(self.behaviour),
                self.n_frames,
            ),
        }
        for what, (found, expected) in counts.items():
            if found is not None and found != expected:
                raise RecordingError(
                    f"{where}: {found} {what} for traces of {self.n_neurons} neurons x "
                    f"{self.n_frames} frames; expected {expected}."
                )
        if (
            self.movie is not None
            and self.footprints is not None
            and self.movie.image_shape != self.footprints.image_shape
        ):
            raise RecordingError(
                f"{where}: the movie has {self.movie.image_shape} pixels, the ROIs "
                f"{self.footprints.image_shape} (height, width); they must be equal."
            )
        if self.trials is not None and not {"start_frame", "stop_frame"} <= set(self.trials):
            raise RecordingError(
                f"{where}: the trial table has columns {list(self.trials)}; it needs "
                "start_frame and stop_frame."
            )

    def _check_timestamps(self, where: str) -> None:
        if self.timestamps_s is None:
            return
        try:
            times = np.array(self.timestamps_s, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise RecordingError(f"{where}: the timestamps are no numbers.") from error
        if times.shape != (self.n_frames,):
            raise RecordingError(
                f"{where}: timestamps of shape {times.shape} for {self.n_frames} frames; "
                "expected one a frame."
            )
        if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise RecordingError(
                f"{where}: the timestamps of the frames must be finite and ascend."
            )
        times.flags.writeable = False
        object.__setattr__(self, "timestamps_s", times)

    def __repr__(self) -> str:
        return (
            f"Recording({self.name!r}, {self.n_neurons} neurons x {self.n_frames} frames at "
            f"{self.frame_rate_hz:g} Hz)"
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.traces.shape[0])

    @property
    def roi_labels(self) -> np.ndarray:
        """Number of each neuron's ROI in its source, (neurons,); its row without ROIs."""
        if self.footprints is not None:
            return self.footprints.label_values
        return np.arange(self.n_neurons) if self.numbers is None else self.numbers

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.traces.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds, gaps between the frames left out."""
        return self.n_frames / self.frame_rate_hz

    @property
    def frame_times_s(self) -> np.ndarray:
        """When each frame was taken, (frames,), seconds on the session's clock."""
        if self.timestamps_s is not None:
            return self.timestamps_s
        return np.arange(self.n_frames) / self.frame_rate_hz

    def select(self, neurons: np.ndarray) -> "Recording":
        """Return some of the neurons, with all that is known of them, in that order.

        Parameters
        ----------
        neurons : numpy.ndarray
            Indices, or one truth value a neuron.

        Raises
        ------
        RecordingError
            If there are none, or one does not exist.

        Examples
        --------
        >>> import numpy as np
        >>> Recording(np.eye(3, 60), 6.0).select(np.array([2, 0])).traces[:, :3].argmax(axis=1)
        array([2, 0])
        """
        neurons = np.asarray(neurons)
        rows = np.flatnonzero(neurons) if neurons.dtype == bool else neurons
        exist = neurons.dtype != bool or neurons.shape == (self.n_neurons,)
        if (
            not exist
            or rows.size == 0
            or rows.ndim != 1
            or rows.dtype.kind not in "iu"
            or rows.min() < 0
            or rows.max() >= self.n_neurons
        ):
            raise RecordingError(
                f"{self.source or self.name}: cannot take {neurons.size} of "
                f"{self.n_neurons} neurons; expected their numbers from 0 to "
                f"{self.n_neurons - 1} or one truth value each, and at least one."
            )
        return replace(
            self,
            traces=self.traces[rows],
            footprints=None if self.footprints is None else self.footprints.select(rows),
            quality=(
                None if self.quality is None else self.quality.iloc[rows].reset_index(drop=True)
            ),
            accepted=None if self.accepted is None else self.accepted[rows],
            numbers=None if self.footprints is not None else self.roi_labels[rows],
        )

    def all_but(self, neurons: Iterable[int]) -> np.ndarray:
        """Tell which neurons are left without some, (neurons,) of bool, for `select`.

        Parameters
        ----------
        neurons : iterable of int
            Rows of the traces, from 0.

        Raises
        ------
        RecordingError
            If one does not exist, or none would be left.

        Examples
        --------
        >>> import numpy as np
        >>> Recording(np.eye(3, 60), 6.0).all_but([1])
        array([ True, False,  True])
        """
        left = np.ones(self.n_neurons, bool)
        for neuron in neurons:
            if not 0 <= neuron < self.n_neurons:
                raise RecordingError(
                    f"{self.source or self.name}: there is no neuron {neuron} to leave out; "
                    f"neurons are numbered from 0 to {self.n_neurons - 1}."
                )
            left[neuron] = False
        if not left.any():
            raise RecordingError(
                f"{self.source or self.name}: all {self.n_neurons} neurons would be left out; "
                "keep at least one."
            )
        return left

    def with_companions(
        self, *, footprints: Footprints | None = None, movie: Movie | None = None
    ) -> "Recording":
        """Return the same recording with footprints or movie attached."""
        return replace(
            self, footprints=footprints or self.footprints, movie=movie or self.movie
        )
