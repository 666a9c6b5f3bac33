"""The columns that say what the animal does, found once for each recording."""

from weakref import WeakKeyDictionary

from ..core.recording import Recording
from ..explore.columns import Column, find_column, telling_columns

_found: WeakKeyDictionary[Recording, dict[str, Column]] = WeakKeyDictionary()


def columns_of(recording: Recording | None) -> dict[str, Column]:
    """Return the telling columns of a recording by name, kinds of trials first.

    Long columns take a moment to look through; the worker that makes a recording may ask
    first, so that the window need not.
    """
    if recording is None:
        return {}
    if recording not in _found:
        every = {name: find_column(recording, name) for name in telling_columns(recording)}
        names = sorted(every, key=lambda name: not names_kinds(every[name]))
        _found[recording] = {name: every[name] for name in names}
    return _found[recording]


def names_kinds(column: Column) -> bool:
    """Tell whether a column gives each trial one of a few kinds."""
    return column.per_trial and bool(column.classes)
