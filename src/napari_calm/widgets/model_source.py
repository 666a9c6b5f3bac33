"""Loading the chosen model in a worker, once."""

import gc
from dataclasses import dataclass

from ..core.progress import Progress, Steps
from .torch_loading import import_torch_gently, leave_a_core_free


@dataclass(frozen=True)
class Environment:
    """What the package and this machine offer."""

    models: list[str]
    devices: list[str]


def look_around_steps() -> Steps[Environment]:
    """Find the bundled models and the devices that torch can use."""
    yield Progress(0, 1, "looking for models and devices")
    import_torch_gently()
    from ..model.checkpoint import available_models
    from ..model.device import available_devices

    return Environment(available_models(), available_devices())


class ModelSource:
    """Loads a model by name or folder and keeps it until another one is asked for.

    Beside it, it keeps the adapted copy that was asked for last, so that changing between
    the two costs nothing.
    """

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._model = None
        self._adapted = None
        self.threads = 0

    @property
    def is_loaded(self) -> bool:
        """Whether a model is kept."""
        return self._model is not None

    def get_steps(self, name_or_folder: str, device: str, adaptation=None) -> Steps:
        """Return the model on `device`, with `adaptation` applied, loading it if need be.

        If that fails, the model that was kept before still is.
        """
        yield Progress(0, 1, f"loading {name_or_folder}")
        import_torch_gently()
        leave_a_core_free(self.threads)
        if self._key != (name_or_folder, device):
            from ..model.checkpoint import load_model
            from ..model.device import choose_device

            place = choose_device(device)
            loaded = load_model(name_or_folder, "cpu")
            # The old one goes first: two may not fit into GPU memory.
            self.unload()
            self._model, self._key = loaded.to(place), (name_or_folder, device)
        if adaptation is None:
            return self._model
        if self._adapted is None or self._adapted.adaptation is not adaptation:
            self._adapted = adaptation.apply(self._model)
        return self._adapted

    def ready(self, name_or_folder: str, device: str, adaptation=None):
        """Return the model as `get_steps` would if it is there already, else None."""
        if self._key != (name_or_folder, device):
            return None
        if adaptation is None:
            return self._model
        is_its = self._adapted is not None and self._adapted.adaptation is adaptation
        return self._adapted if is_its else None

    def put(self, model, name_or_folder: str, device: str) -> None:
        """Keep `model` as what `name_or_folder` on `device` means."""
        self._key, self._model, self._adapted = (name_or_folder, device), model, None

    def forget(self, name_or_folder: str) -> None:
        """Load a model anew when it is asked for next: its files have changed."""
        if self._key is not None and self._key[0] == name_or_folder:
            self.unload()

    def forget_adapted(self) -> None:
        """Give back the memory of the adapted copy."""
        self._adapted = None

    def unload(self) -> None:
        """Forget the model and give its GPU memory back."""
        if self._model is None:
            return
        self._key = self._model = self._adapted = None
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
