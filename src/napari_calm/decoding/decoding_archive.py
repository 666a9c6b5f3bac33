"""Decodings and applied decoders as archives from which they come back whole."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np

from ..core.errors import CalmError, RecordingError
from ..io.npz import open_npz, write_npz
from .applied import Applied
from .decoded import Decoded
from .decoder import Decoder
from .decoder_file import load_decoder, save_decoder
from .decoding import Decoding
from .target import Target

Kept = TypeVar("Kept", Decoding, Applied)

_DECODER, _WORDS, _TARGET = "decoder", "words", "target_values"
_ARRAYS = (
    "number",
    "start_frame",
    "stop_frame",
    "fold",
    "outputs",
    "reference_outputs",
    "without_model_outputs",
    "null",
    "neuron_weights",
    "roi_labels",
)
_PLAIN = (
    "head",
    "model_name",
    "recording_name",
    "test_share",
    "shares",
    "looks_at",
    "left_out",
    "frame_rate_hz",
    "n_frames",
)
_DECODED_ARRAYS = ("number", "start_frame", "stop_frame", "outputs")
_DECODED_PLAIN = (
    "name", "kind", "per", "classes", "unit", "frame_rate_hz", "n_frames", "recording_name"
)  # fmt: skip


def archive_decoding(decoding: Decoding, path: str | Path) -> None:
    """Write a decoding with its decoder as ``.npz``, for `read_decoding`."""
    arrays = {name: getattr(decoding, name) for name in _ARRAYS}
    words = {name: getattr(decoding, name) for name in _PLAIN}
    _write(path, arrays, words, decoding.decoder, decoding.target)


def read_decoding(path: str | Path) -> Decoding:
    """Read what `archive_decoding` wrote.

    Raises
    ------
    CalmError
        If the file is missing, damaged or something else.
    """

    def make(arrays: dict[str, Any], words: dict[str, Any], decoder: Decoder) -> Decoding:
        target = _target_of(arrays, words)
        if target is None:
            raise ValueError("there is no variable in it")
        found: dict[str, Any] = {name: arrays.get(name) for name in _ARRAYS}
        lengths = {
            len(found[name])
            for name in ("number", "start_frame", "stop_frame", "fold", "outputs")
        }
        if len(lengths) != 1 or len(found["neuron_weights"]) != len(found["roi_labels"]):
            raise ValueError("its parts are of different lengths")
        plain: dict[str, Any] = {name: words[name] for name in _PLAIN}
        plain["left_out"] = tuple(plain["left_out"])
        return Decoding(target=target, decoder=decoder, **found, **plain)

    return _read(path, make)


def archive_applied(applied: Applied, path: str | Path) -> None:
    """Write an applied decoder with what it says as ``.npz``, for `read_applied`."""
    decoded = applied.decoded
    arrays = {name: getattr(decoded, name) for name in _DECODED_ARRAYS}
    arrays["weights"] = applied.weights
    words = {name: getattr(decoded, name) for name in _DECODED_PLAIN} | {"said": applied.said}
    _write(path, arrays, words, applied.decoder, applied.truth)


def read_applied(path: str | Path) -> Applied:
    """Read what `archive_applied` wrote; errors as in `read_decoding`."""

    def make(arrays: dict[str, Any], words: dict[str, Any], decoder: Decoder) -> Applied:
        plain = {name: words[name] for name in _DECODED_PLAIN}
        plain["classes"] = tuple(plain["classes"])
        found = {name: arrays[name] for name in _DECODED_ARRAYS}
        if len({len(each) for each in found.values()}) != 1:
            raise ValueError("its parts are of different lengths")
        return Applied(
            decoder,
            Decoded(**found, **plain),
            _target_of(arrays, words),
            arrays.get("weights"),
            str(words["said"]),
        )

    return _read(path, make)


def _write(
    path: str | Path,
    arrays: dict[str, Any],
    words: dict[str, Any],
    decoder: Decoder,
    target: Target | None,
) -> None:
    with TemporaryDirectory() as folder:
        file = save_decoder(decoder, Path(folder) / "decoder.safetensors")
        arrays = arrays | {_DECODER: np.frombuffer(file.read_bytes(), np.uint8)}
    if target is not None:
        words = words | {"target": {**asdict(target), "values": None}}
        arrays[_TARGET] = target.values
    arrays = {name: values for name, values in arrays.items() if values is not None}
    write_npz(path, arrays | {_WORDS: np.str_(json.dumps(words))})


def _read(
    path: str | Path, make: Callable[[dict[str, Any], dict[str, Any], Decoder], Kept]
) -> Kept:
    path = Path(path)
    with open_npz(path) as archive, TemporaryDirectory() as folder:
        try:
            arrays: dict[str, Any] = {name: archive[name] for name in archive}
            file = Path(folder) / "decoder.safetensors"
            file.write_bytes(arrays.pop(_DECODER).tobytes())
            return make(arrays, json.loads(str(arrays.pop(_WORDS))), load_decoder(file))
        except CalmError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(
                f"{path}: not readable as a decoding ({error}). Decode anew."
            ) from error


def _target_of(arrays: dict[str, Any], words: dict[str, Any]) -> Target | None:
    if "target" not in words:
        return None
    plain = words["target"] | {"values": arrays[_TARGET]}
    plain["classes"] = tuple(plain["classes"])
    return Target(**plain)
