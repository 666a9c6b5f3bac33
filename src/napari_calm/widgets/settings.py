"""What the user has set for CalM in napari's Preferences."""

from dataclasses import dataclass

PLUGIN = "napari-calm"


@dataclass(frozen=True)
class Settings:
    """How a new panel begins.

    Parameters
    ----------
    model : str
        A bundled model or a checkpoint folder; empty for the first one there is.
    device : str
        ``auto``, ``cuda``, ``mps`` or ``cpu``.
    threads : int
        Threads that the networks use on the CPU; 0 for one fewer than there are cores.
    """

    model: str = ""
    device: str = "auto"
    threads: int = 0


def read_settings() -> Settings:
    """Return the settings; the defaults where napari is too old to keep any (before 0.9)."""
    try:
        from napari.settings import get_plugin_settings

        kept = get_plugin_settings(PLUGIN).computing
    except (ImportError, KeyError, AttributeError, ValueError):
        return Settings()
    return Settings(str(kept.model).strip(), str(kept.device), int(kept.threads))


@dataclass(frozen=True)
class ColourSettings:
    """What neurons, activity and forecast are drawn in.

    Parameters
    ----------
    clusters, neurons : str
        Palettes of clusters and of selected neurons, by name.
    activity, forecast : str
        napari's colormaps of what was measured and of what was forecast.
    """

    clusters: str = "distinct"
    neurons: str = "okabe-ito"
    activity: str = "magenta"
    forecast: str = "green"


def read_colour_settings() -> ColourSettings:
    """Return the colours that are set; the defaults where napari keeps none (before 0.9)."""
    kept = kept_colours()
    if kept is None:
        return ColourSettings()
    return ColourSettings(
        str(kept.clusters), str(kept.neurons), str(kept.activity), str(kept.forecast)
    )


def kept_colours():
    """Return napari's own object of these settings, which tells of changes; else None."""
    try:
        from napari.settings import get_plugin_settings

        return get_plugin_settings(PLUGIN).colours
    except (ImportError, KeyError, AttributeError, ValueError):
        return None
