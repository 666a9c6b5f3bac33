"""What a path holds, in a few facts."""

import json
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.movie import Movie
from .kind import Kind, kind_of
from .labels import read_footprints
from .npz import open_npz
from .results import read_forecast, read_tokens
from .session_folder import read_session_folder
from .suite2p import describe_suite2p
from .tiff import read_movie
from .traces import recorded_rate_hz


def describe(path: str | Path, *, frame_rate_hz: float | None = None) -> dict[str, object]:
    """Say what is at `path`: kind, sizes, frame rate, units, files. Nothing is computed.

    Parameters
    ----------
    path : path
        Anything that `kind_of` knows.
    frame_rate_hz : float, optional
        Frames a second; goes before what the file says.

    Returns
    -------
    dict
        Ready for JSON. Keys end in their unit (`duration_s`, `height_px`); None stands for
        what the file does not say.

    Raises
    ------
    RecordingError
        If nothing is there or it cannot be read.
    """
    path = Path(path)
    kind = kind_of(path)
    facts = _DESCRIBE[kind](path)
    if frame_rate_hz is not None and "frame_rate_hz" in facts:
        facts["frame_rate_hz"] = frame_rate_hz
    if "n_frames" in facts:
        rate = float(facts["frame_rate_hz"] or 0)
        known = isfinite(rate) and rate > 0
        facts["frame_rate_hz"] = rate if known else None
        facts["duration_s"] = facts["n_frames"] / rate if known else None
    return {"path": str(path), "kind": str(kind), **facts}


def _describe_traces(path: Path) -> dict[str, Any]:
    with open_npz(path) as arrays:
        traces = arrays["traces"]
        if traces.ndim != 2:
            raise RecordingError(
                f"{path}: traces have shape {traces.shape}; expected (neurons, frames)."
            )
        finite = np.isfinite(traces).all(axis=1)
        return {
            "n_neurons": traces.shape[0],
            "n_frames": traces.shape[1],
            "frame_rate_hz": recorded_rate_hz(arrays),
            "unit": "dF/F",
            "n_traces_with_nan": int((~finite).sum()),
            "arrays": {name: list(arrays[name].shape) for name in arrays if name != "traces"},
        }


def _describe_suite2p(path: Path) -> dict[str, Any]:
    folder = path if path.is_dir() else path.parent
    facts = describe_suite2p(folder)
    facts["files"] = sorted(each.name for each in Path(facts["folder"]).iterdir())
    return facts


def _describe_session(path: Path) -> dict[str, Any]:
    session = read_session_folder(path, with_traces=False)
    return {
        **_movie_facts(session.movie),
        **_footprints_facts(session.footprints),
        "behaviour": None if session.behaviour is None else list(map(str, session.behaviour)),
        "n_trials": None if session.trials is None else len(session.trials),
        "files": sorted(each.name for each in path.iterdir()),
    }


def _describe_movie(path: Path) -> dict[str, Any]:
    return _movie_facts(read_movie(path))


def _movie_facts(movie: Movie) -> dict[str, Any]:
    height, width = movie.image_shape
    return {
        "n_frames": movie.n_frames,
        "height_px": height,
        "width_px": width,
        "number_type": str(np.dtype(movie.frames.dtype)),
        "frame_rate_hz": movie.frame_rate_hz,
        "pixel_size_um": movie.pixel_size_um,
    }


def _describe_footprints(path: Path) -> dict[str, Any]:
    return _footprints_facts(read_footprints(path))


def _footprints_facts(footprints: Footprints) -> dict[str, Any]:
    height, width = footprints.image_shape
    return {
        "height_px": height,
        "width_px": width,
        "n_rois": footprints.n_neurons,
        "median_area_px": float(np.median(footprints.areas_px)),
        "n_overlapping_rois": int((footprints.overlap_share > 0).sum()),
    }


