"""Sorting names as people count: ``run_2`` before ``run_10``."""

import re
from pathlib import Path


def natural_key(path: str | Path) -> list[tuple[int, int, str]]:
    """Sorting key of a path: runs of digits count as numbers.

    Examples
    --------
    >>> sorted(["run_10.tif", "run_2.tif"], key=natural_key)
    ['run_2.tif', 'run_10.tif']
    """
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]
