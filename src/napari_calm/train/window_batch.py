"""Windows of equal size, stacked for the networks."""

import copy
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..model.calm import CalmModel
from .data import Window
from .in_parts import InParts, Taken

MOST_WINDOWS_AT_ONCE = 8


class WindowBatch:
    """Windows of equal size as tensors, with the tokens of a frozen tokenizer.

    recordings (batch,); neurons (batch, neurons), numbered in their recording; units (batch,
    neurons, frames); tokens (batch, neurons, tokens); portrait (batch, neurons, features),
    the continuations' skill among them; pairs (batch, neurons, neurons, features).
    """

    def __init__(self, model: CalmModel, windows: Sequence[Window]) -> None:
        self._windows, self._device = windows, model.device
        neurons = np.stack([window.neurons for window in windows])
        self.neurons = torch.as_tensor(neurons, device=model.device)
        recordings = np.array([window.recording for window in windows])
        self.recordings = torch.as_tensor(recordings, device=model.device)
        self.units = self._stacked([window.units for window in windows])
        self.portrait = self._stacked(
            [
                np.concatenate([window.portrait.neurons, window.continuation.skill], axis=1)
                for window in windows
            ]
        )
        self.pairs = self._stacked(
            [window.portrait.pairs(np.arange(len(window.neurons))) for window in windows]
        )
        with torch.no_grad():
            tokens = model.tokenizer.tokenize(self.units.flatten(0, 1))
        self.tokens = tokens.unflatten(0, self.units.shape[:2])

    def __len__(self) -> int:
        return len(self._windows)

    def part(self, part: slice) -> "WindowBatch":
        """Return the same of some of the windows, on the same memory."""
        some = copy.copy(self)
        some._windows = self._windows[part]
        for name in ("neurons", "recordings", "units", "portrait", "pairs", "tokens"):
            setattr(some, name, getattr(self, name)[part])
        return some

    def _stacked(self, arrays: list[np.ndarray]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=torch.float32, device=self._device)

    def continued(self, ends: Sequence[int], horizon_frames: int) -> Tensor:
        """Linear forecasts after so many frames of the windows.

        Returns
        -------
        Tensor, (batch, neurons, ends, continuations, horizon_frames)
        """
        return self._stacked(
            [window.continued(ends, horizon_frames) for window in self._windows]
        )

    @property
    def frames(self) -> Tensor:
        """The frames of each token, (batch, neurons, tokens, frames)."""
        frames: Tensor = self.units.unflatten(-1, (self.tokens.shape[-1], -1))
        return frames

    @property
    def n_targets(self) -> int:
        """Size of the batch in tokens."""
        return int(self.tokens.numel())


def groups_of_equal_size(windows: Sequence[Window]) -> list[list[Window]]:
    """Put populations of equal size together, the smallest first, not too many in a group."""
    groups = []
    for size in sorted({len(window.units) for window in windows}):
        same = [window for window in windows if len(window.units) == size]
        for first in range(0, len(same), MOST_WINDOWS_AT_ONCE):
            groups.append(same[first : first + MOST_WINDOWS_AT_ONCE])
    return groups


def batches_of_equal_size(model: CalmModel, windows: Sequence[Window]) -> list[WindowBatch]:
    """Stack populations of equal size; smaller recordings get their own batch."""
    return [WindowBatch(model, group) for group in groups_of_equal_size(windows)]


def of_all_parts(
    batches: Sequence[WindowBatch], take: Callable[[WindowBatch], Taken], in_parts: InParts
) -> list[Taken]:
    """Return what `take` makes of all windows, of as many at once as memory allows."""
    found: list[Taken] = []
    for batch in batches:
        found += in_parts.taken(len(batch), partial(_of_part, take, batch))
    return found


def _of_part(take: Callable[[WindowBatch], Taken], batch: WindowBatch, part: slice) -> Taken:
    return take(batch.part(part))
