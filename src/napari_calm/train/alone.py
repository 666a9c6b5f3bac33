"""One training a folder: who comes second waits until the first has saved its state."""

import time
from pathlib import Path

from filelock import FileLock, Timeout

from ..core.errors import ConfigError
from ..core.progress import Progress, Steps

LOCK_FILE = ".lock"
# As long as a training that was cancelled may take for its last step.
WAITS_S = 60.0
_LOOK_EVERY_S = 0.1


def alone_steps(folder: Path, *, waits_s: float = WAITS_S) -> Steps[FileLock]:
    """Return the lock of a folder once no other process holds it; release it at the end.

    The system frees the lock of a process that dies, however it dies.

    Raises
    ------
    ConfigError
        If another process holds it for longer than `waits_s`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Generators go from thread to thread.
    lock = FileLock(folder / LOCK_FILE, thread_local=False)
    until = time.monotonic() + waits_s
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if time.monotonic() > until:
                raise ConfigError(
                    f"{folder.parent}: another process trains a model into this folder. Stop "
                    "it, or choose another output folder."
                ) from None
            yield Progress(0, 1, "waiting for the training before to save its state")
            time.sleep(_LOOK_EVERY_S)
        except (OSError, NotImplementedError):
            # Some network drives know no locks.
            return lock
        else:
            return lock
