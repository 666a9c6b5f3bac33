"""Traces of many movies: in local processes, or over a Dask cluster."""

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import CalmError
from ..core.progress import Progress, Steps, run
from ..extraction.extract import extract_steps
from ..extraction.options import ExtractionOptions
from .movies import open_movie
from .rois import read_rois
from .traces import write_recording

_LOOK_EVERY_S = 0.3


@dataclass(frozen=True)
class ExtractionJob:
    """One movie, its ROIs, where its traces go, and how they are made.

    Parameters
    ----------
    movie : str or tuple of str
        Path, or paths of the files that make one movie.
    rois, out : str
        Paths of the ROIs and of the npz archive to write.
    frame_rate_hz, dataset, channel, plane, transpose
        As in `open_movie`.
    drop_unusable, extraction
        As in `extract`.
    """

    movie: str | tuple[str, ...]
    rois: str
    out: str
    frame_rate_hz: float | None = None
    dataset: str | None = None
    channel: int | None = None
    plane: int | None = None
    transpose: bool | None = None
    drop_unusable: bool = False
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)


@dataclass(frozen=True)
class Extracted:
    """What came of a job: sizes of what was written, or why nothing was."""

    job: ExtractionJob
    n_neurons: int = 0
    n_frames: int = 0
    frame_rate_hz: float = float("nan")
    error: str = ""


def extract_job_steps(job: ExtractionJob) -> Steps[Extracted]:
    """Do one job: open, extract, write.

    Raises
    ------
    CalmError
        If movie or ROIs cannot be used.
    """
    movie = open_movie(
        job.movie,
        dataset=job.dataset,
        frame_rate_hz=job.frame_rate_hz,
        channel=job.channel,
        plane=job.plane,
        transpose=job.transpose,
    )
    footprints = read_rois(job.rois, image_shape=movie.image_shape, transpose=job.transpose)
    recording = yield from extract_steps(
        movie,
        footprints,
        frame_rate_hz=job.frame_rate_hz,
        drop_unusable=job.drop_unusable,
        **asdict(job.extraction),
    )
    write_recording(recording, job.out)
    return Extracted(job, recording.n_neurons, recording.n_frames, recording.frame_rate_hz)


def extract_many_steps(
    jobs: Sequence[ExtractionJob],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Steps[list[Extracted]]:
    """Do many jobs at once; one that fails does not stop the others.

    Parameters
    ----------
    jobs : sequence of ExtractionJob
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://host:8786``) whose workers see the files under
        the same paths and have napari-calm installed. Local processes if not given.
    workers : int, optional
        How many local processes; one a core, and no more than movies, if not given.

    Yields
    ------
    Progress
        Movies done.

    Returns
    -------
    list of Extracted
        In the order of the jobs.

    Raises
    ------
    CalmError
        If the scheduler cannot be reached, or the package distributed is missing.
    """
    done: dict[Future[Extracted], Extracted] = {}
    with _executor(scheduler, workers or min(len(jobs), os.cpu_count() or 1)) as executor:
        futures = [executor.submit(_do, job) for job in jobs]
        waiting = set(futures)
        try:
            while waiting:
                yield Progress(len(done), len(jobs), "Extracting movies")
                finished, waiting = wait(waiting, _LOOK_EVERY_S, FIRST_COMPLETED)
                for future in finished:
                    done[future] = _outcome(future, jobs[futures.index(future)])
        finally:
            for future in waiting:
                future.cancel()
    yield Progress(len(jobs), len(jobs), "Extracting movies")
    return [done[future] for future in futures]


def _do(job: ExtractionJob) -> Extracted:
    try:
        return run(extract_job_steps(job))
    except (CalmError, OSError) as error:
        return Extracted(job, error=str(error))


def _outcome(future: "Future[Extracted]", job: ExtractionJob) -> Extracted:
    try:
        return future.result()
    except BrokenExecutor:
        return Extracted(job, error=f"{job.movie}: the worker process died (out of memory?).")
    except Exception as error:
        # Whatever a worker raises is about its movie; the others go on.
        return Extracted(job, error=f"{job.movie}: {type(error).__name__}: {error}")


@contextmanager
def _executor(scheduler: str | None, workers: int) -> Iterator[Executor]:
    if scheduler is None:
        # Forked children of a process with threads (a window, BLAS) can lock up.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return
    client = _client(scheduler)
    try:
        # A movie is read anew even if a job like it was done before.
        yield client.get_executor(pure=False)
    finally:
        client.close()


def _client(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise CalmError(
            "a Dask scheduler needs the package distributed. Install it with: "
            f"{sys.executable} -m pip install 'napari-calm[cluster]'"
        ) from error
    try:
        return Client(scheduler, timeout="15s", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise CalmError(
            f"{scheduler}: no Dask scheduler answers there ({error}). Expected an address like "
            "tcp://host:8786; start one with 'dask scheduler' and workers with 'dask worker'."
        ) from error


def jobs_for(
    movies: Sequence[Path], rois: str, out: Path, **options: Any
) -> list[ExtractionJob]:
    """Make a job for each movie; ``{name}`` in `rois` stands for the movie's name.

    Traces are written to ``OUT/NAME.npz``.

    Raises
    ------
    CalmError
        If two movies have the same name.
    """
    names = [_name(movie) for movie in movies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CalmError(
            f"{out}: {len(twice)} names ({', '.join(twice[:5])}) belong to several movies, "
            "whose traces would overwrite each other. Extract them into folders of their own."
        )
    return [
        ExtractionJob(
            str(movie.absolute()),
            str(Path(rois.replace("{name}", name)).absolute()),
            str((out / f"{name}.npz").absolute()),
            **options,
        )
        for movie, name in zip(movies, names, strict=True)
    ]


def _name(movie: Path) -> str:
    name = movie.name
    for ending in (".ome.tif", ".ome.tiff", ".ome.zarr"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return movie.stem
