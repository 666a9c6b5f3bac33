"""What a benchmark of the window found, printed and kept."""

import json
from pathlib import Path
from typing import Any


def report(result: dict[str, Any], table: str, out: Path | None, name: str) -> None:
    """Print a result as JSON and as a table; keep both where there is a folder.

    Parameters
    ----------
    result : dict
    table : str
        Markdown.
    out : Path, optional
        Gets ``NAME.json`` and ``NAME.md``.
    name : str
    """
    text = json.dumps(result, indent=2)
    print(text)
    print(table)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(text + "\n")
        (out / f"{name}.md").write_text(table)
