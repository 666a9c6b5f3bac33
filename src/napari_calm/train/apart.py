"""Work in a process of its own: the caller stays quick, and all memory is given back.

A module that can be run so has ``python -m MODULE FOLDER``, which calls `answer`. FOLDER
holds what it needs and gets what it makes; progress goes to the standard output, one JSON
object a line, and what the caller wants comes on the standard input, which ends with the
caller. The process is started afresh, not forked: a fork would inherit the window and the GPU.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ..core.errors import (
    CalmError,
    OutOfMemory,
    StoppedEarly,
    is_device_lost,
    is_out_of_memory,
    why_and_what_to_do,
)
from ..core.progress import Progress, Steps, Stop, never
from ..model.stepping_down import Tell, warn

_PROBLEMS, _KEEP = "problems.txt", "k"
_LOOK_EVERY_S = 0.05
# Beside the time that its last step takes.
LEAVES_WITHIN_S = 2.0
_MOST_TOLD = 1500
# Errors that callers tell apart.
_KINDS: dict[str, type[CalmError]] = {
    kind.__name__: kind for kind in (OutOfMemory, StoppedEarly)
}

Sign = dict[str, Any]


def apart_steps(
    module: str,
    folder: Path,
    *,
    what: str,
    remedy: str,
    on_sign: Callable[[Sign], None],
    stop: Stop = never,
    tell: Tell = warn,
    leaves_within_s: float = LEAVES_WITHIN_S,
) -> Steps[None]:
    """Run a module in a process of its own; closing the generator ends the process.

    Parameters
    ----------
    module : str
        Its full name.
    folder : path
        What it is given.
    what, remedy : str
        What it does and what to do if it dies, to be said then: "adapts the model".
    on_sign : callable
        Gets what the process tells beside its progress.
    stop : callable
        Once it says so, the process is asked to end and keep the best there is.
    tell : callable
        Gets what was done there about too little memory; see `model.stepping_down`.
    leaves_within_s : float
        How long a process that has begun its work may take to leave in order.

    Raises
    ------
    StoppedEarly
        If it was stopped before there was anything to keep.
    OutOfMemory
        If the device had too little memory.
    CalmError
        What was raised there, or that the process died.
    """
    said: queue.Queue[str | None] = queue.Queue()
    latest = Progress(0, 1, "starting a process of its own")
    with (folder / _PROBLEMS).open("w+") as problems:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=problems,
            text=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        reader = threading.Thread(target=_listen, args=(process.stdout, said), daemon=True)
        reader.start()
        has_begun = is_asked = False
        try:
            while True:
                if not is_asked and stop():
                    is_asked = True
                    _ask(process, _KEEP)
                try:
                    line = said.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    yield latest
                    continue
                if line is None:
                    break
                sign = _sign_in(line)
                if sign is None:
                    continue
                has_begun = True
                if "error" in sign:
                    raise _error_in(sign)
                if "told" in sign:
                    tell(sign["told"], sign["on_cpu"])
                    continue
                on_sign(sign)
                latest = Progress(sign["done"], sign["total"], sign["stage"])
                yield latest
        except GeneratorExit:
            _end(process, leaves_within_s if has_begun else 0.0)
            reader.join(LEAVES_WITHIN_S)
            failed = _last_error(said)
            if failed is not None:
                # What it should have saved on leaving.
                raise failed from None
            raise
        finally:
            _end(process, LEAVES_WITHIN_S)
            reader.join(LEAVES_WITHIN_S)
            if process.stdout is not None:
                process.stdout.close()
        if process.returncode:
            # Read here and not by its name: the folder may be gone.
            problems.seek(0)
            raise CalmError(
                f"The process that {what} ended too early: "
                f"{_cause(process.returncode, problems.read())} {remedy}"
            )


class Caller:
    """Whom the other process works for; it hears of wishes on `orders`, a file number."""

    def __init__(self, orders: int) -> None:
        self._keep, self._gone = threading.Event(), threading.Event()
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()

    def wants_end(self) -> bool:
        """Tell whether the caller wants an end and the best there is."""
        return self._keep.is_set()

    def tell(self, progress: Progress, **more: Any) -> None:
        """Tell how far the work is.

        Raises
        ------
        SystemExit
            If the caller has cancelled or is gone: the work is to be closed.
        """
        if self._gone.is_set():
            raise SystemExit(1)
        sign = {"done": progress.done, "total": progress.total, "stage": progress.stage} | more
        print(json.dumps(sign), flush=True)

    def tell_shortage(self, told: str, on_cpu: bool) -> None:
        """Tell what was done about too little memory, and whether the CPU took over."""
        print(json.dumps({"told": told, "on_cpu": on_cpu}), flush=True)

    def _listen(self, orders: int) -> None:
        # Not by Python's own file, whose lock a thread must not hold when the process ends.
        with suppress(OSError):
            while os.read(orders, 1):
                self._keep.set()
        self._gone.set()


def answer(main: Callable[[Path, Caller], None]) -> None:
    """Be the other process: run `main` on the folder and tell what is wrong."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        main(Path(sys.argv[1]), Caller(sys.__stdin__.fileno() if sys.__stdin__ else -1))
    except BrokenPipeError:
        # Nobody listens any more.
        raise
    except (CalmError, OSError, RuntimeError, MemoryError) as error:
        said = _told(error)
        if not said:
            raise
        kind = OutOfMemory if is_out_of_memory(error) else type(error)
        print(json.dumps({"error": said, "kind": kind.__name__}), flush=True)


