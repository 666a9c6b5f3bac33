"""A log file of what went wrong, and a report to paste into a bug report."""

import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from qtpy.QtCore import QStandardPaths

from .job import JobReport

_PACKAGES = ("napari-calm", "napari", "torch", "numpy", "qtpy", "PyQt6", "PySide6", "pyqtgraph")
# Beyond this size the log begins anew, the old one beside it.
_MOST_BYTES = 1_000_000
_TOLD_BYTES = 20_000


def log_path() -> Path:
    """Return where problems are written to."""
    kind = QStandardPaths.StandardLocation.GenericDataLocation
    return Path(QStandardPaths.writableLocation(kind)) / "napari-calm" / "problems.log"


def note_problem(report: JobReport) -> None:
    """Append a failed job to the log; a log that cannot be written holds nothing up."""
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            path.replace(path.with_suffix(".old.log"))
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {_text_of(report)}\n")
    except OSError:
        return


def report_text(report: JobReport) -> str:
    """Return versions, machine, the failed job with its traceback, and the log before it."""
    parts = [
        "## napari-calm report",
        f"Python {platform.python_version()}, {platform.platform()}, {sys.executable}",
        ", ".join(filter(None, map(_version, _PACKAGES))),
        _devices(),
        "### What failed",
        _text_of(report),
        f"### {log_path()}",
        _end_of_log(),
    ]
    return "\n".join(parts)


def _text_of(report: JobReport) -> str:
    seconds = f"after {report.seconds:.1f} s"
    return f"{report.title}: {report.message} ({seconds})\n{report.traceback}".strip()


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def _devices() -> str:
    torch = sys.modules.get("torch")
    if torch is None:
        return "torch is not loaded"
    if not torch.cuda.is_available():
        return "no CUDA device"
    free, total = torch.cuda.mem_get_info()
    return f"{torch.cuda.get_device_name()}: {free / 1e9:.1f} of {total / 1e9:.1f} GB free"


def _end_of_log() -> str:
    try:
        return log_path().read_text(encoding="utf-8")[-_TOLD_BYTES:]
    except OSError as error:
        return f"(no log: {error})"
