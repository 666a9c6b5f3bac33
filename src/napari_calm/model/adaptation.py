"""What was fitted to one recording: a small file beside it, not a copy of the model."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ..core.atomic import replacing
from ..core.errors import CheckpointError, RecordingError
from ..core.recording import Recording

if TYPE_CHECKING:
    from .calm import CalmModel

FORMAT = "napari-calm adaptation 1"
ROWS = ("neuron_rows", "session_row")


@dataclass(frozen=True, eq=False)
class Adaptation:
    """Rows and head fitted to one recording, and what they brought.

    Parameters
    ----------
    model_name, recording_name : str
        What was adapted, and to what.
    until_frame : int
        No frame of the recording from this one on was looked at.
    roi_labels : numpy.ndarray of int, (neurons,)
        Neurons the rows belong to, in order.
    weights : dict of Tensor
        ``neuron_rows`` (neurons, width), ``session_row`` (width,) and ``head.*`` of
        the forecast head; empty where adapting did not help.
    zero_shot_mse, adapted_mse : float
        Mean squared error on the validation part, in units of each neuron's variance.
    stopped_at_step : int, optional
        Step at which the user ended the fit early; None where it ran to its end.
    """

    model_name: str
    recording_name: str
    until_frame: int
    roi_labels: np.ndarray
    weights: dict[str, Tensor]
    zero_shot_mse: float
    adapted_mse: float
    stopped_at_step: int | None = None

    @property
    def helped(self) -> bool:
        """Whether the fitted weights were better than none on the validation part."""
        return bool(self.weights)

    def verdict(self) -> str:
        """One sentence in plain words."""
        if not self.helped:
            return (
                f"Adapting to {self.recording_name} did not lower the error on its validation "
                f"part ({self.zero_shot_mse:.3f}); the zero-shot model is kept."
                f"{self._stopped()}"
            )
        gain = 1 - self.adapted_mse / self.zero_shot_mse
        return (
            f"Adapted to {self.recording_name}: error on its validation part {gain:.1%} "
            f"smaller ({self.adapted_mse:.3f} instead of {self.zero_shot_mse:.3f})."
            f"{self._stopped()}"
        )

    def _stopped(self) -> str:
        if self.stopped_at_step is None:
            return ""
        return f" The fit was stopped early, after {self.stopped_at_step} steps."

    def check(self, recording: Recording) -> None:
        """Refuse a recording of other neurons."""
        if not np.array_equal(recording.roi_labels, self.roi_labels):
            raise RecordingError(
                f"{recording.source or recording.name}: its {recording.n_neurons} neurons are "
                f"not the {len(self.roi_labels)} that the model was adapted to "
                f"({self.recording_name}). Adapt to this recording, or use the zero-shot model."
            )

    def belongs_to(self, recording: Recording) -> bool:
        """Tell whether it was fitted to neurons of `recording`: to all of them, or to some."""
        return bool(np.isin(self.roi_labels, recording.roi_labels).all())

    def select(self, roi_labels: np.ndarray) -> "Adaptation":
        """Return the same for a part of the neurons that were adapted to.

        Each neuron keeps the row that was fitted to it; the session's row and the head were
        fitted beside all.

        Parameters
        ----------
        roi_labels : numpy.ndarray of int, (neurons,)
            Numbers of their ROIs, as a recording has them (`Recording.roi_labels`).

        Raises
        ------
        RecordingError
            If the part has neurons that were not adapted to.
        """
        if np.array_equal(roi_labels, self.roi_labels):
            return self
        row_of = {int(label): row for row, label in enumerate(self.roi_labels)}
        others = [int(label) for label in roi_labels if int(label) not in row_of]
        if others:
            raise RecordingError(
                f"The model was adapted to {len(row_of)} neurons of {self.recording_name}; "
                f"number {', '.join(map(str, others[:5]))}{' ...' if others[5:] else ''} "
                f"{'are' if len(others) > 1 else 'is'} not among them. Adapt again, or use "
                "the zero-shot model."
            )
        rows = [row_of[int(label)] for label in roi_labels]
        weights = dict(self.weights)
        if self.helped:
            weights["neuron_rows"] = self.weights["neuron_rows"][rows]
        return replace(self, roi_labels=self.roi_labels[rows], weights=weights)

    def apply(self, model: "CalmModel") -> "CalmModel":
        """Return an adapted copy of `model`; the model itself stays as it is.

        Raises
        ------
        CheckpointError
            If this belongs to another model.
        """
        if model.name != self.model_name:
            raise CheckpointError(
                f"adaptation to {self.recording_name}: made for the model {self.model_name}, "
                f"found {model.name}. Load that model, or adapt anew."
            )
        adapted = copy.deepcopy(model)
        adapted.adaptation = self
        if not self.helped:
            return adapted
        try:
            _fit_in(adapted, self.weights)
        except (RuntimeError, LookupError) as error:
            raise CheckpointError(
                f"adaptation to {self.recording_name}: its weights do not fit the model "
                f"{model.name} ({str(error).splitlines()[0]}). Adapt anew."
            ) from error
        return adapted.eval()

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file; it appears whole or not at all."""
        path = Path(path)
        metadata = {
            "format": FORMAT,
            "model_name": self.model_name,
            "recording_name": self.recording_name,
            "until_frame": str(self.until_frame),
            "zero_shot_mse": repr(self.zero_shot_mse),
            "adapted_mse": repr(self.adapted_mse),
        }
        if self.stopped_at_step is not None:
            metadata["stopped_at_step"] = str(self.stopped_at_step)
        labels = torch.as_tensor(np.asarray(self.roi_labels, np.int64))
        tensors = {"roi_labels": labels} | {
            name: value.detach().cpu().contiguous() for name, value in self.weights.items()
        }
        with replacing(path) as partial:
            partial.write_bytes(save_tensors(tensors, metadata))
        return path


