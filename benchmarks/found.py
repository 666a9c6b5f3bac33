"""What a benchmark has found so far, kept in files so that an interrupted run continues."""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from napari_calm.core.atomic import replacing
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel


def kept(
    folder: Path,
    title: str,
    scores: Callable[[], dict[str, Any]],
    *,
    recordings: Iterable[Recording],
    models: Iterable[CalmModel],
    settings: tuple[Any, ...],
) -> dict[str, Any]:
    """Take what was found before with the same data, models and settings, or find it now.

    Parameters
    ----------
    folder : Path
        Where the files are.
    title : str
        What is found; names the file.
    scores : callable
        Finds it.
    recordings, models, settings
        What it depends on: traces, behaviour and trials, weights, and anything with a `repr`
        that tells it apart.
    """
    path = folder / f"{title.replace(' ', '_')}.json"
    fingerprint = f"{_print_of(recordings, models)} {' '.join(map(str, settings))}"
    if path.exists():
        known = json.loads(path.read_text())
        if known["fingerprint"] == fingerprint:
            return dict(known["found"])
    began = time.perf_counter()
    found = scores()
    with replacing(path) as partial:
        partial.write_text(json.dumps({"fingerprint": fingerprint, "found": found}))
    print(f"{title}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    return found


def _print_of(recordings: Iterable[Recording], models: Iterable[CalmModel]) -> str:
    print_of = hashlib.sha256()
    for recording in recordings:
        print_of.update(recording.traces.tobytes())
        for columns in (recording.behaviour, recording.trials):
            if columns is not None:
                print_of.update(columns.to_csv().encode())
    for model in models:
        for name, values in sorted(model.state_dict().items()):
            print_of.update(name.encode() + values.cpu().numpy().tobytes())
    return print_of.hexdigest()[:16]
