"""The training configurations that come with the package."""

import tomllib
from pathlib import Path


def bundled_configs() -> dict[str, Path]:
    """Return the configuration files by name; empty where they were not installed."""
    package = Path(__file__).parents[1]
    for folder in (package / "configs", package.parents[1] / "configs"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def description_of(path: str | Path) -> str:
    """Return what a configuration says it is for, without reading the rest.

    Examples
    --------
    >>> description_of("missing.toml")
    ''
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(values.get("description", ""))