def _describe_forecast(path: Path) -> dict[str, Any]:
    forecast = read_forecast(path)
    return {
        "n_neurons": forecast.n_neurons,
        "start_frame": forecast.start_frame,
        "start_s": forecast.start_s,
        "horizon_frames": forecast.horizon_frames,
        "frame_rate_hz": forecast.frame_rate_hz,
        "n_samples": int(forecast.samples.shape[0]),
        "quantile_levels": [round(float(level), 6) for level in forecast.quantile_levels],
        "unit": "dF/F",
        "model": forecast.model_name,
        "seed": forecast.seed,
    }


def _describe_tokens(path: Path) -> dict[str, Any]:
    token_map = read_tokens(path)
    return {
        "n_neurons": token_map.n_neurons,
        "n_tokens": int(token_map.tokens.shape[1]),
        "n_codes": token_map.n_codes,
        "n_used_codes": token_map.used_codes,
        "token_duration_s": token_map.token_duration_s,
        "n_frames": token_map.n_frames,
        "frame_rate_hz": token_map.frame_rate_hz,
        "model": token_map.model_name,
    }


def _describe_clusters(path: Path) -> dict[str, Any]:
    with open_npz(path) as arrays:
        labels = arrays["labels"]
        return {
            "n_neurons": int(labels.size),
            "n_clusters": int(labels.max()) + 1,
            "n_without_cluster": int((labels < 0).sum()),
            **{name: arrays[name].item() for name in ("source", "method", "recording_name")},
            "model": arrays["model_name"].item(),
        }


def _describe_embedding(path: Path) -> dict[str, Any]:
    with open_npz(path) as arrays:
        n_neurons, n_dimensions = arrays["vectors"].shape
        return {
            "n_neurons": n_neurons,
            "n_dimensions": n_dimensions,
            **{name: arrays[name].item() for name in ("source", "recording_name")},
            "model": arrays["model_name"].item(),
        }


def _describe_selectivity(path: Path) -> dict[str, Any]:
    with open_npz(path) as arrays:
        return {
            "n_neurons": int(arrays["d_prime"].size),
            "column": arrays["column"].item(),
            "bins": arrays["bins"].tolist(),
            "n_significant": int((arrays["q_value"] <= 0.05).sum()),
            "recording_name": arrays["recording_name"].item(),
        }


def _describe_trajectories(path: Path) -> dict[str, Any]:
    with open_npz(path) as arrays:
        n_components, n_frames = arrays["states"].shape
        return {
            "n_components": n_components,
            "n_frames": n_frames,
            "frame_rate_hz": arrays["frame_rate_hz"].item(),
            "trial_types": arrays["trial_types"].tolist(),
            "model": arrays["model_name"].item(),
        }


def _describe_checkpoint(path: Path) -> dict[str, Any]:
    weights = path / "model.safetensors"
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"{path}: config.json is missing or unreadable ({error})."
        ) from error
    if not isinstance(config, dict):
        raise RecordingError(f"{path}: config.json holds no settings.")
    return {
        "name": str(config.get("name", path.resolve().name)),
        "config": config,
        "weights_bytes": weights.stat().st_size if weights.is_file() else None,
        "files": sorted(each.name for each in path.iterdir()),
    }


_DESCRIBE = {
    Kind.TRACES: _describe_traces,
    Kind.SUITE2P: _describe_suite2p,
    Kind.SESSION: _describe_session,
    Kind.MOVIE: _describe_movie,
    Kind.IMAGE: _describe_footprints,
    Kind.FOOTPRINTS: _describe_footprints,
    Kind.FORECAST: _describe_forecast,
    Kind.TOKENS: _describe_tokens,
    Kind.CLUSTERS: _describe_clusters,
    Kind.EMBEDDING: _describe_embedding,
    Kind.SELECTIVITY: _describe_selectivity,
    Kind.TRAJECTORIES: _describe_trajectories,
    Kind.CHECKPOINT: _describe_checkpoint,
}
