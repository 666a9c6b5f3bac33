"""The command line: the window's work, without the window.

Heavy libraries are imported inside the commands, so that --help answers at once.
"""

import os

from ..core.errors import CalmError
from . import (  # noqa: F401  (their commands join the application)
    decoding,
    exploring,
    exporting,
    extracting,
    looking,
    making,
)
from .app import app
from .console import fail


def main() -> None:
    """Run the command line; errors become one line on stderr and an exit status."""
    try:
        app()
    except (CalmError, OSError) as error:
        fail(str(error))
    except Exception as error:
        if os.environ.get("NAPARI_CALM_DEBUG"):
            raise
        reason = str(error).strip().split("\n")[0]
        fail(
            f"unexpected {type(error).__name__}: {reason}. This input was not foreseen; "
            "NAPARI_CALM_DEBUG=1 shows where it happened."
        )