def _told(error: Exception) -> str:
    """Return what a user can do about an error; nothing where only its traceback helps."""
    if isinstance(error, CalmError):
        return str(error)
    if isinstance(error, OSError):
        return (
            f"{error.filename or 'A file'}: not read or written: {why_and_what_to_do(error)}."
        )
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return (
            "The memory of this machine is full. Close other programs, or, for pretraining, "
            "choose a configuration with a smaller batch_populations or population."
        )
    if is_out_of_memory(error):
        return (
            "The memory of the device is full. Choose cpu under Device, or, for pretraining, a "
            "configuration with a smaller batch_populations or population."
        )
    if is_device_lost(error):
        return (
            f"The GPU does not answer any more ({str(error).splitlines()[0]}). Choose cpu "
            "under Device, or press the button again: a new process finds the GPU again. A "
            "training goes on from where it was saved."
        )
    return ""


def _cause(code: int, problems: str) -> str:
    told = problems.strip()[-_MOST_TOLD:]
    if told:
        return f"{told}\n"
    if code < 0:
        return f"something ended it (signal {-code}); the system does so where memory runs out."
    return f"it said nothing (code {code}); was it out of memory?"


def _leave(_signal: int, _frame: object) -> None:
    """End in order, so that no half-written file is left."""
    raise SystemExit(1)


def _ask(process: "subprocess.Popen[str]", order: str) -> None:
    assert process.stdin is not None
    # It may have ended already, which its output says.
    with suppress(OSError):
        process.stdin.write(order)
        process.stdin.flush()


def _end(process: "subprocess.Popen[str]", leaves_within_s: float) -> None:
    """Let the process leave in order, then make it."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    for within_s, make in (
        (leaves_within_s, process.terminate),
        (LEAVES_WITHIN_S, process.kill),
    ):
        try:
            process.wait(within_s)
            return
        except subprocess.TimeoutExpired:
            make()
    process.wait()


def _sign_in(line: str) -> Sign | None:
    """Read what the process tells; a library may print between."""
    try:
        sign = json.loads(line)
    except ValueError:
        return None
    is_sign = isinstance(sign, dict) and not sign.keys().isdisjoint(("error", "told", "stage"))
    return sign if is_sign else None


def _error_in(sign: Sign) -> CalmError:
    return _KINDS.get(sign["kind"], CalmError)(sign["error"])


def _last_error(said: "queue.Queue[str | None]") -> CalmError | None:
    """Look through what the process told before it ended."""
    while not said.empty():
        sign = _sign_in(said.get() or "")
        if sign is not None and "error" in sign:
            return _error_in(sign)
    return None


def _listen(stream: IO[str], said: "queue.Queue[str | None]") -> None:
    for line in stream:
        said.put(line)
    said.put(None)
