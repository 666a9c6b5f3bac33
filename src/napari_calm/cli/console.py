"""What the command line prints: results on stdout, progress and errors on stderr."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

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

from ..core.errors import CalmError
from ..core.progress import Progress, Steps, Stop, never, run
from .interrupting import InterruptedAt

if TYPE_CHECKING:
    import pandas as pd

Result = TypeVar("Result")
SECONDS_PER_LOG_LINE = 30.0

# File names may hold brackets: nothing printed here is markup.
results = Console(soft_wrap=True, markup=False, highlight=False)
messages = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


def fail(message: str) -> NoReturn:
    """Say what is wrong on stderr and end with status 1."""
    messages.print("error:", style="bold red", end=" ")
    messages.print(message)
    sys.exit(1)


def run_with_bar(steps: Steps[Result], is_interrupted: Stop = never) -> Result:
    """Run steps under a progress bar on stderr; in a log file, under a line now and then.

    Raises
    ------
    InterruptedAt
        Once `is_interrupted`, which is asked after each step; the steps are closed first.
    """
    with _bar() as bar:
        task = bar.add_task("Starting", total=None)
        last_line_s = time.monotonic()

        def show(progress: Progress) -> None:
            nonlocal last_line_s
            if is_interrupted():
                raise InterruptedAt(progress)
            if (
                not messages.is_terminal
                and time.monotonic() - last_line_s > SECONDS_PER_LOG_LINE
            ):
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
    with ProgressBar(*columns, console=messages, transient=True) as bar:
        yield bar


def tell_shortage(told: str, _on_cpu: bool) -> None:
    """Say on stderr what was done about too little memory of a GPU."""
    messages.print(told)


def check_output(path: Path, *suffixes: str, reads: Iterable[Path | None] = ()) -> None:
    """Refuse a file that cannot be written, or is one of those that are read.

    It is said before the work and not after it.
    """
    if path.suffix.lower() not in suffixes:
        raise CalmError(f"{path}: the name must end in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise CalmError(f"{path}: is a folder; expected the name of a file to write.")
    for place in reads:
        if place is not None and place.resolve() == path.resolve():
            raise CalmError(
                f"{path}: is what the command reads and would be lost. Give another name."
            )


def print_table(frame: "pd.DataFrame", title: str) -> None:
    """Print a table of methods and their errors."""
    table = Table(title=title, title_justify="left")
    for column in frame.columns:
        table.add_column(
            str(column).removeprefix("mse_").replace("_", " "),
            justify="right" if frame[column].dtype.kind == "f" else "left",
        )
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row))
    results.print(table)


def plain(value: object) -> str:
    """Write a fact of `napari-calm info` for people."""
    if value is None:
        return "not recorded"
    if isinstance(value, dict | list | tuple) and not value:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} {plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
