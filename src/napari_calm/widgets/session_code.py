"""The present results as Python and as commands that give them again."""

import shlex

import numpy as np

from ..core.errors import CalmError
from ..io.accepted_column import REJECTED
from .made_with import ModelUsed, Request, decoding_of
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
NO_EXTRACTION = (
    "Commands extract a session folder with the usual settings only. Press 'Save "
    "recording...' first, or copy as Python."
)
# Commands write what was extracted with settings of its own, and go on from there.
_TRACES = "traces.npz"
_DECODE_FLAGS = {
    "head": "head",
    "kind": "kind",
    "look_ahead_s": "look_ahead",
    "smooth_s": "smooth",
    "blocks": "blocks",
    "folds": "folds",
    "gap_s": "gap",
    "shifts": "shifts",
    "seed": "seed",
}
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
    script, decoded = _Script(session, lines), _decoded(session)
    for name, request in _present(session):
        if name == "selectivity":
            lines.append("selectivity = {}")
            for column, options in request.options.items():
                of = script.neurons(options.get("neurons"))
                made = f"napari_calm.selectivity({of}, {column!r}, {_keywords(options)})"
                lines.append(f"selectivity[{column!r}] = {script.of_all(made)}")
            continue
        of = script.neurons(request.options.get("neurons"))
        script.model(request)
        options = _keywords(request.options)
        if name in decoded:
            if "decodings = {}" not in lines:
                lines.append("decodings = {}")
            column = decoded[name]
            made = f"napari_calm.decode(model, {of}, {column!r}, {options})"
            lines.append(f"decodings[{column!r}] = {script.of_all(made)}")
            continue
        made = {
            "tokens": f"model.tokenize({of})",
            "forecast": f"model.forecast({of}, {options})",
            "clusters": f"napari_calm.cluster(model, {of}, {options})",
            "trajectories": f"napari_calm.trajectories(model, {of}, {options})",
        }[name]
        # The population's path has no numbers of neurons.
        lines.append(f"{name} = {made if name == 'trajectories' else script.of_all(made)}")
    return "\n".join(lines) + "\n"


class _Script:
    """Lines of Python, which know what neurons and what model the last ones were about."""

    def __init__(self, session: Session, lines: list[str]) -> None:
        self._session, self._lines = session, lines
        self._neurons: tuple[int, ...] | None = None
        self._model: tuple | None = None

    def neurons(self, neurons: tuple[int, ...] | None) -> str:
        """Return the name of the recording, or of a part of it, which is made first."""
        if neurons is None:
            self._neurons = None
            return "recording"
        if neurons != self._neurons:
            said = _flags_in_python(self._session, neurons)
            self._lines += ["", f"used = {said}", "cells = recording.select(used)"]
            self._neurons = neurons
        return "cells"

    def of_all(self, made: str) -> str:
        """Return what gives the neurons of a result their numbers in the whole recording."""
        return made if self._neurons is None else f"{made}.among(recording, used)"

    def model(self, request: Request) -> None:
        """Load the model of a result, where the last ones had another."""
        if request.model is None:
            return
        used = self._neurons if request.model.adapted_until_frame is not None else None
        if (request.model, used) != self._model:
            self._lines += ["", *_model_lines(self._session, request.model, used)]
            self._model = (request.model, used)


def _left_out(session: Session, neurons: tuple[int, ...]) -> list[int] | None:
    """Return those that are not among `neurons`; None where the file rejects just these."""
    flags = np.ones(session.recording.n_neurons, bool)
    flags[list(neurons)] = False
    accepted = session.accepted_in_file
    if accepted is not None and np.array_equal(flags, ~accepted):
        return None
    return np.flatnonzero(flags).tolist()


def _flags_in_python(session: Session, neurons: tuple[int, ...]) -> str:
    left_out = _left_out(session, neurons)
    return "recording.accepted" if left_out is None else f"recording.all_but({left_out})"


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
    decoded = _decoded(session)
    for name, request in _present(session):
        if name in decoded:
            number = f"_{1 + list(decoded).index(name)}" if len(decoded) > 1 else ""
            line = _decode_line(session, recording, request, decoded[name])
            lines.append(f"{line} --out decoding{number}.npz")
            continue
        if name == "trajectories":
            # No command follows the population over time.
            continue
        if name == "selectivity":
            lines += _selectivity_lines(session, recording, request)
            continue
        flags = {
            "tokens": ("tokenize", {}),
            "forecast": ("forecast", request.options),
            "clusters": ("cluster", _of_cluster_command(request.options)),
        }
        command, options = flags[name]
        parts = ["napari-calm", command, recording, *_flags(options)]
        parts += _leave_out_flags(session, request.options.get("neurons"))
        # Tokens are the tokenizer's, which adapting leaves as it is.
        parts += _model_flags(request.model, is_adapted=name != "tokens")
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
        "trajectories": session.trajectories,
        **{name: session.decodings[column] for name, column in _decoded(session).items()},
    }
    return [
        (name, session.requests[name])
        for name, result in results.items()
        if result and name in session.requests
    ]


