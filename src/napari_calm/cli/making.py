"""Commands that make something: the demo, simulated sessions, models."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import CalmError
from ..core.progress import Progress, Steps
from .app import app
from .console import (
    check_output,
    messages,
    print_table,
    results,
    run_with_bar,
    tell_shortage,
)
from .interrupting import (
    INTERRUPTED,
    InterruptedAt,
    interrupted_at_once,
    interrupted_between_steps,
)
from .options import (
    DEFAULT_MODEL,
    Device,
    Model,
    RecordingPath,
    without,
)
from .reading import Reading, with_reading

if TYPE_CHECKING:
    from ..model.calm import CalmModel


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
        from ..widgets.demo import run_demo
    except ImportError as error:
        raise CalmError(
            f"demo: napari with a Qt binding is needed ({error}). "
            "Install it with: pip install 'napari-calm[all]'"
        ) from error
    run_demo(out, model_name=model, keep_open=keep_open)
    import pandas as pd

    unit = "mean squared error, in units of each neuron's variance"
    print_table(pd.read_csv(out / "skill.csv"), f"The forecast shown: {unit}")
    print_table(pd.read_csv(out / "skill_over_starts.csv"), f"Mean over 12 starts: {unit}")
    for path in sorted(out.iterdir()):
        results.print(f"wrote {path}")


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
    from ..io.traces import write_recording
    from ..simulate.folder import write_session_folder_steps
    from ..simulate.movie import render_movie_steps
    from ..simulate.sample import write_sample_steps
    from ..simulate.session import simulate_cohort

    if sample:
        run_with_bar(write_sample_steps(out))
        results.print(f"wrote {out}")
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
            rendered = run_with_bar(render_movie_steps(simulated, seed=seed, motion_px=motion))
            run_with_bar(write_session_folder_steps(simulated, rendered, target))
        else:
            target = target.with_suffix(".npz")
            write_recording(simulated.recording, target)
        results.print(f"wrote {target}")


@app.command(epilog="Example: napari-calm pretrain configs/calm-mini.toml --out my-model")
def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The checkpoint folder.")],
    device: Device = "auto",
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Forget an unfinished run instead of continuing it."),
    ] = False,
) -> None:
    """Train a tokenizer, then the dynamics; a killed run continues where it was saved.

    Ctrl-C and SIGTERM save the step that was reached. If a GPU has too little memory, steps are
    taken in parts, and then the CPU goes on.
    """
    with interrupted_between_steps() as is_interrupted:
        try:
            from ..train.config import read_pretrain_config
            from ..train.pretrain import pretrain_steps

            steps = pretrain_steps(
                read_pretrain_config(config),
                out,
                device=device,
                restart=restart,
                tell=tell_shortage,
            )
            run_with_bar(steps, is_interrupted)
        except KeyboardInterrupt as interrupt:
            messages.print(_where_it_goes_on(interrupt, config, out, device))
            raise typer.Exit(INTERRUPTED) from None
    results.print(f"wrote {out}")


def _where_it_goes_on(
    interrupt: KeyboardInterrupt, config: Path, out: Path, device: str
) -> str:
    """Say what is there of a training that was interrupted, and the command that goes on."""
    from ..train.pretrain import STATE_FOLDER

    told = "Interrupted"
    if isinstance(interrupt, InterruptedAt):
        # What stands in brackets, such as the loss, is no part of the name of the stage.
        stage = interrupt.at.stage.partition(" (")[0]
        told += f": {stage}, {interrupt.at.done} of {interrupt.at.total}"
    state = out / STATE_FOLDER
    if not any(state.glob("*.pt")):
        return f"{told}. No step was made yet, so there is nothing to go on from."
    command = ["napari-calm", "pretrain", str(config), "--out", str(out)]
    command += [] if device == "auto" else ["--device", device]
    return f"{told}. The state is in {state}; go on from there: {shlex.join(command)}"


@app.command(
    epilog="Example: napari-calm adapt traces.npz --out traces.adaptation.safetensors; then "
    "napari-calm forecast traces.npz --adaptation traces.adaptation.safetensors ..."
)
@with_reading("dataset")
def adapt(
    recording: RecordingPath,
    out: Annotated[
        Path, typer.Option(metavar="FILE.safetensors", help="Small file beside the recording.")
    ],
    until_frame: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Look at frames before this one only; all if not given."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the windows drawn.")] = 0,
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    *,
    reading: Reading,
) -> None:
    """Fit a model to one recording, backbone frozen; kept only where it helps."""
    check_output(out, ".safetensors", reads=[recording])
    with interrupted_at_once():
        try:
            from ..model.checkpoint import load_model
            from ..model.stepping_down import stepping_down_steps
            from ..train.adapt import adapt_steps

            def load_steps(place: str) -> Steps["CalmModel"]:
                yield Progress(0, 1, f"Loading {model}")
                return load_model(model, place)

            loaded = run_with_bar(
                stepping_down_steps(load_steps, device, tell_shortage, tries=1)
            )
            source = reading.read(recording)
            used = without(source, reading.leave_out)
            if used is not None:
                source = source.select(used)
            steps = adapt_steps(
                loaded, source, until_frame=until_frame, seed=seed, tell=tell_shortage
            )
            found = run_with_bar(steps)
        except KeyboardInterrupt:
            messages.print(f"Interrupted: nothing is kept of the fit, and {out} not written.")
            raise typer.Exit(INTERRUPTED) from None
    found.save(out)
    results.print(found.verdict())
    results.print(f"wrote {out}")


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
    from ..model.checkpoint import save_model
    from ..model.release import import_release

    model = import_release(
        tokenizer=tokenizer,
        dynamics=dynamics,
        behaviour=behaviour,
        config=config,
        name=name or out.name,
    )
    save_model(model, out)
    results.print(f"wrote {out}")
