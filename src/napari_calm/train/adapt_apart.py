"""Adapting in a process of its own: the caller stays quick, and all memory is given back.

    python -m napari_calm.train.adapt_apart FOLDER

is what the other process runs. FOLDER holds ``recording.npz``, ``model/`` and ``request.json``;
it gets ``adaptation.safetensors``. Progress goes to the standard output, one JSON object a
line. The process is started afresh, not forked: a fork would inherit the window and the GPU.
"""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO

from ..core.errors import CalmError
from ..core.progress import Progress, Steps
from ..core.recording import Recording
from ..io.traces import read_traces_npz, write_recording
from ..model.adaptation import Adaptation, load_adaptation
from ..model.calm import CalmModel
from ..model.checkpoint import load_model, save_model
from .adapt import adapt_steps
from .optimise import Curve

_RECORDING, _MODEL, _REQUEST = "recording.npz", "model", "request.json"
_RESULT, _PROBLEMS = "adaptation.safetensors", "problems.txt"
_LOOK_EVERY_S = 0.05
_STOPS_WITHIN_S = 2.0


def adapt_apart_steps(
    model: CalmModel,
    recording: Recording,
    *,
    until_frame: int | None = None,
    seed: int = 0,
    curve: Curve | None = None,
) -> Steps[Adaptation]:
    """Adapt like `adapt_steps`, in another process; closing the generator ends it.

    Raises
    ------
    CalmError
        What adapting raised there, or that the process died.
    """
    curve = [] if curve is None else curve
    with tempfile.TemporaryDirectory(prefix="napari-calm-") as name:
        folder = Path(name)
        yield Progress(0, 1, "starting a process for the fit")
        write_recording(recording, folder / _RECORDING)
        save_model(model, folder / _MODEL)
        request = {"device": str(model.device), "until_frame": until_frame, "seed": seed}
        (folder / _REQUEST).write_text(json.dumps(request))
        yield from _follow_steps(folder, curve)
        return replace(
            load_adaptation(folder / _RESULT),
            model_name=model.name,
            recording_name=recording.name,
        )


def _follow_steps(folder: Path, curve: Curve) -> Steps[None]:
    """Start the process and tell what it tells, until it ends."""
    said: queue.Queue[str | None] = queue.Queue()
    with (folder / _PROBLEMS).open("w") as problems:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=problems,
            text=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        reader = threading.Thread(target=_listen, args=(process.stdout, said), daemon=True)
        reader.start()
        try:
            latest = Progress(0, 1, "starting a process for the fit")
            while True:
                try:
                    line = said.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    yield latest
                    continue
                if line is None:
                    break
                sign = json.loads(line)
                if "error" in sign:
                    raise CalmError(sign["error"])
                curve += sign["curve"]
                latest = Progress(sign["done"], sign["total"], sign["stage"])
                yield latest
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(_STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            reader.join(_STOPS_WITHIN_S)
            if process.stdout is not None:
                process.stdout.close()
    if process.returncode or not (folder / _RESULT).is_file():
        told = (folder / _PROBLEMS).read_text()[-1500:]
        raise CalmError(
            f"The process that adapts the model ended too early (code {process.returncode}): "
            f"{told.strip() or 'it said nothing; was it out of memory?'}"
        )


def _listen(stream: IO[str], said: "queue.Queue[str | None]") -> None:
    for line in stream:
        said.put(line)
    said.put(None)


def main(folder: Path) -> None:
    """Adapt what is in `folder`, telling every step on the standard output."""
    request = json.loads((folder / _REQUEST).read_text())
    recording = read_traces_npz(folder / _RECORDING)
    model = load_model(folder / _MODEL, request.pop("device"))
    curve: Curve = []
    told = 0
    steps = adapt_steps(model, recording, curve=curve, **request)
    try:
        while True:
            progress = next(steps)
            _tell(
                done=progress.done,
                total=progress.total,
                stage=progress.stage,
                curve=curve[told:],
            )
            told = len(curve)
    except StopIteration as stop:
        adaptation: Adaptation = stop.value
        _tell(done=1, total=1, stage="the fit is made", curve=curve[told:])
    adaptation.save(folder / _RESULT)


def _tell(**sign: object) -> None:
    print(json.dumps(sign), flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except CalmError as error:
        _tell(error=str(error))
