"""Commands about a recording: what it is, its traces, its tokens, its future."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.table import Table

from .app import app
from .console import check_output, plain, print_table, results, run_with_bar
from .options import DEFAULT_MODEL, Device, Model, Out, RecordingPath, load_adapted, without
from .reading import Reading, with_reading

if TYPE_CHECKING:
    from ..model.forecasting import Expectation


@app.command(epilog="Examples: napari-calm info suite2p/ | napari-calm info movie.tif --json")
@with_reading("rois", "drop_unusable", "cells_only", "leave_out")
def info(
    path: Annotated[
        Path, typer.Argument(help="Any file or folder napari-calm reads or writes.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    *,
    reading: Reading,
) -> None:
    """Say what a file or folder is and what is in it."""
    from ..io.describe import describe

    facts = describe(path, **reading.of_file())
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), plain(value))
    results.print(table)


@app.command(epilog="Example: napari-calm tokenize suite2p/ --out tokens.npz")
@with_reading("dataset")
def tokenize(
    recording: RecordingPath,
    out: Out,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    *,
    reading: Reading,
) -> None:
    """Write the tokens of every neuron over the whole recording."""
    from ..io.results import write_tokens
    from ..model.checkpoint import load_model

    check_output(out, ".npz", ".csv", ".parquet", reads=[recording, reading.rois])
    loaded = load_model(model, device)
    source = reading.read(recording)
    used = without(source, reading.leave_out)
    part = source if used is None else source.select(used)
    tokens = run_with_bar(loaded.tokenize_steps(part))
    if used is not None:
        tokens = tokens.among(source, used)
    write_tokens(tokens, out, source.accepted)
    results.print(
        f"wrote {out}: {part.n_neurons} neurons x {tokens.tokens.shape[1]} tokens of "
        f"{tokens.token_duration_s:.3g} s, {tokens.used_codes} of {tokens.n_codes} codes used"
    )


@app.command(
    epilog="Example: napari-calm forecast traces.npz --start-frame 500 --horizon-frames 30 "
    "--samples 16 --out forecast.npz"
)
@with_reading("dataset")
def forecast(
    recording: RecordingPath,
    start_frame: Annotated[
        int,
        typer.Option(
            metavar="N", help="First forecast frame; nothing from it on is looked at."
        ),
    ],
    horizon_frames: Annotated[int, typer.Option(metavar="H", help="Frames to forecast.")],
    out: Out,
    samples: Annotated[
        int,
        typer.Option(
            metavar="M",
            help="Joint trajectories drawn; mean and bands of a model with a head need none.",
        ),
    ] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    model: Model = DEFAULT_MODEL,
    adaptation: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What 'napari-calm adapt' wrote for this recording."),
    ] = None,
    expectation: Annotated[
        str,
        typer.Option(help="Where mean and bands come from: auto, direct (head) or samples."),
    ] = "auto",
    device: Device = "auto",
    *,
    reading: Reading,
) -> None:
    """Forecast every neuron from a start frame, and score it where the truth is known."""
    from ..analysis.skill import forecast_skill
    from ..io.results import write_forecast

    check_output(out, ".npz", ".csv", ".parquet", reads=[recording, reading.rois])
    source = reading.read(recording)
    used = without(source, reading.leave_out)
    part = source if used is None else source.select(used)
    loaded = load_adapted(model, adaptation, device, part if used is not None else None)
    made = run_with_bar(
        loaded.forecast_steps(
            part,
            start_frame=start_frame,
            horizon_frames=horizon_frames,
            samples=samples,
            seed=seed,
            expectation=cast("Expectation", expectation),
        )
    )
    if used is not None:
        made = made.among(source, used)
    write_forecast(made, out, source.accepted)
    skill = forecast_skill(source, made)
    if skill is None:
        results.print(
            "The forecast lies past the end of the recording; nothing to score it on."
        )
    else:
        if skill.scored_frames < horizon_frames:
            results.print(
                f"The recording ends early: scored on {skill.scored_frames} of "
                f"{horizon_frames} frames."
            )
        print_table(skill.table(), "Mean squared error, in units of each neuron's variance")
        results.print(skill.verdict())
    results.print(
        f"wrote {out}: {part.n_neurons} neurons x {made.horizon_frames} frames from "
        f"{made.start_s:.2f} s on, {len(made.samples)} samples of {made.model_name}"
    )
