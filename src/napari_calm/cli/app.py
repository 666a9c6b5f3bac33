"""The application that the commands belong to."""

from typing import Annotated

import typer

app = typer.Typer(
    help="CalM, a foundation model for calcium imaging: tokens and forecasts of any recording.",
    epilog="Exit status: 0 done, 1 the input cannot be used (the message says why), "
    "2 wrong usage, 130 interrupted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit
