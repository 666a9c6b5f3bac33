"""When, where and from which code the figures of a benchmark come."""

import os
import platform
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """Return date, commit, machine and the versions of torch and numpy."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": date.today().isoformat(),
        "commit": commit.stdout.strip() or "unknown",
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        # Of the packages as installed: one benchmark measures the import of torch.
        "torch": version("torch"),
        "numpy": version("numpy"),
    }
