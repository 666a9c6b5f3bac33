"""The pages of the help: short Markdown files in the package."""

import re
from pathlib import Path

import napari_calm

START = "index"
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def help_folder() -> Path:
    """Return the folder with the pages."""
    return Path(napari_calm.__file__).parent / "help"


def help_pages() -> dict[str, Path]:
    """Return the file of every page by the page's name, the first page first."""
    found = {path.stem: path for path in sorted(help_folder().glob("*.md"))}
    return {START: found.pop(START), **found}


def title_of(page: str) -> str:
    """Return the heading of a page."""
    with help_pages()[page].open(encoding="utf-8") as lines:
        return next(lines).lstrip("# ").strip()


def links_of(text: str) -> list[str]:
    """Return where the links of a Markdown text lead.

    Examples
    --------
    >>> links_of("See [tokens](tokens.md) and [the paper](https://arxiv.org/abs/2604.04958).")
    ['tokens.md', 'https://arxiv.org/abs/2604.04958']
    """
    return _LINK.findall(text)
