"""What is decoded, moment by moment or trial by trial, and how it is dealt into folds."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from ..core.errors import CalmError
from .target import Per, Target

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Moments or trials of a recording that can be decoded.

    Parameters
    ----------
    per : {"frame", "trial"}
    number : numpy.ndarray of int, (samples,)
        Frame or trial of each sample, rising.
    start_frame, stop_frame : numpy.ndarray of int, (samples,)
        Frames that are looked at (stop exclusive); one frame each if `per` is "frame".
    block : numpy.ndarray of int, (samples,)
        Samples of a block are never split between training and test.
    gap_frames : int
        Training samples stay this far from test samples.
    whole_trials : bool
        Whether blocks are trials and not stretches of equal length.
    """

    per: Per
    number: np.ndarray
    start_frame: np.ndarray
    stop_frame: np.ndarray
    block: np.ndarray
    gap_frames: int
    whole_trials: bool = False

    def __post_init__(self) -> None:
        shapes = {
            getattr(self, name).shape
            for name in ("number", "start_frame", "stop_frame", "block")
        }
        if len(shapes) != 1 or (self.stop_frame <= self.start_frame).any():
            raise CalmError(f"samples: found shapes {shapes}, or samples without frames.")

    def __len__(self) -> int:
        return int(self.number.size)

    def __repr__(self) -> str:
        return f"Samples({len(self)} {self.per}s in {np.unique(self.block).size} blocks)"

    def frames(self, chosen: np.ndarray) -> np.ndarray:
        """Frames that the chosen samples look at, rising and each once."""
        if self.per == "frame":
            frames: np.ndarray = self.start_frame[chosen]
            return frames
        parts = [
            np.arange(start, stop)
            for start, stop in zip(
                self.start_frame[chosen], self.stop_frame[chosen], strict=True
            )
        ]
        return np.unique(np.concatenate(parts))

    def deal(self, target: Target, chosen: np.ndarray, n_folds: int) -> list[Split]:
        """Deal the chosen samples into folds, block by block.

        Whole blocks go to a fold, classes spread as evenly as blocks allow (scikit-learn's
        `StratifiedGroupKFold`; `GroupKFold` for numbers). Training samples nearer than
        `gap_frames` to a test sample are left out.

        Returns
        -------
        list of (numpy.ndarray, numpy.ndarray)
            Training and test samples of each fold, as members of `chosen`.
        """
        blocks = self.block[chosen]
        n_folds = min(n_folds, np.unique(blocks).size)
        values = target.values[self.number[chosen]]
        splitter = GroupKFold(n_folds)
        if target.kind == "classes":
            # More folds than members of the largest class cannot be stratified.
            n_folds = max(2, min(n_folds, int(np.unique(values, return_counts=True)[1].max())))
            splitter = StratifiedGroupKFold(n_folds)
        with warnings.catch_warnings():
            # Rare classes are answered for in `decode`.
            warnings.filterwarnings("ignore", message="The least populated class")
            dealt = list(splitter.split(np.zeros(chosen.size), values, blocks))
        return [
            (chosen[train][self._far(chosen[train], chosen[test])], chosen[test])
            for train, test in dealt
        ]

    def _far(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Which training samples keep the gap to every test sample."""
        if self.gap_frames == 0:
            return np.ones(train.size, bool)
        begins, ends = np.sort(self.start_frame[test]), np.sort(self.stop_frame[test])
        after = np.searchsorted(begins, self.stop_frame[train], side="left")
        before = np.searchsorted(ends, self.start_frame[train], side="right") - 1
        far = 2 * self.gap_frames
        ahead = np.where(
            after < begins.size,
            begins[np.minimum(after, begins.size - 1)] - self.stop_frame[train],
            far,
        )
        behind = np.where(
            before >= 0, self.start_frame[train] - ends[np.maximum(before, 0)], far
        )
        near: np.ndarray = np.minimum(ahead, behind) < self.gap_frames
        return ~near


def frame_samples(
    known: np.ndarray,
    *,
    first_frame: int,
    look_ahead_frames: int,
    n_blocks: int,
    gap_frames: int,
    trial_of_frame: np.ndarray | None = None,
) -> Samples:
    """Every frame with a known value as a sample.

    Parameters
    ----------
    known : numpy.ndarray of bool, (frames,)
        Where there is something to decode.
    first_frame : int
        Earlier frames have no full history and are left out.
    look_ahead_frames : int
        Frames after its own that a sample may look at; the last ones have none.
    n_blocks : int
        Contiguous stretches of equal length.
    trial_of_frame : numpy.ndarray of int, (frames,), optional
        Blocks to use instead; frames with -1 are left out. Whole trials need no gap.
    """
    usable = known.copy()
    usable[:first_frame] = False
    if look_ahead_frames:
        usable[-look_ahead_frames:] = False
    if trial_of_frame is not None:
        usable &= trial_of_frame >= 0
    frames = np.flatnonzero(usable)
    if trial_of_frame is not None:
        block = trial_of_frame[frames]
    else:
        # Blocks are equal in samples: a stretch without labels is nobody's fold.
        block = np.arange(frames.size) * n_blocks // max(frames.size, 1)
    now = frames + look_ahead_frames
    return Samples(
        per="frame",
        number=frames,
        start_frame=now,
        stop_frame=now + 1,
        block=block,
        gap_frames=0 if trial_of_frame is not None else gap_frames,
        whole_trials=trial_of_frame is not None,
    )


def trial_samples(
    trials: pd.DataFrame,
    known: np.ndarray,
    *,
    window_frames: tuple[int, int | None],
    first_frame: int,
    n_frames: int,
) -> Samples:
    """Every trial with a known label as a sample.

    Parameters
    ----------
    trials : pandas.DataFrame
        With `start_frame` and `stop_frame` (exclusive).
    known : numpy.ndarray of bool, (trials,)
    window_frames : (int, int or None)
        Frames from each trial's start that are looked at; None for its end. Trials that end
        earlier give what they have.
    first_frame, n_frames : int
        Frames before the first and after the last are not there.
    """
    start = trials["start_frame"].to_numpy(int)
    stop = trials["stop_frame"].to_numpy(int)
    first, last = window_frames
    begin = np.maximum(start + first, first_frame)
    end = np.minimum(stop if last is None else np.minimum(start + last, stop), n_frames)
    chosen = np.flatnonzero(known & (end > begin))
    return Samples(
        per="trial",
        number=chosen,
        start_frame=begin[chosen],
        stop_frame=end[chosen],
        block=chosen,
        gap_frames=0,
        whole_trials=True,
    )


def trials_from_column(column: "pd.Series[Any]") -> pd.DataFrame:
    """Runs of equal values of a column as trials: `start_frame`, `stop_frame`, `label`.

    Missing values and negative numbers lie between trials.
    """
    codes, labels = pd.factorize(column)
    if pd.api.types.is_numeric_dtype(column):
        codes = np.where(column.fillna(-1).to_numpy(float) < 0, -1, codes)
    change = np.flatnonzero(np.diff(codes)) + 1
    start = np.concatenate([[0], change])
    stop = np.concatenate([change, [codes.size]])
    inside = codes[start] >= 0
    return pd.DataFrame(
        {
            "start_frame": start[inside],
            "stop_frame": stop[inside],
            "label": np.asarray(labels)[codes[start[inside]]],
        }
    )
