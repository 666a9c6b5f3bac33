"""CalM, a foundation model for calcium-imaging populations, over your movie in napari.

>>> import napari_calm
>>> recording = napari_calm.simulate_session(seed=0, n_trials=2).recording
>>> recording.frame_rate_hz
6.0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.footprints import Footprints
    from .core.forecast import Forecast
    from .core.movie import Movie
    from .core.recording import Recording
    from .core.representation import Representation
    from .core.token_map import TokenMap
    from .extraction.extract import extract
    from .io.read import read_recording
    from .model.adaptation import Adaptation, load_adaptation
    from .model.calm import CalmModel
    from .model.checkpoint import available_models, load_model, save_model
    from .model.release import import_release
    from .simulate.session import simulate_session
    from .train.adapt import adapt

__version__ = "0.1.0"

# Names are resolved on first use, so that `import napari_calm` neither loads
# torch nor delays napari's start.
_HOMES = {
    "Adaptation": "model.adaptation",
    "CalmModel": "model.calm",
    "Footprints": "core.footprints",
    "Forecast": "core.forecast",
    "Movie": "core.movie",
    "Recording": "core.recording",
    "Representation": "core.representation",
    "TokenMap": "core.token_map",
    "adapt": "train.adapt",
    "available_models": "model.checkpoint",
    "extract": "extraction.extract",
    "import_release": "model.release",
    "load_adaptation": "model.adaptation",
    "load_model": "model.checkpoint",
    "read_recording": "io.read",
    "save_model": "model.checkpoint",
    "simulate_session": "simulate.session",
}
__all__ = [
    "Adaptation",
    "CalmModel",
    "Footprints",
    "Forecast",
    "Movie",
    "Recording",
    "Representation",
    "TokenMap",
    "adapt",
    "available_models",
    "extract",
    "import_release",
    "load_adaptation",
    "load_model",
    "read_recording",
    "save_model",
    "simulate_session",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