def _decoded(session: Session) -> dict[str, str]:
    """Return the columns that were decoded by the names of their requests."""
    return {decoding_of(column): column for column in session.decodings}


def _decode_line(session: Session, recording: str, request: Request, column: str) -> str:
    options = {
        flag: request.options[name]
        for name, flag in _DECODE_FLAGS.items()
        if name in request.options
    }
    first, last = request.options["trial_window_s"]
    options |= {"trial_start": first} | ({} if last is None else {"trial_stop": last})
    parts = ["napari-calm decode", recording, "--variable", shlex.quote(column)]
    parts += _flags(options)
    parts += _leave_out_flags(session, request.options.get("neurons"))
    return " ".join([*parts, *_model_flags(request.model, is_adapted=True)])


def _model_lines(session: Session, model: ModelUsed, used: tuple[int, ...] | None) -> list[str]:
    """Return what loads a model, adapted for the neurons `used`, or for all."""
    lines = [f"model = napari_calm.load_model({model.name!r}, {model.device!r})"]
    if model.adapted_until_frame is None:
        return lines
    fitted = model.adapted_neurons
    if model.adaptation_file:
        lines.append(f"adaptation = napari_calm.load_adaptation({model.adaptation_file!r})")
    else:
        of = "recording" if fitted is None else "cells"
        if fitted is not None and fitted != used:
            of = f"recording.select({_flags_in_python(session, fitted)})"
        lines.append(
            f"adaptation = napari_calm.adapt(model, {of}, "
            f"until_frame={model.adapted_until_frame})"
        )
    if fitted != used:
        lines.append("adaptation = adaptation.select(cells.roi_labels)")
    lines.append("model = adaptation.apply(model)")
    return lines


def _leave_out_flags(session: Session, neurons: tuple[int, ...] | None) -> list[str]:
    if neurons is None:
        return []
    left_out = _left_out(session, neurons)
    return ["--leave-out", REJECTED if left_out is None else _spans(left_out)]


def _spans(numbers: list[int]) -> str:
    """Write rising numbers as the option takes them.

    Examples
    --------
    >>> _spans([3, 7, 8, 9])
    '3,7-9'
    """
    found = np.array(numbers)
    runs = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _model_flags(model: ModelUsed, *, is_adapted: bool) -> list[str]:
    if not is_adapted:
        model = ModelUsed(model.name, model.device)
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
    return ", ".join(
        f"{name}={value!r}" for name, value in options.items() if name != "neurons"
    )


def _flags(options: dict) -> list[str]:
    return [
        part
        for name, value in options.items()
        if name != "neurons"
        for part in (f"--{name.replace('_', '-')}", shlex.quote(str(value)))
    ]


def _of_cluster_command(options: dict) -> dict:
    return {
        {"n_clusters": "clusters"}.get(name, name): value for name, value in options.items()
    }


def _selectivity_lines(session: Session, recording: str, request: Request) -> list[str]:
    """Return one command for the columns that were tested alike."""
    alike: dict[tuple, list[str]] = {}
    for column, options in request.options.items():
        window = tuple(options.get("window_s", ()))
        how = (options["bins"], options["draws"], window, options.get("neurons"))
        alike.setdefault(how, []).append(column)
    lines = []
    for number, ((bins, draws, window, neurons), columns) in enumerate(alike.items()):
        parts = ["napari-calm selectivity", recording, "--bins", str(bins)]
        parts += ["--draws", str(draws)]
        parts += ["--window-s", *map(str, window)] if window else []
        parts += _leave_out_flags(session, neurons)
        for column in columns:
            parts += ["--column", shlex.quote(column)]
        suffix = f"_{number + 1}" if len(alike) > 1 else ""
        lines.append(" ".join([*parts, "--out", f"selectivity{suffix}.csv"]))
    return lines
