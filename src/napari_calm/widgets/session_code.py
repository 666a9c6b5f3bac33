"""The present results as Python and as commands that give them again."""

import shlex

from ..core.errors import CalmError
from .made_with import ModelUsed, Request
from .origin import Origin
from .session import Session

NOTHING = "There is nothing to copy yet: open or extract a recording first."
NO_FILE = (
    "This recording exists in this window only, for its movie or ROIs do not come from a file "
    "that CalM reads by itself. Press 'Save recording...' first: the copy then starts from "
    "that file."
)
NO_TABLES = (
    "Commands cannot add a table of behaviour. Press 'Save recording...' first, which keeps "
    "it with the traces, or copy as Python."
)
NO_NEURONS = (
    "Commands cannot leave out the neurons that you rejected. Copy as Python, or cluster all."
)


NO_EXTRACTION = (
    "Commands extract a session folder with the usual settings only. Press 'Save "
    "recording...' first, or copy as Python."
)
# Commands write what was extracted with settings of its own, and go on from there.
_TRACES = "traces.npz"
_EXTRACTION_FLAGS = {
    "window_s": "--baseline-window",
    "percentile": "--baseline-percentile",
    "neuropil_coefficient": "--neuropil",
}


def as_python(session: Session) -> str:
    """Return a script that makes `recording` and every present result again.

    Raises
    ------
    CalmError
        If there is no recording, or it came from no file.
    """
    origin = _origin(session)
    lines = ["import napari_calm", "", *origin.python()]
    loaded: ModelUsed | None = None
    for name, request in _present(session):
        if request.model is not None and request.model != loaded:
            lines += ["", *_model_lines(request.model)]
            loaded = request.model
        options = _keywords(request.options)
        if name == "tokens":
            lines.append("tokens = model.tokenize(recording)")
        elif name == "forecast":
            lines.append(f"forecast = model.forecast(recording, {options})")
        elif name == "clusters":
            lines.append(f"clusters = napari_calm.cluster(model, recording, {options})")
        else:
            lines.append("selectivity = {")
            lines += [
                f"    {column!r}: napari_calm.selectivity(recording, {column!r}, "
                f"{_keywords(one)}),"
                for column, one in request.options.items()
            ]
            lines.append("}")
    return "\n".join(lines) + "\n"


def as_command(session: Session) -> str:
    """Return command lines that write every present result to a file in the folder they run in.

    Raises
    ------
    CalmError
        If there is no recording, or one that no command reads.
    """
    origin = _origin(session)
    if origin.tables:
        raise CalmError(NO_TABLES)
    lines, recording = [], origin.command()
    if origin.extraction:
        if origin.rois is None:
            raise CalmError(NO_EXTRACTION)
        lines.append(f"napari-calm extract {recording} {_extraction_flags(origin)}")
        recording = _TRACES
    for name, request in _present(session):
        if name == "selectivity":
            lines += _selectivity_lines(recording, request)
            continue
        flags = {
            "tokens": ("tokenize", {}),
            "forecast": ("forecast", request.options),
            "clusters": ("cluster", _of_cluster_command(request.options)),
        }
        command, options = flags[name]
        if "neurons" in options:
            raise CalmError(NO_NEURONS)
        parts = ["napari-calm", command, recording, *_flags(options)]
        parts += _model_flags(request.model)
        lines.append(" ".join([*parts, "--out", f"{name}.npz"]))
    if not lines:
        lines.append(f"napari-calm info {shlex.quote(origin.path)}")
    return "\n".join(lines) + "\n"


def _origin(session: Session):
    if session.recording is None:
        raise CalmError(NOTHING)
    if session.origin is None:
        raise CalmError(NO_FILE)
    return session.origin


def _present(session: Session) -> list[tuple[str, Request]]:
    results = {
        "tokens": session.tokens,
        "forecast": session.forecast,
        "clusters": session.clusters,
        "selectivity": session.selectivity,
    }
    return [
        (name, session.requests[name])
        for name, result in results.items()
        if result and name in session.requests
    ]


def _model_lines(model: ModelUsed) -> list[str]:
    lines = [f"model = napari_calm.load_model({model.name!r}, {model.device!r})"]
    if model.adaptation_file:
        lines.append(
            f"model = napari_calm.load_adaptation({model.adaptation_file!r}).apply(model)"
        )
    elif model.adapted_until_frame is not None:
        lines.append(
            "adaptation = napari_calm.adapt(model, recording, "
            f"until_frame={model.adapted_until_frame})"
        )
        lines.append("model = adaptation.apply(model)")
    return lines


def _model_flags(model: ModelUsed) -> list[str]:
    if model.adapted_until_frame is not None and not model.adaptation_file:
        raise CalmError(
            "A command takes an adaptation from a file: press 'Save adaptation...' first."
        )
    flags = ["--model", shlex.quote(model.name), "--device", model.device]
    if model.adaptation_file:
        flags += ["--adaptation", shlex.quote(model.adaptation_file)]
    return flags


def _extraction_flags(origin: Origin) -> str:
    flags = ["--exclude-overlaps"] * bool(origin.extraction.get("exclude_overlaps"))
    for name, flag in _EXTRACTION_FLAGS.items():
        if name in origin.extraction:
            flags += [flag, str(origin.extraction[name])]
    return " ".join([*flags, "--out", _TRACES])


def _keywords(options: dict) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _flags(options: dict) -> list[str]:
    return [
        part
        for name, value in options.items()
        for part in (f"--{name.replace('_', '-')}", shlex.quote(str(value)))
    ]


def _of_cluster_command(options: dict) -> dict:
    return {
        {"n_clusters": "clusters"}.get(name, name): value for name, value in options.items()
    }


def _selectivity_lines(recording: str, request: Request) -> list[str]:
    """Return one command for the columns that were tested alike."""
    alike: dict[tuple, list[str]] = {}
    for column, options in request.options.items():
        window = tuple(options.get("window_s", ()))
        alike.setdefault((options["bins"], options["draws"], window), []).append(column)
    lines = []
    for number, ((bins, draws, window), columns) in enumerate(alike.items()):
        parts = ["napari-calm selectivity", recording, "--bins", str(bins)]
        parts += ["--draws", str(draws)]
        parts += ["--window-s", *map(str, window)] if window else []
        for column in columns:
            parts += ["--column", shlex.quote(column)]
        suffix = f"_{number + 1}" if len(alike) > 1 else ""
        lines.append(" ".join([*parts, "--out", f"selectivity{suffix}.csv"]))
    return lines
