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
    """Loads a model by name or folder and keeps it until another one is asked for."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._model = None

    def get_steps(self, name_or_folder: str, device: str) -> Steps:
        """Return the model `name_or_folder` on `device`, loading it if need be."""
        yield Progress(0, 1, f"loading {name_or_folder}")
        import_torch_gently()
        leave_a_core_free()
        if self._key != (name_or_folder, device):
            from ..model.checkpoint import load_model

            # The old one goes first: two may not fit into GPU memory.
            self.unload()
            self._model = load_model(name_or_folder, device)
            self._key = (name_or_folder, device)
        return self._model

    def put(self, model, name_or_folder: str, device: str) -> None:
        """Keep `model` as what `name_or_folder` on `device` means."""
        self._key, self._model = (name_or_folder, device), model

    def unload(self) -> None:
        """Forget the model and give its GPU memory back."""
        if self._model is None:
            return
        self._key = self._model = None
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()
