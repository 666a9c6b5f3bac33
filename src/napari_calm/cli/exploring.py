"""Commands about functional structure: embeddings, selectivity, clusters."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..core.errors import CalmError
from .app import app
from .console import check_output, print_table, results, run_with_bar
from .options import (
    DEFAULT_MODEL,
    AdaptationFile,
    Device,
    Model,
    Out,
    RecordingPath,
    load_adapted,
    without,
)
from .reading import Reading, with_reading

if TYPE_CHECKING:
    from ..explore.embed import Source
    from ..explore.partition import Method

SourceName = Annotated[
    str,
    typer.Option(
        help="What neurons are compared by: coupling (activity alone, whatever its sign), "
        "coactivity (who is active together), task (coupling, and what behaviour and trials "
        "explain), "
        "mean (hidden state), row (of an adapted model)."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME",
        help="A behaviour or trial column to use; all that tell something if not given. "
        "May be repeated.",
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of the resampling.")]


@app.command(
    epilog="Examples: napari-calm embed traces.npz --out embedding.npz | "
    "napari-calm embed session.npz --source task --map umap --out embedding.csv"
)
@with_reading("dataset")
def embed(
    recording: RecordingPath,
    out: Out,
    source: SourceName = "auto",
    column: Columns = None,
    map_name: Annotated[
        str,
        typer.Option("--map", help="Coordinates for a scatter plot, CSV only: pca or umap."),
    ] = "pca",
    seed: Seed = 0,
    model: Model = DEFAULT_MODEL,
    adaptation: AdaptationFile = None,
    device: Device = "auto",
    *,
    reading: Reading,
) -> None:
    """Write one vector a neuron, in which neurons of like function lie close."""
    from ..explore.embed import embed_steps
    from ..explore.files import write_embedding
    from ..explore.neuron_map import check_umap, pca_map, umap_map
    from ..io.accepted_column import with_accepted
    from ..io.tables import write_table

    check_output(out, ".npz", ".csv", ".parquet", reads=[recording, reading.rois])
    if map_name not in ("pca", "umap"):
        raise CalmError(f"--map: found {map_name!r}; expected pca or umap.")
    if map_name == "umap":
        check_umap()
    read = reading.read(recording)
    used = without(read, reading.leave_out)
    part = read if used is None else read.select(used)
    loaded = load_adapted(model, adaptation, device, part if used is not None else None)
    made = run_with_bar(
        embed_steps(loaded, part, source=cast("Source", source), columns=column, seed=seed)
    )
    if used is not None:
        made = made.among(read, used)
    if out.suffix.lower() != ".npz":
        layout = umap_map(made, seed=seed) if map_name == "umap" else pca_map(made)
        table = made.table()
        table.insert(2, "x", layout.points[:, 0])
        table.insert(3, "y", layout.points[:, 1])
        write_table(with_accepted(table, read.accepted), out)
    else:
        write_embedding(made, out, read.accepted)
    results.print(
        f"wrote {out}: {part.n_neurons} neurons x {made.vectors.shape[1]} dimensions of "
        f"{made.source} by {made.model_name}"
    )


@app.command(
    epilog="Examples: napari-calm cluster traces.npz --out clusters.csv | "
    "napari-calm cluster session.npz --source task --clusters 5 --out clusters.npz"
)
@with_reading("dataset")
def cluster(
    recording: RecordingPath,
    out: Out,
    clusters: Annotated[
        int | None,
        typer.Option(metavar="N", help="Number; the most stable one if not given."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="k-means, 'gaussian mixture', hdbscan or leiden.")
    ] = "k-means",
    setting: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Smallest cluster (hdbscan) or resolution (leiden); the most stable one if "
            "not given.",
        ),
    ] = None,
    source: SourceName = "auto",
    column: Columns = None,
    most_clusters: Annotated[
        int, typer.Option(metavar="N", min=2, help="Largest number that is tried.")
    ] = 12,
    resamplings: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pairs of random halves.")
    ] = 20,
    seed: Seed = 0,
    model: Model = DEFAULT_MODEL,
    adaptation: AdaptationFile = None,
    device: Device = "auto",
    *,
    reading: Reading,
) -> None:
    """Part neurons into functional clusters, say how stable they are and what marks each."""
    from ..explore.cluster import cluster_steps
    from ..explore.files import write_clusters

    check_output(out, ".npz", ".csv", ".parquet", reads=[recording, reading.rois])
    read = reading.read(recording)
    used = without(read, reading.leave_out)
    part = read if used is None else read.select(used)
    loaded = load_adapted(model, adaptation, device, part if used is not None else None)
    made = run_with_bar(
        cluster_steps(
            loaded,
            part,
            n_clusters=clusters,
            method=cast("Method", method),
            setting=setting,
            source=cast("Source", source),
            columns=column,
            most_clusters=most_clusters,
            resamplings=resamplings,
            seed=seed,
        )
    )
    if used is not None:
        made = made.among(read, used)
    write_clusters(made, out, read.accepted)
    if made.n_clusters:
        shown = made.summary()
        # Shares of selective members are in the file; the table has to fit a screen.
        shown = shown.drop(columns=[f"{name}_selective" for name in made.columns])
        print_table(shown, "Clusters; columns: share of variance explained, less chance")
    results.print(made.verdict())
    results.print(
        f"wrote {out}: {part.n_neurons} neurons in {made.n_clusters} clusters by {made.method} "
        f"on {made.source} of {made.model_name}"
    )


@app.command(
    epilog="Example: napari-calm selectivity session.npz --column cue --column position_cm "
    "--out selectivity.csv"
)
@with_reading("dataset")
def selectivity(
    recording: RecordingPath,
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="One row a neuron.")],
    column: Columns = None,
    bins: Annotated[int, typer.Option(help="Bins of a continuous column.")] = 10,
    draws: Annotated[int, typer.Option(help="Shifts or permutations of the test.")] = 500,
    window_s: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FROM TO",
            help="Seconds of each trial that are averaged; trial columns only.",
        ),
    ] = None,
    seed: Seed = 0,
    *,
    reading: Reading,
) -> None:
    """Say which neurons follow which behaviour or trial column: d', p and q of each."""
    from ..explore.columns import find_column, telling_columns
    from ..explore.selectivity import feature_table, selectivity_steps
    from ..io.accepted_column import with_accepted
    from ..io.tables import write_table

    check_output(out, ".csv", ".parquet", reads=[recording, reading.rois])
    read = reading.read(recording)
    used = without(read, reading.leave_out)
    part = read if used is None else read.select(used)
    names = column or telling_columns(part)
    if not names:
        raise CalmError(
            f"{recording}: there is no behaviour or trial column to test. It takes columns of "
            "one value a frame, or a trial table."
        )
    found = []
    for name in names:
        per_trial = find_column(part, name).per_trial
        steps = selectivity_steps(
            part,
            name,
            bins=bins,
            draws=draws,
            window_s=window_s if per_trial else None,
            seed=seed,
        )
        try:
            one = run_with_bar(steps)
            found.append(one if used is None else one.among(read, used))
        except CalmError as error:
            if column:
                raise
            # Of all columns those that cannot be tested are told and left out.
            results.print(f"left out: {error}")
    if not found:
        raise CalmError(f"{recording}: none of the columns {', '.join(names)} can be tested.")
    write_table(with_accepted(feature_table(found), read.accepted), out)
    for one in found:
        results.print(one.verdict())
    results.print(f"wrote {out}: {part.n_neurons} neurons, {len(found)} columns")
