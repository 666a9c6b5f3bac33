"""The command line: the window's work, without the window.

Heavy libraries are imported inside the commands, so that --help answers at once.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as ProgressBar
from rich.table import Table

from .core.errors import CalmError
from .core.progress import Progress, Steps, run

if TYPE_CHECKING:
    import pandas as pd

Result = TypeVar("Result")
DEFAULT_MODEL = "calm-demo"
_SECONDS_PER_LOG_LINE = 30.0

app = typer.Typer(
    help="CalM, a foundation model for calcium imaging: tokens and forecasts of any recording.",
    epilog="Exit status: 0 done, 1 the input cannot be used (the message says why), "
    "2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# File names may hold brackets: nothing printed here is markup.
_out = Console(soft_wrap=True, markup=False, highlight=False)
_err = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)

RecordingPath = Annotated[
    Path,
    typer.Argument(
        metavar="RECORDING",
        help="Traces (.npz), a suite2p folder, a session folder, or a movie with --rois.",
    ),
]
FrameRate = Annotated[
    float | None,
    typer.Option("--frame-rate", metavar="HZ", help="Frame rate, where the file has none."),
]
Rois = Annotated[
    Path | None,
    typer.Option(metavar="ROIS", help="Label image or footprints; needed for a movie."),
]
DropUnusable = Annotated[
    bool, typer.Option(help="Leave out neurons whose traces are constant or hold NaN.")
]
CellsOnly = Annotated[bool, typer.Option(help="suite2p: only ROIs accepted as cells.")]
Model = Annotated[
    str, typer.Option(metavar="NAME|FOLDER", help="A bundled model or a checkpoint folder.")
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Out = Annotated[Path, typer.Option(metavar="FILE", help="Where to write; .npz or .csv.")]


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit status."""
    try:
        app()
    except (CalmError, OSError) as error:
        _fail(str(error))
    except Exception as error:
        if os.environ.get("NAPARI_CALM_DEBUG"):
            raise
        reason = str(error).strip().split("\n")[0]
        _fail(
            f"unexpected {type(error).__name__}: {reason}. This input was not foreseen; "
            "NAPARI_CALM_DEBUG=1 shows where it happened."
        )


def _fail(message: str) -> None:
    _err.print("error:", style="bold red", end=" ")
    _err.print(message)
    sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from . import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command(epilog="Example: napari-calm demo --out demo_output")
def demo(
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Gets pictures and numbers.")
    ] = Path("demo_output"),
    model: Model = DEFAULT_MODEL,
    keep_open: Annotated[bool, typer.Option(help="Leave the window open at the end.")] = False,
) -> None:
    """Run the whole job on the sample in a napari window: extract, tokenise, forecast."""
    try:
        from .widgets.demo import run_demo
    except ImportError as error:
        raise CalmError(
            f"demo: napari with a Qt binding is needed ({error}). "
            "Install it with: pip install 'napari-calm[all]'"
        ) from error
    run_demo(out, model_name=model, keep_open=keep_open)
    import pandas as pd

    unit = "mean squared error, in units of each neuron's variance"
    _print_table(pd.read_csv(out / "skill.csv"), f"The forecast shown: {unit}")
    _print_table(pd.read_csv(out / "skill_over_starts.csv"), f"Mean over 12 starts: {unit}")
    for path in sorted(out.iterdir()):
        _out.print(f"wrote {path}")


@app.command(
    epilog="Examples: napari-calm simulate --out cohort --animals 3 --sessions 2 | "
    "napari-calm simulate --movie --neurons 50 --out session | "
    "napari-calm simulate --sample --out sample_data"
)
def simulate(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write into.")],
    seed: Annotated[int, typer.Option(help="The one seed of everything.")] = 0,
    animals: Annotated[int, typer.Option(min=1)] = 1,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions of each animal.")] = 1,
    neurons: Annotated[int, typer.Option(min=1, help="Neurons of each animal.")] = 100,
    trials: Annotated[int, typer.Option(min=1, help="Trials of each session.")] = 20,
    frame_rate: Annotated[float, typer.Option(metavar="HZ")] = 6.0,
    indicator: Annotated[str, typer.Option(help="gcamp6s or gcamp6f.")] = "gcamp6s",
    noise: Annotated[float, typer.Option(help="Noise of the traces in dF/F.")] = 0.1,
    movie: Annotated[
        bool, typer.Option("--movie", help="Render movies and ROIs too, a folder a session.")
    ] = False,
    motion: Annotated[float, typer.Option(help="Movement of the tissue in pixels.")] = 0.0,
    sample: Annotated[
        bool, typer.Option("--sample", help="Write the sample session of the package instead.")
    ] = False,
) -> None:
    """Simulate virtual Y-maze sessions with known truth."""
    from .io.traces import write_recording
    from .simulate.folder import write_session_folder_steps
    from .simulate.movie import render_movie_steps
    from .simulate.sample import write_sample_steps
    from .simulate.session import simulate_cohort

    if sample:
        _run(write_sample_steps(out))
        _out.print(f"wrote {out}")
        return
    cohort = simulate_cohort(
        seed=seed,
        n_animals=animals,
        n_sessions=sessions,
        n_neurons=neurons,
        n_trials=trials,
        frame_rate_hz=frame_rate,
        indicator=indicator,
        noise_dff=noise,
    )
    for simulated in cohort:
        target = out / f"animal{simulated.animal}_session{simulated.session}"
        if movie:
            rendered = _run(render_movie_steps(simulated, seed=seed, motion_px=motion))
            _run(write_session_folder_steps(simulated, rendered, target))
        else:
            target = target.with_suffix(".npz")
            write_recording(simulated.recording, target)
        _out.print(f"wrote {target}")


