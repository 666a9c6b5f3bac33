"""The command that makes traces of movies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import CalmError
from ..preprocess.baseline import DEFAULT_PERCENTILE, DEFAULT_WINDOW_S
from .app import app
from .console import check_output, messages, results, run_with_bar
from .reading import Reading, with_reading

if TYPE_CHECKING:
    from ..io.batch import Extracted


@app.command(
    epilog="Examples: napari-calm extract movie.tif --rois labels.tif --frame-rate 10 "
    "--out traces.npz | napari-calm extract 'data/*.tif' --rois 'rois/{name}.zip' --out traces "
    "| napari-calm extract 'run_*.tif' --join --rois labels.tif --out traces.npz"
)
@with_reading("rois", "cells_only", "leave_out")
def extract(
    movie: Annotated[
        list[str],
        typer.Argument(
            metavar="MOVIE...",
            help="Movies (TIFF, HDF5, Zarr, NWB; a folder of TIFF files is one). Patterns may "
            "be quoted. Several movies are extracted at once, into the folder OUT.",
        ),
    ],
    rois: Annotated[
        str,
        typer.Option(
            metavar="ROIS",
            help="Label image, footprints, ImageJ or Cellpose ROIs, or an analysis; {name} "
            "stands for the name of each movie.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="OUT", help="FILE.npz of one movie, a folder of several."),
    ],
    join: Annotated[
        bool, typer.Option("--join", help="The files are one movie, in natural order.")
    ] = False,
    neuropil: Annotated[
        float,
        typer.Option(
            metavar="C",
            help="Share of a ring around each ROI to subtract; 0.7 is usual for two-photon.",
        ),
    ] = 0.0,
    exclude_overlaps: Annotated[
        bool,
        typer.Option("--exclude-overlaps", help="Leave out pixels that several ROIs share."),
    ] = False,
    baseline_window: Annotated[
        float,
        typer.Option(metavar="S", help="Seconds before each frame that its baseline is of."),
    ] = DEFAULT_WINDOW_S,
    baseline_percentile: Annotated[
        float,
        typer.Option(metavar="P", help="Which percentile of these seconds the baseline is."),
    ] = DEFAULT_PERCENTILE,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Several movies: over this Dask scheduler (tcp://host:8786).",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Several movies: how many local processes."),
    ] = None,
    *,
    reading: Reading,
) -> None:
    """Extract dF/F traces of ROIs from movies, in one pass over each."""
    from ..extraction.options import ExtractionOptions
    from ..io.address import several_files
    from ..io.batch import ExtractionJob, extract_job_steps, extract_many_steps, jobs_for

    options = {
        **reading.of_file(),
        "drop_unusable": reading.drop_unusable,
        "extraction": ExtractionOptions(
            baseline_window, baseline_percentile, neuropil, exclude_overlaps
        ),
    }
    files = [file for each in movie for file in several_files(each)]
    if not join and (len(files) > 1 or scheduler is not None or not out.suffix):
        if out.suffix or out.is_file():
            raise CalmError(
                f"{out}: {len(files)} movies were given; expected the name of a folder for "
                "their traces. If they are one movie, give --join."
            )
        jobs = jobs_for(files, rois, out, **options)
        _say(run_with_bar(extract_many_steps(jobs, scheduler=scheduler, workers=workers)))
        return
    check_output(out, ".npz", reads=[*map(Path, files), Path(rois)])
    paths = tuple(map(str, files)) if join else str(files[0])
    made = run_with_bar(extract_job_steps(ExtractionJob(paths, rois, str(out), **options)))
    _say([made])


def _say(made: "list[Extracted]") -> None:
    for one in made:
        if one.error:
            messages.print("error:", style="bold red", end=" ")
            messages.print(one.error)
            continue
        results.print(
            f"wrote {one.job.out}: {one.n_neurons} neurons x {one.n_frames} frames "
            f"at {one.frame_rate_hz:g} Hz"
        )
    failed = sum(bool(one.error) for one in made)
    if failed:
        raise CalmError(f"{failed} of {len(made)} movies could not be extracted.")
