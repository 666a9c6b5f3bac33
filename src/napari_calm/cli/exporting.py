"""The command that hands recordings and results to other programs."""

from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .console import results
from .options import (
    CellsOnly,
    Channel,
    Dataset,
    DropUnusable,
    FrameRate,
    Plane,
    RecordingPath,
    Rois,
    Transpose,
    read_with_bar,
)


@app.command(
    epilog="Examples: napari-calm export suite2p/ --out traces.csv | "
    "napari-calm export session.nwb --clusters clusters.npz --out with_clusters.nwb | "
    "napari-calm export suite2p/ --clusters clusters.npz --out rois.zip"
)
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
    frame_rate: FrameRate = None,
    rois: Rois = None,
    drop_unusable: DropUnusable = False,
    cells_only: CellsOnly = False,
    dataset: Dataset = None,
    channel: Channel = None,
    plane: Plane = None,
    transpose: Transpose = None,
) -> None:
    """Write a recording, and what was made of it, for other programs."""
    from ..explore.files import read_clusters
    from ..io.export import export_recording
    from ..io.results import read_forecast, read_tokens

    source = read_with_bar(
        recording,
        frame_rate,
        rois,
        drop_unusable,
        cells_only,
        dataset=dataset,
        channel=channel,
        plane=plane,
        transpose=transpose,
        behaviour=behaviour or (),
    )
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
