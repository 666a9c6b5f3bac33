"""Colours that are changed in napari's Preferences reach an open window at once."""

from .session import Session
from .settings import ColourSettings, kept_colours


class ColourPreferences:
    """Tells a session when the preferences give other colours."""

    def __init__(self, session: Session) -> None:
        self._session = session
        kept = kept_colours()
        self._events = [
            getattr(kept.events, name)
            for name in ColourSettings.__dataclass_fields__
            if kept is not None
        ]
        for event in self._events:
            event.connect(self._on_change)

    def close(self) -> None:
        """Stop following the preferences, which outlive every window."""
        for event in self._events:
            event.disconnect(self._on_change)
        self._events.clear()

    def _on_change(self, _event=None) -> None:
        self._session.palette_changed.emit()
