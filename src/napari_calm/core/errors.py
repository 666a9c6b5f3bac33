"""Errors that a user can act on.

Every message names the file or layer, what was found, what was expected and
what to do about it.
"""

import errno
from collections.abc import Sequence

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class CalmError(ValueError):
    """Base of all errors that napari-calm raises about its input."""


class RecordingError(CalmError):
    """A movie, ROI set, trace file or recording that cannot be used as it is."""


class ChoiceNeeded(RecordingError):
    """A file that holds several of what was asked for, of which one has to be named.

    Parameters
    ----------
    message : str
        What was found, and how to choose.
    option : str
        The argument that names one: ``channel``, ``plane`` or ``dataset``.
    offered : sequence of int or str
        Its possible values.
    """

    def __init__(self, message: str, option: str, offered: Sequence[int | str]) -> None:
        super().__init__(message)
        self.option, self.offered = option, tuple(offered)


class CheckpointError(CalmError):
    """A model folder or release file that cannot be used as it is."""


class StoppedEarly(CalmError):
    """Work that was stopped before there was anything worth keeping; it did not fail."""


class OutOfMemory(CalmError):
    """Work that a device has too little memory for."""


class ConfigError(CalmError):
    """A training or model configuration that contradicts itself."""


class NotWritten(CalmError, OSError):
    """A file that could not be written; what was there before is as it was."""


def why_and_what_to_do(error: OSError) -> str:
    """Say in words why a file could not be read or written, and what a user can do."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.errno in _FULL:
        return f"the disk is full ({reason}). Make room, or choose another folder"
    if error.errno in _FORBIDDEN:
        return (
            f"this is not allowed ({reason}). Choose another folder, or close the program that "
            "has the file open"
        )
    if error.errno == errno.ENOENT:
        return f"it is not there any more ({reason}). Put it back, or choose it anew"
    return f"{reason}. Try again, or choose another folder"


def is_device_lost(error: BaseException) -> bool:
    """Tell whether an error says that the GPU does not work any more."""
    words = ("CUDA error", "device-side", "HIP error")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that an accelerator's memory did not suffice."""
    if isinstance(error, OutOfMemory):
        return True
    # By its name: who asks may not have loaded torch, and then it is not torch's error.
    words = ("out of memory", "STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or any(word in str(error) for word in words)
    )