def load_adaptation(path: str | Path) -> Adaptation:
    """Read what `Adaptation.save` wrote.

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
                f"written by 'napari-calm adapt' ({FORMAT!r})."
            )
        stopped = metadata.get("stopped_at_step")
        return Adaptation(
            model_name=metadata["model_name"],
            recording_name=metadata["recording_name"],
            until_frame=int(metadata["until_frame"]),
            roi_labels=tensors.pop("roi_labels").numpy(),
            weights=tensors,
            zero_shot_mse=float(metadata["zero_shot_mse"]),
            adapted_mse=float(metadata["adapted_mse"]),
            stopped_at_step=int(stopped) if stopped else None,
        )
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not readable as an adaptation ({error}). Adapt anew."
        ) from error


def with_rows(model: "CalmModel", n_neurons: int) -> None:
    """Give `model` one session row and a row for each neuron, all like the unknown ones."""
    dynamics = model.dynamics
    for name, unknown, n_rows in (
        ("neuron_embed", dynamics.unknown_neuron, n_neurons),
        ("session_embed", dynamics.unknown_session, 1),
    ):
        rows = unknown.detach().expand(n_rows, -1).clone()
        setattr(dynamics, name, nn.Embedding.from_pretrained(rows, freeze=False))
    sizes = {"n_neurons": n_neurons, "n_sessions": 1}
    dynamics.config = replace(dynamics.config, **sizes)
    model.config = replace(model.config, dynamics=dynamics.config)


def _fit_in(model: "CalmModel", weights: dict[str, Tensor]) -> None:
    neuron_rows, session_row = (weights[name].to(model.device) for name in ROWS)
    with_rows(model, len(neuron_rows))
    with torch.no_grad():
        model.dynamics.neuron_embed.weight.copy_(neuron_rows)
        model.dynamics.session_embed.weight.copy_(session_row[None])
    if model.forecast_head is not None:
        head = {
            name.removeprefix("head."): value
            for name, value in weights.items()
            if name.startswith("head.")
        }
        model.forecast_head.load_state_dict(model.forecast_head.state_dict() | head)
