"""Which device the networks run on."""

import gc

import torch

from ..core.errors import CalmError

DEVICE_CHOICES = ("auto", "cuda", "mps", "cpu")


def available_devices() -> list[str]:
    """Devices that torch can use here, fastest first; always ends with ``cpu``."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cuda``, ``cuda:1``, ``mps`` or ``cpu`` into a torch device.

    Raises
    ------
    CalmError
        If the name is unknown or the device is not there.
    """
    available = available_devices()
    if name == "auto":
        return torch.device(available[0])
    if name.split(":")[0] not in DEVICE_CHOICES:
        raise CalmError(f"device: found {name!r}; expected one of {', '.join(DEVICE_CHOICES)}.")
    if name.split(":")[0] not in available:
        raise CalmError(
            f"device: {name} is not available here; torch sees {', '.join(available)}. "
            "Choose one of these or 'auto'."
        )
    return torch.device(name)


def free_memory() -> None:
    """Give back what the accelerators keep of tensors that nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
