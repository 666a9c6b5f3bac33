"""Work in a process of its own: the caller stays quick, and all memory is given back.

A module that can be run so has ``python -m MODULE FOLDER``, which calls `answer`. FOLDER
holds what it needs and gets what it makes; progress goes to the standard output, one JSON
object a line. The process is started afresh, not forked: a fork would inherit the window and
the GPU. It ends with its caller, for then nobody takes what it says.
"""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ..core.errors import CalmError, StoppedEarly
from ..core.progress import Progress, Steps, Stop, never

_PROBLEMS, _STOP = "problems.txt", "stop"
_LOOK_EVERY_S = 0.05
_STOPS_WITHIN_S = 2.0

Sign = dict[str, Any]


def apart_steps(
    module: str,
    folder: Path,
    *,
    what: str,
    on_sign: Callable[[Sign], None],
    stop: Stop = never,
) -> Steps[None]:
    """Run a module in a process of its own; closing the generator ends the process.

    Parameters
    ----------
    module : str
        Its full name.
    folder : path
        What it is given.
    what : str
        What it does, to be said if it dies: "adapts the model".
    on_sign : callable
        Gets what the process tells beside its progress.
    stop : callable
        Once it says so, the process is asked to end and keep the best there is.

    Raises
    ------
    StoppedEarly
        If it was stopped before there was anything to keep.
    CalmError
        What was raised there, or that the process died.
    """
    said: queue.Queue[str | None] = queue.Queue()
    latest = Progress(0, 1, "starting a process of its own")
    with (folder / _PROBLEMS).open("w") as problems:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=problems,
            text=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        reader = threading.Thread(target=_listen, args=(process.stdout, said), daemon=True)
        reader.start()
        try:
            while True:
                if stop():
                    (folder / _STOP).touch()
                try:
                    line = said.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    yield latest
                    continue
                if line is None:
                    break
                sign = json.loads(line)
                if "error" in sign:
                    raise (StoppedEarly if sign["stopped"] else CalmError)(sign["error"])
                on_sign(sign)
                latest = Progress(sign["done"], sign["total"], sign["stage"])
                yield latest
        finally:
            _end(process)
            reader.join(_STOPS_WITHIN_S)
            if process.stdout is not None:
                process.stdout.close()
    if process.returncode:
        told = (folder / _PROBLEMS).read_text()[-1500:]
        raise CalmError(
            f"The process that {what} ended too early (code {process.returncode}): "
            f"{told.strip() or 'it said nothing; was it out of memory?'}"
        )


def answer(main: Callable[[Path], None]) -> None:
    """Be the other process: run `main` on the folder and tell what is wrong."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        main(Path(sys.argv[1]))
    except BrokenPipeError:
        # Nobody listens any more.
        raise
    except (CalmError, OSError, RuntimeError, MemoryError) as error:
        said = _told(error)
        if not said:
            raise
        is_stop = isinstance(error, StoppedEarly)
        print(json.dumps({"error": said, "stopped": is_stop}), flush=True)


def _told(error: Exception) -> str:
    """Return what a user can do about an error; nothing where only its traceback helps."""
    if isinstance(error, CalmError):
        return str(error)
    if isinstance(error, OSError):
        return (
            f"{error.filename or 'A file'} could not be read or written ({error.strerror}). "
            "Make room or choose another folder; a training goes on from where it was saved."
        )
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            "The memory of the device is full. Choose cpu under Device, or, for pretraining, a "
            "configuration with a smaller batch_populations or population."
        )
    return ""


def tell(progress: Progress, **more: Any) -> None:
    """Tell the caller how far the work is."""
    sign = {"done": progress.done, "total": progress.total, "stage": progress.stage} | more
    print(json.dumps(sign), flush=True)


def asked_to_stop(folder: Path) -> Stop:
    """Return what says whether the caller wants an end."""
    return (folder / _STOP).exists


def _leave(_signal: int, _frame: object) -> None:
    """End in order, so that no half-written file is left."""
    raise SystemExit(1)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listen(stream: IO[str], said: "queue.Queue[str | None]") -> None:
    for line in stream:
        said.put(line)
    said.put(None)
