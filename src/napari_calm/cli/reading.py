"""How a command reads its recording: the options that say so, in one place for all commands."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

from ..core.recording import Recording
from .console import messages, run_with_bar
from .options import (
    CellsOnly,
    Channel,
    Dataset,
    DropUnusable,
    FrameRate,
    LeaveOut,
    Plane,
    Rois,
    Transpose,
)

Command = Callable[..., None]


@dataclass(frozen=True)
class Reading:
    """What a command line says of reading a recording; each field is an option."""

    frame_rate: FrameRate = None
    rois: Rois = None
    drop_unusable: DropUnusable = False
    cells_only: CellsOnly = False
    leave_out: LeaveOut = None
    dataset: Dataset = None
    channel: Channel = None
    plane: Plane = None
    transpose: Transpose = None

    def of_file(self) -> dict[str, Any]:
        """What says how a file is understood, as readers and `describe` take it."""
        return {
            "frame_rate_hz": self.frame_rate,
            "dataset": self.dataset,
            "channel": self.channel,
            "plane": self.plane,
            "transpose": self.transpose,
        }

    def read(self, path: Path, behaviour: Sequence[Path] = ()) -> Recording:
        """Read a recording under a progress bar; say what is to be known of it."""
        from ..io.read import read_recording_steps
        from ..io.suite2p import describe_suite2p, is_suite2p

        recording = run_with_bar(
            read_recording_steps(
                path,
                rois=self.rois,
                drop_unusable=self.drop_unusable,
                cells_only=self.cells_only,
                behaviour=behaviour,
                **self.of_file(),
            )
        )
        for note in recording.notes:
            messages.print(f"note: {note}")
        if not self.cells_only and is_suite2p(path):
            facts = describe_suite2p(path)
            if "n_cells" in facts:
                messages.print(
                    f"All {facts['n_rois']} ROIs are read; suite2p accepted "
                    f"{facts['n_cells']} of them as cells (--leave-out rejected makes results "
                    "of these, --cells-only reads these alone)."
                )
        return recording


def with_reading(*lacking: str) -> Callable[[Command], Command]:
    """Give a command the options of a `Reading`, which it takes as its argument `reading`.

    Parameters
    ----------
    lacking : str
        Fields that the command has no option for; they keep their defaults.
    """
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=field.default,
            annotation=field.type,
        )
        for field in fields(Reading)
        if field.name not in lacking
    ]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [one for one in signature.parameters.values() if one.name != "reading"]

        @wraps(command)
        def with_options(**given: Any) -> None:
            said = {option.name: given.pop(option.name) for option in options}
            command(**given, reading=Reading(**said))

        # Where typer looks for what a command takes.
        shown = signature.replace(parameters=[*own, *options])
        with_options.__signature__ = shown  # type: ignore[attr-defined]
        with_options.__annotations__ = {one.name: one.annotation for one in (*own, *options)}
        return with_options

    return decorate
