"""Decoders as safetensors files: numbers and words, nothing that runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..core.atomic import replacing
from ..core.errors import CalmError, CheckpointError
from .decoder import Decoder
from .linear import LinearDecoder
from .network_fit import FittedNetworks
from .networks import make_network
from .pooled import PooledReadout
from .readout import Readout
from .scores import Interval
from .settings import Settings
from .views import TraceUnits

FORMAT = "napari-calm decoder 1"
_UNITS = ("low", "high", "mean", "deviation")
_WORDS = ("name", "kind", "per", "unit", "frame_rate_hz", "model_name")


def save_decoder(decoder: Decoder, path: str | Path) -> Path:
    """Write a decoder; the file appears whole or not at all.

    Raises
    ------
    CalmError
        If the name does not end in ``.safetensors``.
    """
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        raise CalmError(f"{path}: decoders are written as .safetensors; found {path.suffix!r}.")
    header: dict[str, Any] = {name: getattr(decoder, name) for name in _WORDS}
    header |= {
        "classes": decoder.classes,
        "recording_names": decoder.recording_names,
        "settings": asdict(decoder.settings),
        "score": None if decoder.score is None else asdict(decoder.score),
        "model_fingerprint": decoder.model_fingerprint,
    }
    arrays: dict[str, Any] = {"roi_labels": np.asarray(decoder.roi_labels, np.int64)}
    if isinstance(decoder.fitted, LinearDecoder):
        header["linear"] = _put_linear(decoder.fitted, arrays)
    elif isinstance(decoder.fitted, PooledReadout):
        header["pooled"] = decoder.fitted.average
        arrays |= {"weights": decoder.fitted.weights, "offset": decoder.fitted.offset}
    else:
        header["networks"] = _put_networks(decoder, decoder.fitted, arrays)
    tensors = {
        name: torch.as_tensor(np.ascontiguousarray(value))
        if isinstance(value, np.ndarray)
        else value.detach().cpu().contiguous()
        for name, value in arrays.items()
    }
    with replacing(path) as partial:
        metadata = {"format": FORMAT, "decoder": json.dumps(header)}
        partial.write_bytes(save_tensors(tensors, metadata))
    return path


def load_decoder(path: str | Path) -> Decoder:
    """Read what `save_decoder` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or something else.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}: found {metadata.get('format', 'no format')!r}; expected a file "
                f"written by 'napari-calm decode --save' ({FORMAT!r})."
            )
        header = json.loads(metadata["decoder"])
        settings = header["settings"]
        settings["trial_window_s"] = tuple(settings["trial_window_s"])
        return Decoder(
            **{name: header[name] for name in _WORDS},
            classes=tuple(header["classes"]),
            recording_names=tuple(header["recording_names"]),
            settings=Settings(**settings),
            roi_labels=tensors["roi_labels"].numpy(),
            fitted=_fitted_of(header, tensors),
            score=None if header["score"] is None else Interval(**header["score"]),
            model_fingerprint=str(header.get("model_fingerprint", "")),
        )
    except CheckpointError:
        raise
    except (
        SafetensorError,
        OSError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:
        raise CheckpointError(
            f"{path}: not readable as a decoder ({str(error).splitlines()[0]}). Decode anew "
            "and save it again."
        ) from error


def _fitted_of(
    header: dict[str, Any], tensors: dict[str, Tensor]
) -> LinearDecoder | FittedNetworks | PooledReadout:
    if "linear" in header:
        return _linear_of(header["linear"], tensors)
    if "pooled" in header:
        return PooledReadout(header["pooled"], tensors["weights"], tensors["offset"])
    return _networks_of(header["networks"], tensors)


def _put_linear(linear: LinearDecoder, arrays: dict[str, Any]) -> dict[str, Any]:
    """Put arrays beside the others; returns what else there is to know."""
    for name in _UNITS:
        arrays[f"units.{name}"] = getattr(linear.units, name)
    arrays["middle"] = linear.middle
    arrays["product_centre"] = linear.product_centre
    arrays["product_back"] = linear.product_back
    for part, readout in linear.readouts.items():
        arrays[f"readout.{part}.weights"] = readout.weights
        arrays[f"readout.{part}.offset"] = readout.offset
    return {
        "slope": linear.slope,
        "readouts": {
            part: {
                "source": readout.source,
                "window": readout.window,
                "share": linear.shares[part],
            }
            for part, readout in linear.readouts.items()
        },
    }


def _linear_of(header: dict[str, Any], tensors: dict[str, Tensor]) -> LinearDecoder:
    readouts = {
        part: Readout(
            part,
            known["source"],
            tuple(known["window"]),
            tensors[f"readout.{part}.weights"].numpy(),
            tensors[f"readout.{part}.offset"].numpy(),
        )
        for part, known in header["readouts"].items()
    }
    return LinearDecoder(
        readouts=readouts,
        shares={part: known["share"] for part, known in header["readouts"].items()},
        middle=tensors["middle"].numpy(),
        slope=header["slope"],
        units=TraceUnits(*(tensors[f"units.{name}"].numpy() for name in _UNITS)),
        product_centre=tensors["product_centre"].numpy(),
        product_back=tensors["product_back"].numpy(),
    )


def _put_networks(
    decoder: Decoder, fitted: FittedNetworks, arrays: dict[str, Any]
) -> dict[str, Any]:
    arrays["middle"], arrays["scale"] = fitted.middle, fitted.scale
    for number, network in enumerate(fitted.networks):
        for name, value in network.state_dict().items():
            arrays[f"network.{number}.{name}"] = value
    return {
        "head": decoder.settings.head,
        "n_networks": len(fitted.networks),
        "width": fitted.networks[0].width,
    }


def _networks_of(header: dict[str, Any], tensors: dict[str, Tensor]) -> FittedNetworks:
    networks = []
    for number in range(header["n_networks"]):
        prefix = f"network.{number}."
        weights = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        network = make_network(
            header["head"],
            len(tensors["roi_labels"]),
            header["width"],
            len(tensors["middle"]),
        )
        network.load_state_dict(weights)
        networks.append(network.requires_grad_(False).eval())
    return FittedNetworks(networks, tensors["middle"], tensors["scale"])
