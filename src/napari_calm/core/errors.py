"""Errors that a user can act on.

Every message names the file or layer, what was found, what was expected and
what to do about it.
"""


class CalmError(ValueError):
    """Base of all errors that napari-calm raises about its input."""


class RecordingError(CalmError):
    """A movie, ROI set, trace file or recording that cannot be used as it is."""


class CheckpointError(CalmError):
    """A model folder or release file that cannot be used as it is."""


class StoppedEarly(CalmError):
    """Work that was stopped before there was anything worth keeping; it did not fail."""


class ConfigError(CalmError):
    """A training or model configuration that contradicts itself."""
