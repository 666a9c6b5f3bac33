"""Session folders: a movie with its ROIs, behaviour and trials side by side."""

from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path

import pandas as pd

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.recording import Recording
from .behaviour import read_table
from .labels import read_footprints
from .npz import open_npz
from .tiff import read_movie
from .traces import read_traces_npz, recorded_rate_hz

MOVIE, LABELS, FOOTPRINTS = "movie.tif", "labels.tif", "footprints.npz"
TRACES, BEHAVIOUR, TRIALS = "traces.npz", "behaviour.csv", "trials.csv"


@dataclass(frozen=True, eq=False)
class SessionFolder:
    """What a session folder holds.

    Parameters
    ----------
    movie : Movie
        From ``movie.tif``, not read yet.
    footprints : Footprints
        From ``footprints.npz``, or else from ``labels.tif``.
    behaviour : pandas.DataFrame or None
        From ``behaviour.csv``, one row a frame.
    trials : pandas.DataFrame or None
        From ``trials.csv``, with `start_frame`, `stop_frame` (exclusive) and labels.
    recording : Recording or None
        From ``traces.npz``, with all of the above attached.
    """

    movie: Movie
    footprints: Footprints
    behaviour: pd.DataFrame | None
    trials: pd.DataFrame | None
    recording: Recording | None


def is_session_folder(folder: str | Path) -> bool:
    """Tell whether `folder` holds a ``movie.tif``."""
    return (Path(folder) / MOVIE).is_file()


def read_session_folder(
    folder: str | Path,
    *,
    frame_rate_hz: float | None = None,
    drop_unusable: bool = False,
    with_traces: bool = True,
) -> SessionFolder:
    """Open a session folder; the movie is not read.

    Parameters
    ----------
    folder : path
        A folder with ``movie.tif`` and ``footprints.npz`` or ``labels.tif``; optional are
        ``traces.npz``, ``behaviour.csv`` and ``trials.csv``.
    frame_rate_hz : float, optional
        Frames a second; goes before what the files say.
    drop_unusable : bool
        Leave out neurons of ``traces.npz`` whose trace is constant or not finite.
    with_traces : bool
        Read ``traces.npz`` if it is there.

    Raises
    ------
    RecordingError
        If a needed file is missing, or sizes or lengths do not fit together.
    """
    folder = Path(folder)
    movie = read_movie(folder / MOVIE, frame_rate_hz=frame_rate_hz)
    rois = next((p for p in (folder / FOOTPRINTS, folder / LABELS) if p.is_file()), None)
    if rois is None:
        raise RecordingError(
            f"{folder}: no ROIs beside {MOVIE}. Expected {FOOTPRINTS} or {LABELS}."
        )
    footprints = read_footprints(rois, image_shape=movie.image_shape)
    behaviour = _read_csv(folder / BEHAVIOUR)
    if behaviour is not None and len(behaviour) != movie.n_frames:
        raise RecordingError(
            f"{folder / BEHAVIOUR}: {len(behaviour)} rows for a movie of {movie.n_frames} "
            "frames; expected one row a frame."
        )
    trials = _read_csv(folder / TRIALS)
    recording = None
    if with_traces and (folder / TRACES).is_file():
        recording = replace(
            read_traces_npz(
                folder / TRACES,
                frame_rate_hz=_traces_rate(folder / TRACES, movie, frame_rate_hz),
                drop_unusable=drop_unusable,
                footprints=footprints,
            ),
            name=folder.resolve().name,
            source=str(folder),
            movie=movie,
        )
        if behaviour is not None:
            recording = replace(recording, behaviour=behaviour)
        if trials is not None:
            recording = replace(recording, trials=trials)
    return SessionFolder(movie, footprints, behaviour, trials, recording)


def _traces_rate(path: Path, movie: Movie, frame_rate_hz: float | None) -> float | None:
    if frame_rate_hz is not None:
        return frame_rate_hz
    with open_npz(path) as arrays:
        recorded = recorded_rate_hz(arrays)
    return movie.frame_rate_hz if recorded is None or isnan(recorded) else recorded


def _read_csv(path: Path) -> pd.DataFrame | None:
    return read_table(path) if path.is_file() else None
