"""The colours of napari's current theme, for what is drawn outside its style sheet."""

from dataclasses import dataclass

from napari.utils.theme import get_theme


@dataclass(frozen=True)
class ThemeColours:
    """Colours as ``#rrggbb``."""

    background: str
    foreground: str
    text: str
    muted: str
    error: str
    warning: str
    link: str
    is_dark: bool


def theme_colours(name: str) -> ThemeColours:
    """Return the colours of napari's theme `name`."""
    theme = get_theme(name)
    return ThemeColours(
        background=theme.background.as_hex("long"),
        foreground=theme.foreground.as_hex("long"),
        text=theme.text.as_hex("long"),
        muted=theme.secondary.as_hex("long"),
        # napari's own error red is made for badges; as text it must be readable on both.
        error="#ff8a7a" if theme.type == "dark" else "#b3261e",
        warning="#f2c14e" if theme.type == "dark" else "#8a5a00",
        link="#7cc4ff" if theme.type == "dark" else "#0b5cad",
        is_dark=theme.type == "dark",
    )
