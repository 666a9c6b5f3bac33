"""The command that hands recordings and results to other programs."""

from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .console import results
from .options import RecordingPath
from .reading import Reading, with_reading


@app.command(
    epilog="Examples: napari-calm export suite2p/ --out traces.csv | "
    "napari-calm export session.nwb --clusters clusters.npz --out with_clusters.nwb | "
    "napari-calm export suite2p/ --clusters clusters.npz --out rois.zip"
)
@with_reading("leave_out")
def export(
    recording: RecordingPath,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help=".npz, .csv or .parquet (traces), .nwb, .zip (ImageJ ROIs); a name without "
            "ending is a folder in suite2p's layout.",
        ),
    ],
    behaviour: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Behaviour or trials that belong to it. May be repeated."
        ),
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Of 'napari-calm cluster'; for .nwb and .zip."),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Of 'napari-calm tokenize'; for .nwb."),
    ] = None,
    forecast: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Of 'napari-calm forecast'; for .nwb."),
    ] = None,
    new: Annotated[
        bool,
        typer.Option(
            "--new", help="NWB: a new file, and not a copy of RECORDING with more in it."
        ),
    ] = False,
    *,
    reading: Reading,
) -> None:
    """Write a recording, and what was made of it, for other programs."""
    from ..explore.files import read_clusters
    from ..io.export import export_recording
    from ..io.results import read_forecast, read_tokens

    source = reading.read(recording, behaviour=behaviour or ())
    is_nwb = recording.suffix.lower() == out.suffix.lower() == ".nwb"
    export_recording(
        source,
        out,
        copy_of=recording if is_nwb and not new else None,
        groups=None if clusters is None else read_clusters(clusters).labels,
        tokens=None if tokens is None else read_tokens(tokens),
        forecast=None if forecast is None else read_forecast(forecast),
    )
    results.print(f"wrote {out}: {source.n_neurons} neurons x {source.n_frames} frames")
