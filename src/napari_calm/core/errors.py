"""Errors that a user can act on.

Every message names the file or layer, what was found, what was expected and
what to do about it.
"""

from collections.abc import Sequence


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


class ConfigError(CalmError):
    """A training or model configuration that contradicts itself."""
