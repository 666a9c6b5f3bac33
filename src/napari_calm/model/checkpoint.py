"""Model folders: `config.json`, `model.safetensors` and a model card; never a pickle."""

import json
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..core.atomic import replacing
from ..core.errors import CheckpointError, ConfigError
from .calm import CalmModel
from .config import CalmConfig
from .device import choose_device

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"


def available_models() -> list[str]:
    """Names of the checkpoints that come with the package."""
    return sorted(
        entry.name
        for entry in _bundled_folder().iterdir()
        if (entry / CONFIG_FILE).is_file() and (entry / WEIGHTS_FILE).is_file()
    )


def load_model(name_or_folder: str | Path, device: str = "auto") -> CalmModel:
    """Load a bundled checkpoint by its name, or any checkpoint folder.

    Parameters
    ----------
    name_or_folder : str or path
        One of `available_models`, or a folder with config.json and model.safetensors.
        A folder wins over a bundled name only if the name is given as a path.
    device : {"auto", "cuda", "mps", "cpu"}

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or weights and configuration do not fit.
    """
    folder = _find(name_or_folder)
    config = _read_config(folder)
    weights = _read_weights(folder / WEIGHTS_FILE)
    n_found = sum(tensor.numel() for tensor in weights.values())
    # A wrong size must be noticed before it takes any memory.
    if config.n_weights_about > 2 * n_found + 100_000:
        raise CheckpointError(
            f"{folder}: {CONFIG_FILE} asks for about {config.n_weights_about:,} weights, "
            f"{WEIGHTS_FILE} holds {n_found:,}. Both files must come from the same training."
        )
    model = CalmModel(config)
    check_weights(str(folder / WEIGHTS_FILE), model.state_dict(), weights)
    model.load_state_dict(weights)
    return model.to(choose_device(device)).eval()


def save_model(model: CalmModel, folder: str | Path, *, card: str = "") -> Path:
    """Write a model as a checkpoint folder; each file appears whole or not at all.

    Parameters
    ----------
    card : str
        Text of the model card after its heading: data, training, errors, limits.
    """
    if model.adaptation is not None:
        raise CheckpointError(
            f"{model.title}: an adapted model is kept as its adaptation "
            "(model.adaptation.save(path)), beside the checkpoint it was made from."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = {"format_version": FORMAT_VERSION, **model.config.to_dict()}
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    n_weights = sum(v.numel() for v in state.values())
    head = f"# {model.config.name}\n\n{model.config.description}\n\n{n_weights:,} weights.\n\n"
    # The configuration comes last: a folder without one is no checkpoint yet.
    for name, content in (
        (WEIGHTS_FILE, save_tensors(state)),
        (CARD_FILE, ((head + card).strip() + "\n").encode()),
        (CONFIG_FILE, (json.dumps(values, indent=2) + "\n").encode()),
    ):
        with replacing(folder / name) as partial:
            partial.write_bytes(content)
    return folder


def _bundled_folder() -> Path:
    return Path(str(files("napari_calm"))) / "checkpoints"


def _find(name_or_folder: str | Path) -> Path:
    bundled = available_models()
    if str(name_or_folder) in bundled:
        return _bundled_folder() / str(name_or_folder)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise CheckpointError(
            f"{name_or_folder}: no such model folder, and no bundled model of that name. "
            f"Bundled are: {', '.join(bundled) or 'none'}."
        )
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder}: {name} is missing. A checkpoint folder holds {CONFIG_FILE} and "
                f"{WEIGHTS_FILE}; weights of the authors' release become one with "
                "'napari-calm import-release'."
            )
    return folder


def _read_config(folder: Path) -> CalmConfig:
    path = folder / CONFIG_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path}: not readable as JSON ({error}).") from error
    version = values.pop("format_version", None) if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format_version is {version}; this version of napari-calm reads "
            f"{FORMAT_VERSION}."
        )
    try:
        return CalmConfig.from_dict(values)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    content = path.read_bytes()
    try:
        return load_tensors(content)
    except SafetensorError as error:
        # Zip archives (PK) and protocol-2+ pickles (0x80) are what torch.save writes.
        disguise = content[:2] == b"PK" or content[:1] == b"\x80"
        hint = (
            "It is a pickle (torch.save), which can run code when opened, so it was not read. "
            "Convert weights of the authors' release with 'napari-calm import-release'."
            if disguise
            else "The file is damaged or incomplete; copy it again."
        )
        raise CheckpointError(f"{path}: not a safetensors file ({error}). {hint}") from error


def check_weights(where: str, expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    """Refuse weights that do not fit a model of these names and shapes, naming what is off.

    Raises
    ------
    CheckpointError
        If a weight is missing, unknown, of another shape, or holds anything but numbers.
    """
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    shapes = [
        f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    kinds = [
        f"{name} is {tensor.dtype}"
        for name, tensor in found.items()
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    ]
    problems = (
        [f"missing {_some(missing)}"] * bool(missing)
        + [f"unknown {_some(unknown)}"] * bool(unknown)
        + [f"wrong shape: {_some(shapes)}"] * bool(shapes)
        + [f"not real numbers: {_some(kinds)}"] * bool(kinds)
    )
    if problems:
        raise CheckpointError(
            f"{where}: the weights do not fit the configuration: {'; '.join(problems)}. "
            "Both must come from the same training."
        )
    not_finite = [k for k, v in found.items() if not torch.isfinite(v).all()]
    if not_finite:
        raise CheckpointError(
            f"{where}: NaN or infinite values in {_some(not_finite)}. "
            "The training diverged or the file is damaged."
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
