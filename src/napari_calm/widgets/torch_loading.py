"""Importing and running torch in a worker thread without stalling the window."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path


def import_torch_gently() -> None:
    """Import torch in this thread while others keep running.

    Python holds its global lock while it maps an extension's libraries, for torch
    some 200 ms in which the window stands still. Mapping them first through a
    foreign call, which releases the lock, leaves under 50 ms.
    """
    if "torch" in sys.modules:
        return
    spec = importlib.util.find_spec("torch")
    if os.name == "posix" and spec is not None and spec.origin is not None:
        library_folder = Path(spec.origin).parent / "lib"
        for library in library_folder.glob("libtorch_python.*"):
            dlopen = ctypes.CDLL(None).dlopen
            dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
            # A failure here is harmless: the import below then does all the work.
            dlopen(os.fsencode(library), os.RTLD_NOW | os.RTLD_LOCAL)
    import torch  # noqa: F401


def leave_a_core_free(threads: int = 0) -> None:
    """Let torch use one core fewer than the machine has, in the calling thread.

    The one left draws the window. OpenMP keeps the count per thread, which is why
    the worker must set it and not the main thread.

    Parameters
    ----------
    threads : int
        Threads to use instead, if not 0.
    """
    import torch

    torch.set_num_threads(threads or max(1, (os.cpu_count() or 1) - 1))
