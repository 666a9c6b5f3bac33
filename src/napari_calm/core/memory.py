"""How much memory is left, where the system tells."""

from pathlib import Path

from .errors import CalmError

# What else is made beside the large arrays.
_ROOM = 1.2


def free_bytes() -> int | None:
    """Return the bytes that can be taken without swapping; None except on Linux."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    for line in lines:
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return None


def check_room(n_bytes: float, what: str, remedy: str) -> None:
    """Refuse work whose arrays cannot fit, before it has taken minutes.

    Parameters
    ----------
    n_bytes : float
        What it takes.
    what, remedy : str
        What takes it, and what would take less.

    Raises
    ------
    CalmError
        If the system says that less is left.
    """
    left = free_bytes()
    if left is not None and _ROOM * n_bytes > left:
        raise CalmError(
            f"{what} take {n_bytes / 2**30:.1f} GB of memory; {left / 2**30:.1f} GB are left. "
            f"{remedy}"
        )
