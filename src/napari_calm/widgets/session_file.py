"""A session as one file: a zip archive of a json text and of the results' own files."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import numpy as np

from ..core.atomic import replacing
from ..core.errors import CalmError
from ..core.progress import Progress, Steps
from ..extraction.options import ExtractionOptions
from .kept_session import Facts, KeptSession
from .made_with import ModelUsed, Request
from .origin import Origin
from .torch_loading import import_torch_gently

ENDING = ".calm"
FORMAT, VERSION = "napari-calm session", 1
_TEXT = "session.json"
_MOST_TEXT_BYTES = 64 * 2**20
_RECORDING, _ADAPTATION = "recording.npz", "adaptation.safetensors"
_APPLIED = "applied_decoder.npz"
_RESULTS = ("tokens", "forecast", "embedding", "clusters", "trajectories")
# Fields that the text holds as they are.
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "pixel_size_um": (int, float, type(None)),
    "model": str,
    "device": str,
    "settings": dict,
    "uses_adaptation": bool,
    "adaptation_file": (str, type(None)),
    "time_s": (int, float),
    "colour_by": str,
    "map_name": str,
    "forecast_kind": str,
    "trajectories_by": str,
    "docks": dict,
    "shown_decoding": str,
}
# What files have that were written since these were kept.
_SINCE = {"docks": {}, "shown_decoding": "", "decodings": []}


def write_session_steps(kept: KeptSession, path: str | Path) -> Steps[None]:
    """Write a session; a kill leaves the old file or the new one.

    Yields
    ------
    Progress
        Between the parts.

    Raises
    ------
    OSError
        If there is no room or no right to write.
    """
    parts = _parts_to_write(kept)
    yield Progress(0, len(parts) + 1, "writing settings")
    with (
        TemporaryDirectory() as folder,
        replacing(path) as partial,
        ZipFile(partial, "w") as archive,
    ):
        archive.writestr(_TEXT, json.dumps(_text_of(kept, Path(path)), default=_plain))
        for number, (name, write) in enumerate(parts.items()):
            yield Progress(number + 1, len(parts) + 1, f"writing {name}")
            write(Path(folder) / name)
            archive.write(Path(folder) / name, name)


def read_session_steps(path: str | Path) -> Steps[tuple[KeptSession, str]]:
    """Read a session and the folder that it was saved in; the recording is read later.

    Nothing in the file is executed: text is json, arrays are npz without pickles and
    safetensors.

    Raises
    ------
    CalmError
        If the file is missing, none of ours, of a newer version, or damaged.
    """
    from ..io.archive_check import check_archive

    path = Path(path)
    yield Progress(0, 1, f"reading {path.name}")
    names = check_archive(path)
    with ZipFile(path) as archive, TemporaryDirectory() as folder:
        text = _checked_text(archive, path, names)
        try:
            kept = _kept_from(text)
            columns = [str(column) for column in text["selectivity"]]
            variables = [str(name) for name in text["decodings"]]
            home = str(text["folder"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}") from error
        found: dict[str, Any] = {}
        for name, read in _parts_to_read(len(columns), len(variables)).items():
            if name not in names:
                continue
            yield Progress(len(found), len(names), f"reading {name}")
            part = Path(folder) / name
            try:
                part.write_bytes(archive.read(name))
            except Exception as error:
                raise _damaged(path, f"{name}: {error}") from error
            found[name] = read(part)
    if kept.origin is None and _RECORDING not in found:
        raise _damaged(path, "neither a recording nor where it is")
    recording = found.get(_RECORDING)
    return replace(
        kept,
        recording=None if recording is None else replace(recording, source=str(path)),
        adaptation=found.get(_ADAPTATION),
        applied=found.get(_APPLIED),
        decodings={
            name: found[_decoding_file(number)]
            for number, name in enumerate(variables)
            if _decoding_file(number) in found
        },
        selectivity={
            column: found[_selectivity_file(number)]
            for number, column in enumerate(columns)
            if _selectivity_file(number) in found
        },
        **{name: found.get(f"{name}.npz") for name in _RESULTS},
    ), home


def _selectivity_file(number: int) -> str:
    return f"selectivity_{number}.npz"


def _decoding_file(number: int) -> str:
    return f"decoding_{number}.npz"


def _parts_to_write(kept: KeptSession) -> dict[str, Callable[[Path], object]]:
    from ..explore import files
    from ..io import results
    from ..io.traces import write_recording

    writers = {
        "tokens": results.write_tokens,
        "forecast": results.write_forecast,
        "embedding": files.write_embedding,
        "clusters": files.write_clusters,
        "trajectories": files.write_trajectories,
    }
    present = [(f"{name}.npz", getattr(kept, name), writers[name]) for name in _RESULTS]
    if kept.origin is None:
        present.append((_RECORDING, kept.recording, write_recording))
    present += [
        (_selectivity_file(number), one, files.write_selectivity)
        for number, one in enumerate(kept.selectivity.values())
    ]
    if kept.decodings or kept.applied is not None:
        import_torch_gently()
        from ..decoding.decoding_archive import archive_applied, archive_decoding

        present += [
            (_decoding_file(number), one, archive_decoding)
            for number, one in enumerate(kept.decodings.values())
        ]
        present.append((_APPLIED, kept.applied, archive_applied))
    parts: dict[str, Callable[[Path], object]] = {
        name: lambda part, one=one, write=write: write(one, part)
        for name, one, write in present
        if one is not None
    }
    if kept.adaptation is not None:
        parts[_ADAPTATION] = kept.adaptation.save
    return parts


def _parts_to_read(n_columns: int, n_decodings: int) -> dict[str, Callable[[Path], object]]:
    from ..explore import files
    from ..io import results
    from ..io.traces import read_traces_npz

    return {
        _RECORDING: read_traces_npz,
        "tokens.npz": results.read_tokens,
        "forecast.npz": results.read_forecast,
        "embedding.npz": files.read_embedding,
        "clusters.npz": files.read_clusters,
        "trajectories.npz": files.read_trajectories,
        _ADAPTATION: _read_adaptation,
        **{_selectivity_file(number): files.read_selectivity for number in range(n_columns)},
        **{_decoding_file(number): _read_decoding for number in range(n_decodings)},
        _APPLIED: _read_applied,
    }


def _read_adaptation(path: Path):
    import_torch_gently()
    from ..model.adaptation import load_adaptation

    return load_adaptation(path)


def _read_decoding(path: Path):
    import_torch_gently()
    from ..decoding.decoding_archive import read_decoding

    return read_decoding(path)


def _read_applied(path: Path):
    import_torch_gently()
    from ..decoding.decoding_archive import read_applied

    return read_applied(path)


def _text_of(kept: KeptSession, path: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "folder": str(path.resolve().parent),
        "origin": None if kept.origin is None else asdict(kept.origin),
        "facts": asdict(Facts.of(kept.recording)),
        "requests": {name: asdict(request) for name, request in kept.requests.items()},
        "rejected": kept.rejected,
        "selection": kept.selection,
        "selectivity": list(kept.selectivity),
        "decodings": list(kept.decodings),
        **{name: getattr(kept, name) for name in _PLAIN},
    }


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers into what json knows."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} has no place in a session file.")


def _checked_text(archive: ZipFile, path: Path, names: list[str]) -> dict[str, Any]:
    if _TEXT not in names:
        raise CalmError(
            f"{path}: not a session file; {_TEXT} is missing. Choose a file that 'Save "
            f"session...' has written ({ENDING}); recordings are opened above, under Recording."
        )
    if archive.getinfo(_TEXT).file_size > _MOST_TEXT_BYTES:
        raise _damaged(path, f"{_TEXT} is larger than {_MOST_TEXT_BYTES} bytes")
    try:
        text = json.loads(archive.read(_TEXT))
    except Exception as error:
        raise _damaged(path, f"{_TEXT}: {error}") from error
    if not isinstance(text, dict) or text.get("format") != FORMAT:
        raise CalmError(f"{path}: {_TEXT} is none of CalM's. Choose another file.")
    if not isinstance(text.get("version"), int) or text["version"] > VERSION:
        raise CalmError(
            f"{path}: saved as version {text.get('version')}; this napari-calm reads up to "
            f"{VERSION}. Install a newer napari-calm."
        )
    return _SINCE | text


def _kept_from(text: dict[str, Any]) -> KeptSession:
    for name, kind in _PLAIN.items():
        if not isinstance(text[name], kind):
            raise TypeError(f"{name} is {text[name]!r}")
    origin, facts = text["origin"], text["facts"]
    for name in ("means", "spreads"):
        facts[name] = tuple(float(value) for value in facts[name])
        if len(facts[name]) != facts["n_neurons"]:
            raise ValueError(f"{len(facts[name])} {name} of {facts['n_neurons']} neurons")
    if origin is not None:
        origin = Origin(**{**origin, "tables": tuple(map(str, origin["tables"]))})
        if not isinstance(origin.path, str) or not isinstance(origin.rois, str | None):
            raise TypeError(f"the recording's path is {origin.path!r}")
        ExtractionOptions(**origin.extraction)
    requests = {}
    for name, request in text["requests"].items():
        model = request["model"]
        options = _with_tuples(request["options"])
        requests[name] = Request(None if model is None else ModelUsed(**model), options)
    return KeptSession(
        Facts(**facts),
        origin,
        requests=requests,
        rejected=tuple(int(neuron) for neuron in text["rejected"]),
        selection=tuple(int(neuron) for neuron in text["selection"]),
        **{name: text[name] for name in _PLAIN},
    )


def _with_tuples(value: Any) -> Any:
    """Give options back the tuples that json turned into lists."""
    if isinstance(value, dict):
        return {name: _with_tuples(one) for name, one in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _damaged(path: Path, found: str) -> CalmError:
    return CalmError(
        f"{path}: the session file is damaged ({found}). Take a copy of it from before, or "
        "open the recording and make its results anew."
    )
