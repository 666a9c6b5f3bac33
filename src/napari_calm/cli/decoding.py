"""The command about decoding: read variables, save decoders, apply them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..core.errors import CalmError
from .app import app
from .console import check_output, messages, print_table, results, run_with_bar
from .options import DEFAULT_MODEL, AdaptationFile, Device, Model, load_adapted, without
from .reading import Reading, with_reading

if TYPE_CHECKING:
    import numpy as np

    from ..core.recording import Recording
    from ..decoding.settings import Blocks, Head, Settings
    from ..decoding.target import AngleUnit, Kind
    from ..model.calm import CalmModel


@app.command(
    epilog="Examples: napari-calm decode session.npz --variable cue --out cue.csv | "
    "napari-calm decode worm.npz --variable reversal --save reversal.safetensors | "
    "napari-calm decode worm1.npz worm2.npz worm3.npz --variable reversal "
    "--save any-worm.safetensors | napari-calm decode worm4.npz --apply any-worm.safetensors "
    "--out reversal.csv"
)
@with_reading("dataset")
def decode(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDING...",
            help="Traces (.npz), a suite2p folder, a session folder, or a movie with --rois. "
            "Several give one decoder for other animals (--save).",
        ),
    ],
    variable: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A behaviour or trial column to decode ('trials/cue' where both have one); "
            "may be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write; .csv (with tables of scores, neurons and confusion beside "
            "it) or .npz. Several variables get their names put before the ending.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.safetensors",
            help="Keep the decoder, fitted to the whole recording, to apply it to others.",
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.safetensors", help="Apply a kept decoder; nothing is fitted."
        ),
    ] = None,
    head: Annotated[
        str,
        typer.Option(
            help="blend (traces and hidden states, weighed by worth), linear (hidden states "
            "alone), bilinear (the release's), pooled or attention (both read any neurons); "
            "auto: blend for one recording, pooled for several."
        ),
    ] = "auto",
    kind: Annotated[str, typer.Option(help="auto, continuous, circular or classes.")] = "auto",
    unit: Annotated[str, typer.Option(help="Of angles: auto, rad or deg.")] = "auto",
    look_ahead: Annotated[
        float, typer.Option(metavar="S", help="Seconds after a frame that may be looked at.")
    ] = 0.0,
    smooth: Annotated[
        float,
        typer.Option(metavar="S", help="Decode the mean over so many seconds up to a frame."),
    ] = 0.0,
    trial_start: Annotated[
        float, typer.Option(metavar="S", help="Where in a trial to start looking.")
    ] = 0.0,
    trial_stop: Annotated[
        float | None, typer.Option(metavar="S", help="Where to stop; its end if not given.")
    ] = None,
    blocks: Annotated[
        str, typer.Option(help="What is held out: auto, trials, or time (stretches).")
    ] = "auto",
    folds: Annotated[int, typer.Option(help="Parts that are held out in turn.")] = 5,
    gap: Annotated[
        float, typer.Option(metavar="S", help="Seconds between fitted and held-out stretches.")
    ] = 5.0,
    shifts: Annotated[
        int, typer.Option(help="Shifted or shuffled copies of the behaviour for the null.")
    ] = 20,
    seed: Annotated[int, typer.Option(help="Seed of shifts and networks.")] = 0,
    model: Model = DEFAULT_MODEL,
    adaptation: AdaptationFile = None,
    device: Device = "auto",
    *,
    reading: Reading,
) -> None:
    """Read behaviour, stimulus or state from the population, beside what costs nothing."""
    from ..decoding.settings import Settings

    names = variable or []
    _check(recordings, names, out, save, apply)
    settings = Settings(
        cast(
            "Head", ("pooled" if len(recordings) > 1 else "blend") if head == "auto" else head
        ),
        look_ahead,
        smooth,
        (trial_start, trial_stop),
        cast("Blocks", blocks),
        folds,
        gap,
        shifts,
        seed,
    )
    read = [reading.read(path) for path in recordings]
    used = [without(recording, reading.leave_out) for recording in read]
    parts = [
        recording if rows is None else recording.select(rows)
        for recording, rows in zip(read, used, strict=True)
    ]
    part = parts[0] if used[0] is not None else None
    loaded = load_adapted(model, adaptation, device, part)
    if apply is not None:
        for path, recording in zip(recordings, parts, strict=True):
            where = None if out is None else _named(out, path.stem, len(recordings))
            _apply(loaded, recording, apply, where)
        return
    if len(read) > 1:
        _fit_to_several(loaded, parts, names[0], kind, settings, save)
        return
    _decode(loaded, read[0], used[0], names, kind, unit, settings, out, save)


def _check(
    recordings: list[Path],
    names: list[str],
    out: Path | None,
    save: Path | None,
    apply: Path | None,
) -> None:
    """Say what is missing or contradicts itself before the work."""
    if out is not None:
        check_output(
            out, *((".csv",) if apply is not None else (".csv", ".npz")), reads=recordings
        )
    if save is not None:
        check_output(save, ".safetensors", reads=[*recordings, apply])
    if apply is not None:
        if names or save is not None:
            raise CalmError(
                "--apply: a kept decoder has its variable and is kept already; leave out "
                "--variable and --save."
            )
        return
    if not names:
        raise CalmError(
            "--variable: which behaviour or trial column is to be decoded? 'napari-calm info "
            "RECORDING' lists them. Or --apply a kept decoder."
        )
    if len(recordings) > 1 and (save is None or len(names) > 1 or out is not None):
        raise CalmError(
            f"found {len(recordings)} recordings; they give one decoder for other animals: "
            "one --variable and --save FILE, no --out."
        )


def _decode(
    model: "CalmModel",
    whole: "Recording",
    used: "np.ndarray | None",
    names: list[str],
    kind: str,
    unit: str,
    settings: "Settings",
    out: Path | None,
    save: Path | None,
) -> None:
    from ..decoding.decode import decode_steps
    from ..decoding.decoder_file import save_decoder
    from ..decoding.decoding_file import write_decoding
    from ..decoding.prepare import prepare
    from ..decoding.states import represent_frames_steps
    from ..decoding.target import read_target

    recording = whole if used is None else whole.select(used)
    for name in names:
        target = read_target(
            recording, name, kind=cast("Kind", kind), unit=cast("AngleUnit", unit)
        )
        prepare(recording, target, settings, None)
    states = run_with_bar(represent_frames_steps(model, recording))
    for name in names:
        found = run_with_bar(
            decode_steps(
                model,
                recording,
                name,
                kind=cast("Kind", kind),
                unit=cast("AngleUnit", unit),
                settings=settings,
                states=states,
            )
        )
        print_table(found.summary(), f"{name}; looks at {found.looks_at}")
        if found.target.kind == "classes":
            shares = found.confusion().rename_axis("true class").reset_index()
            print_table(shares, "Share of each true class that was read as")
        results.print(found.verdict())
        if out is not None:
            told = found if used is None else found.among(whole, used)
            for path in write_decoding(told, _named(out, name, len(names)), whole.accepted):
                results.print(f"wrote {path}")
        if save is not None:
            path = save_decoder(found.decoder, _named(save, name, len(names)))
            results.print(f"wrote {path}: decoder of {name} from {recording.name}")


def _fit_to_several(
    model: "CalmModel",
    recordings: "list[Recording]",
    name: str,
    kind: str,
    settings: "Settings",
    save: Path | None,
) -> None:
    from ..decoding.decoder_file import save_decoder
    from ..decoding.fit_decoder import fit_decoder_steps

    assert save is not None
    decoder = run_with_bar(
        fit_decoder_steps(model, recordings, name, kind=cast("Kind", kind), settings=settings)
    )
    save_decoder(decoder, save)
    results.print(f"wrote {save}: decoder of {name} from {len(recordings)} recordings")


def _apply(model: "CalmModel", recording: "Recording", path: Path, out: Path | None) -> None:
    from ..decoding.decoder_file import load_decoder
    from ..decoding.decoding_file import write_decoded
    from ..decoding.target import read_target

    decoder = load_decoder(path)
    decoded = run_with_bar(decoder.apply_steps(model, recording))
    truth = None
    try:
        found = read_target(recording, decoder.name, kind=decoder.kind)
        verdict = decoder.judge(decoded, found).verdict()
        truth = found
        results.print(verdict)
    except CalmError as error:
        messages.print(f"Not scored: {error}")
    if out is not None:
        write_decoded(decoded, out, truth)
        results.print(f"wrote {out}: {decoder.name} of {len(decoded.number)} {decoder.per}s")


def _named(path: Path, name: str, n_names: int) -> Path:
    """The path itself, or with a name put before its ending where there are several."""
    if n_names == 1:
        return path
    plain = re.sub(r"[^\w.-]+", "_", name)
    return path.with_name(f"{path.stem}.{plain}{path.suffix}")
