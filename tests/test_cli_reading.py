"""The options about reading a recording: the same in every command, and heard by each."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from napari_calm.cli import app
from napari_calm.cli.reading import Reading, with_reading
from napari_calm.core.recording import Recording

COMMANDS = typer.main.get_command(app).commands
# What `rois` means to it is another thing: a pattern, of several movies.
OTHERWISE = {("extract", "rois"), ("simulate", "frame_rate")}


def offered(name):
    """Return what each command that has this option says of it."""
    return {
        command: (option.opts, option.secondary_opts, option.help, option.metavar)
        for command, known in COMMANDS.items()
        for option in known.params
        if option.name == name and (command, name) not in OTHERWISE
    }


@pytest.mark.parametrize("name", [field.name for field in fields(Reading)])
def test_an_option_says_the_same_in_every_command_that_has_it(name):
    said = offered(name)
    assert len(said) >= 3
    assert len({str(words) for words in said.values()}) == 1, said


def test_whoever_reads_a_recording_has_all_options_that_say_how():
    for name in ("frame_rate", "channel", "plane", "transpose"):
        assert {"info", "extract", "tokenize", "forecast", "embed", "export"} < set(
            offered(name)
        )
    for name in ("rois", "drop_unusable", "cells_only"):
        assert {"tokenize", "forecast", "cluster", "selectivity", "decode"} < set(offered(name))
    results = {"tokenize", "forecast", "adapt", "embed", "cluster", "selectivity", "decode"}
    assert set(offered("leave_out")) == results


def test_a_command_hears_what_was_said_and_nothing_else():
    heard, toy = [], typer.Typer()

    @toy.command()
    @with_reading("dataset", "leave_out")
    def look(path: Path, twice: bool = False, *, reading: Reading) -> None:
        """Look at a file."""
        heard.append((path, twice, reading))

    said = "x.tif --twice --frame-rate 5 --rois r.zip --cells-only --channel 2 --no-transpose"
    assert CliRunner().invoke(toy, said.split()).exit_code == 0
    assert CliRunner().invoke(toy, ["y.tif"]).exit_code == 0
    assert CliRunner().invoke(toy, ["y.tif", "--dataset", "d"]).exit_code == 2
    expected = Reading(5.0, Path("r.zip"), False, True, channel=2, transpose=False)
    assert heard == [(Path("x.tif"), True, expected), (Path("y.tif"), False, Reading())]
    assert expected.of_file() == {
        "frame_rate_hz": 5.0,
        "dataset": None,
        "channel": 2,
        "plane": None,
        "transpose": False,
    }


def test_all_that_was_said_reaches_the_reader(monkeypatch):
    given = {}

    def read_recording_steps(path, **options):
        given.update(options, path=path)
        yield from ()
        return Recording(np.arange(3.0)[None], 5.0)

    monkeypatch.setattr("napari_calm.io.read.read_recording_steps", read_recording_steps)
    rois, table = Path("r.zip"), Path("b.csv")
    said = Reading(5.0, rois, True, True, dataset="d", channel=2, plane=3, transpose=True)
    said.read(Path("x.tif"), behaviour=[table])
    assert given == {
        "path": Path("x.tif"),
        "frame_rate_hz": 5.0,
        "rois": rois,
        "drop_unusable": True,
        "cells_only": True,
        "dataset": "d",
        "channel": 2,
        "plane": 3,
        "transpose": True,
        "behaviour": [table],
    }