@app.command(epilog="Examples: napari-calm info suite2p/ | napari-calm info movie.tif --json")
def info(
    path: Annotated[
        Path, typer.Argument(help="Any file or folder napari-calm reads or writes.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    frame_rate: FrameRate = None,
) -> None:
    """Say what a file or folder is and what is in it."""
    from .io.describe import describe

    facts = describe(path, frame_rate_hz=frame_rate)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _plain(value))
    _out.print(table)


@app.command(
    epilog="Example: napari-calm extract movie.tif --rois labels.tif --frame-rate 10 "
    "--out traces.npz"
)
def extract(
    movie: Annotated[Path, typer.Argument(metavar="MOVIE", help="A TIFF movie.")],
    rois: Annotated[Path, typer.Option(metavar="ROIS", help="Label image or footprints.")],
    out: Annotated[Path, typer.Option(metavar="FILE.npz", help="Where to write the traces.")],
    frame_rate: FrameRate = None,
    drop_unusable: DropUnusable = False,
) -> None:
    """Extract dF/F traces of ROIs from a movie, in one pass over it."""
    from .extraction.extract import extract_steps
    from .io.labels import read_footprints
    from .io.tiff import read_movie
    from .io.traces import write_recording

    _check_suffix(out, ".npz")
    opened = read_movie(movie, frame_rate_hz=frame_rate)
    footprints = read_footprints(rois, image_shape=opened.image_shape)
    recording = _run(
        extract_steps(opened, footprints, frame_rate_hz=frame_rate, drop_unusable=drop_unusable)
    )
    write_recording(recording, out)
    _out.print(
        f"wrote {out}: {recording.n_neurons} neurons x {recording.n_frames} frames "
        f"at {recording.frame_rate_hz:g} Hz"
    )


@app.command(epilog="Example: napari-calm tokenize suite2p/ --out tokens.npz")
def tokenize(
    recording: RecordingPath,
    out: Out,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    frame_rate: FrameRate = None,
    rois: Rois = None,
    drop_unusable: DropUnusable = False,
    cells_only: CellsOnly = False,
) -> None:
    """Write the tokens of every neuron over the whole recording."""
    from .io.results import write_tokens
    from .model.checkpoint import load_model

    _check_suffix(out, ".npz", ".csv")
    loaded = load_model(model, device)
    source = _read(recording, frame_rate, rois, drop_unusable, cells_only)
    tokens = _run(loaded.tokenize_steps(source))
    write_tokens(tokens, out)
    _out.print(
        f"wrote {out}: {tokens.n_neurons} neurons x {tokens.tokens.shape[1]} tokens of "
        f"{tokens.token_duration_s:.3g} s, {tokens.used_codes} of {tokens.n_codes} codes used"
    )


@app.command(
    epilog="Example: napari-calm forecast traces.npz --start-frame 500 --horizon-frames 30 "
    "--samples 16 --out forecast.npz"
)
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
        int, typer.Option(metavar="M", help="Trajectories drawn; 0 takes the likeliest.")
    ] = 16,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    frame_rate: FrameRate = None,
    rois: Rois = None,
    drop_unusable: DropUnusable = False,
    cells_only: CellsOnly = False,
) -> None:
    """Forecast every neuron from a start frame, and score it where the truth is known."""
    from .analysis.skill import forecast_skill
    from .io.results import write_forecast
    from .model.checkpoint import load_model

    _check_suffix(out, ".npz", ".csv")
    loaded = load_model(model, device)
    source = _read(recording, frame_rate, rois, drop_unusable, cells_only)
    made = _run(
        loaded.forecast_steps(
            source,
            start_frame=start_frame,
            horizon_frames=horizon_frames,
            samples=samples,
            seed=seed,
        )
    )
    write_forecast(made, out)
    skill = forecast_skill(source, made)
    if skill is None:
        _out.print("The forecast lies past the end of the recording; nothing to score it on.")
    else:
        if skill.scored_frames < horizon_frames:
            _out.print(
                f"The recording ends early: scored on {skill.scored_frames} of "
                f"{horizon_frames} frames."
            )
        _print_table(skill.table(), "Mean squared error, in units of each neuron's variance")
        _out.print(skill.verdict())
    _out.print(
        f"wrote {out}: {made.n_neurons} neurons x {made.horizon_frames} frames from "
        f"{made.start_s:.2f} s on, {samples} samples"
    )


@app.command(epilog="Example: napari-calm pretrain configs/calm-demo.toml --out my-model")
def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The checkpoint folder.")],
    device: Device = "auto",
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Forget an unfinished run instead of continuing it."),
    ] = False,
) -> None:
    """Train a tokenizer, then the dynamics; a killed run continues where it was saved."""
    from .train.config import read_pretrain_config

    try:
        from .train.pretrain import pretrain_steps
    except ImportError as error:
        raise CalmError(
            f"pretrain: scikit-learn is needed ({error}). "
            "Install it with: pip install 'napari-calm[train]'"
        ) from error
    steps = pretrain_steps(read_pretrain_config(config), out, device=device, restart=restart)
    try:
        _run(steps)
    except KeyboardInterrupt:
        _err.print("Stopped. The same command continues where the state was last saved.")
        raise
    _out.print(f"wrote {out}")


@app.command(
    "import-release",
    epilog="Example: napari-calm import-release --tokenizer nq.pt --dynamics dat.pt "
    "--config release.json --out calm-release",
)
def import_release_command(
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer weights.")],
    dynamics: Annotated[Path, typer.Option(help="Dynamics weights.")],
    config: Annotated[
        Path, typer.Option(help="JSON with the release's settings: nq, dat and head.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The checkpoint folder.")],
    behaviour: Annotated[Path | None, typer.Option(help="Behaviour head weights.")] = None,
    name: Annotated[str | None, typer.Option(help="Name; the folder's if not given.")] = None,
) -> None:
    """Turn weights of the CalM authors' release into a checkpoint folder."""
    from .model.checkpoint import save_model
    from .model.release import import_release

    model = import_release(
        tokenizer=tokenizer,
        dynamics=dynamics,
        behaviour=behaviour,
        config=config,
        name=name or out.name,
    )
    save_model(model, out)
    _out.print(f"wrote {out}")


def _read(
    path: Path,
    frame_rate_hz: float | None,
    rois: Path | None,
    drop_unusable: bool,
    cells_only: bool,
) -> Any:
    from .io.read import read_recording_steps

    return _run(
        read_recording_steps(
            path,
            frame_rate_hz=frame_rate_hz,
            rois=rois,
            drop_unusable=drop_unusable,
            cells_only=cells_only,
        )
    )


def _run(steps: Steps[Result]) -> Result:
    """Run steps under a progress bar on stderr; in a log file, under a line now and then."""
    with _bar() as bar:
        task = bar.add_task("Starting", total=None)
        last_line_s = time.monotonic()

        def show(progress: Progress) -> None:
            nonlocal last_line_s
            if not _err.is_terminal and time.monotonic() - last_line_s > _SECONDS_PER_LOG_LINE:
                last_line_s = time.monotonic()
                typer.echo(f"{progress.stage}: {progress.fraction:.0%}", err=True)
            bar.update(
                task,
                description=progress.stage,
                completed=progress.done,
                total=progress.total,
            )

        return run(steps, show)


@contextmanager
def _bar() -> Iterator[ProgressBar]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=_err, transient=True) as bar:
        yield bar


def _check_suffix(path: Path, *suffixes: str) -> None:
    # Before the work, not after it.
    if path.suffix.lower() not in suffixes:
        raise CalmError(f"{path}: the name must end in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise CalmError(f"{path}: is a folder; expected the name of a file to write.")


def _print_table(frame: "pd.DataFrame", title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(
            str(column).removeprefix("mse_").replace("_", " "),
            justify="right" if frame[column].dtype.kind == "f" else "left",
        )
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row))
    _out.print(table)


def _plain(value: object) -> str:
    if value is None:
        return "not recorded"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
