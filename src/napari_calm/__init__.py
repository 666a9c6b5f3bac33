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
    from .decoding.decode import decode
    from .decoding.decoder import Decoder
    from .decoding.decoder_file import load_decoder, save_decoder
    from .decoding.decoding import Decoding
    from .decoding.fit_decoder import fit_decoder
    from .decoding.states import represent_frames
    from .explore.cluster import cluster
    from .explore.clusters import Clusters
    from .explore.embed import embed
    from .explore.neuron_embedding import NeuronEmbedding
    from .explore.probe import Probe, probe
    from .explore.selectivity import Selectivity, selectivity
    from .explore.similar_order import order_by_similarity
    from .explore.trajectories import Trajectories, trajectories
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
    "Clusters": "explore.clusters",
    "Decoder": "decoding.decoder",
    "Decoding": "decoding.decoding",
    "Footprints": "core.footprints",
    "Forecast": "core.forecast",
    "Movie": "core.movie",
    "NeuronEmbedding": "explore.neuron_embedding",
    "Probe": "explore.probe",
    "Recording": "core.recording",
    "Representation": "core.representation",
    "Selectivity": "explore.selectivity",
    "TokenMap": "core.token_map",
    "Trajectories": "explore.trajectories",
    "adapt": "train.adapt",
    "available_models": "model.checkpoint",
    "cluster": "explore.cluster",
    "decode": "decoding.decode",
    "embed": "explore.embed",
    "extract": "extraction.extract",
    "fit_decoder": "decoding.fit_decoder",
    "import_release": "model.release",
    "load_adaptation": "model.adaptation",
    "load_decoder": "decoding.decoder_file",
    "load_model": "model.checkpoint",
    "order_by_similarity": "explore.similar_order",
    "probe": "explore.probe",
    "read_recording": "io.read",
    "represent_frames": "decoding.states",
    "save_decoder": "decoding.decoder_file",
    "save_model": "model.checkpoint",
    "selectivity": "explore.selectivity",
    "simulate_session": "simulate.session",
    "trajectories": "explore.trajectories",
}
__all__ = [
    "Adaptation",
    "CalmModel",
    "Clusters",
    "Decoder",
    "Decoding",
    "Footprints",
    "Forecast",
    "Movie",
    "NeuronEmbedding",
    "Probe",
    "Recording",
    "Representation",
    "Selectivity",
    "TokenMap",
    "Trajectories",
    "adapt",
    "available_models",
    "cluster",
    "decode",
    "embed",
    "extract",
    "fit_decoder",
    "import_release",
    "load_adaptation",
    "load_decoder",
    "load_model",
    "order_by_similarity",
    "probe",
    "read_recording",
    "represent_frames",
    "save_decoder",
    "save_model",
    "selectivity",
    "simulate_session",
    "trajectories",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
