"""Arguments and options that several commands share."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ..core.errors import CalmError
from ..core.recording import Recording
from ..io.accepted_column import REJECTED

if TYPE_CHECKING:
    from ..model.calm import CalmModel

DEFAULT_MODEL = "calm-mini"
_SPAN = re.compile(r"(\d+)(?:-(\d+))?")

RecordingPath = Annotated[
    Path,
    typer.Argument(
        metavar="RECORDING",
        help="Traces (npz, npy, csv, parquet), results of suite2p, CaImAn, minian or EXTRACT, "
        "an NWB file, a session folder, or a movie with --rois. FILE::NAME names a dataset.",
    ),
]
FrameRate = Annotated[
    float | None,
    typer.Option("--frame-rate", metavar="HZ", help="Frame rate, where the file has none."),
]
Rois = Annotated[
    Path | None,
    typer.Option(
        metavar="ROIS",
        help="ROIs of a movie: label image, footprints, ImageJ, Cellpose, or an analysis.",
    ),
]
DropUnusable = Annotated[
    bool, typer.Option(help="Leave out neurons whose traces are constant or hold NaN.")
]
CellsOnly = Annotated[
    bool,
    typer.Option(
        help="suite2p, CaImAn, NWB: read only ROIs accepted as cells, numbered anew from 0; "
        "--leave-out rejected keeps the numbers."
    ),
]
LeaveOut = Annotated[
    str | None,
    typer.Option(
        metavar="NEURONS",
        help="Neurons to leave out as if they had not been recorded: their numbers from 0 "
        "('3,7,20-25'), 'rejected' for those that the file does not accept as cells, or both "
        "('rejected,7'). The others keep their numbers; results say which are missing.",
    ),
]
Model = Annotated[
    str, typer.Option(metavar="NAME|FOLDER", help="A bundled model or a checkpoint folder.")
]
AdaptationFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What 'napari-calm adapt' wrote for this recording."),
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Out = Annotated[
    Path, typer.Option(metavar="FILE", help="Where to write; .npz, .csv or .parquet.")
]


Dataset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Dataset or series of a file that holds several."),
]
Channel = Annotated[int | None, typer.Option(metavar="N", help="Of a movie, from 1.")]
Plane = Annotated[int | None, typer.Option(metavar="N", help="Of a movie, from 1.")]
Transpose = Annotated[
    bool | None,
    typer.Option(
        "--transpose/--no-transpose",
        help="Exchange the axes of NWB images and ROIs, or of traces in tables.",
        show_default="as the file shows",
    ),
]


def without(recording: Recording, leave_out: str | None) -> np.ndarray | None:
    """Return which neurons `--leave-out` leaves, (neurons,) of bool; None for all.

    Raises
    ------
    CalmError
        If it is not understood, names a neuron that does not exist, asks for a judgement that
        the file does not have, or leaves none.
    """
    if leave_out is None:
        return None
    wanted: set[int] = set()
    for part in leave_out.replace(" ", "").split(","):
        found = _SPAN.fullmatch(part)
        if part == REJECTED:
            if recording.accepted is None:
                raise CalmError(
                    f"--leave-out {REJECTED}: {recording.source or recording.name} does not "
                    "say which ROIs are cells. Give the numbers of the neurons."
                )
            wanted |= set(np.flatnonzero(~recording.accepted).tolist())
        elif found:
            first, last = int(found[1]), int(found[2] or found[1])
            if last < first:
                raise CalmError(f"--leave-out: the range {part} ends before it begins.")
            # One that does not exist is enough to be refused.
            wanted |= set(range(first, max(first, min(last, recording.n_neurons)) + 1))
        else:
            raise CalmError(
                f"--leave-out: found {part!r}; expected numbers of neurons from 0, ranges and "
                f"'{REJECTED}', such as 3,7,20-25."
            )
    return recording.all_but(sorted(wanted)) if wanted else None


def load_adapted(
    name: str, adaptation: Path | None, device: str, part: Recording | None = None
) -> "CalmModel":
    """Load a model, adapted where there is a file of it, to a part of the neurons if given."""
    from ..model.adaptation import load_adaptation
    from ..model.checkpoint import load_model

    loaded = load_model(name, device)
    if adaptation is None:
        return loaded
    fitted = load_adaptation(adaptation)
    return (fitted if part is None else fitted.select(part.roi_labels)).apply(loaded)
