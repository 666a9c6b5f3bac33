"""From a recording and a variable to samples that can be dealt into folds."""

from dataclasses import replace

import numpy as np

from ..core.errors import CalmError, RecordingError
from ..core.recording import Recording
from .problem import Problem
from .samples import Samples, frame_samples, trial_samples
from .settings import Settings
from .states import FrameStates
from .target import Target
from .views import Inputs

FEWEST_TRIALS = 8
FEWEST_FRAMES = 60
BLOCKS_PER_FOLD = 2
# A class has to be there in training and test, and in the folds inside the training set.
FEWEST_BLOCKS_OF_A_CLASS = 3


def prepare(
    recording: Recording, target: Target, settings: Settings, states: FrameStates | None
) -> tuple[Problem, list[str]]:
    """Make the problem that heads are given.

    Parameters
    ----------
    states : FrameStates, optional
        Hidden states of the recording; without them only traces can be read.

    Returns
    -------
    (Problem, list of str)
        The problem, and names of classes that are too rare to be tested and were left out.

    Raises
    ------
    CalmError
        If there are too few trials, frames or classes.
    """
    if settings.smooth_s > 0:
        target = smoothed(target, settings.smooth_s * recording.frame_rate_hz)
    first_frame = 0 if states is None else states.first_frame
    samples = _samples(recording, target, settings, first_frame)
    _check_number(target, samples)
    left_out = _rare_classes(target, samples)
    if left_out:
        target = target.without_classes(left_out[0])
        samples = _samples(recording, target, settings, first_frame)
        _check_number(target, samples)
    problem = Problem(
        Inputs(recording.traces.T, None if states is None else states.coordinates),
        samples,
        _checked(target, samples),
        seed=settings.seed,
    )
    return problem, left_out[1] if left_out else []


def every_sample(
    recording: Recording, settings: Settings, per: str, first_frame: int
) -> Samples:
    """All frames or trials that a decoder can say something of, whatever the behaviour.

    Raises
    ------
    RecordingError
        If it reads trials and the recording has none.
    """
    if per == "trial":
        n_trials = len(trial_table(recording))
        return _trial_samples(recording, np.ones(n_trials, bool), settings, first_frame)
    return frame_samples(
        np.ones(recording.n_frames, bool),
        first_frame=first_frame,
        look_ahead_frames=_frames(settings.look_ahead_s, recording),
        n_blocks=1,
        gap_frames=0,
    )


def smoothed(target: Target, window_frames: float) -> Target:
    """Return the variable as its mean over the last frames; of unit vectors for angles."""
    length = max(1, round(window_frames))
    if target.kind == "classes" or target.per == "trial" or length == 1:
        return target
    known = target.known
    outputs = np.where(known[:, None], target.outputs(np.arange(known.size)), 0.0)
    sums = np.cumsum(np.concatenate([outputs, known[:, None]], axis=1), axis=0)
    sums[length:] = sums[length:] - sums[:-length]
    mean = sums[:, :-1] / np.maximum(sums[:, -1:], 1)
    values = mean[:, 0] if target.kind == "continuous" else np.arctan2(mean[:, 1], mean[:, 0])
    return replace(target, values=np.where(known, values, np.nan))


def trial_table(recording: Recording) -> np.ndarray:
    """First frame of each trial and the frame after its last, (trials, 2).

    Raises
    ------
    RecordingError
        If there are no trials, or one is empty or lies outside the recording.
    """
    where = recording.source or recording.name
    if recording.trials is None or len(recording.trials) == 0:
        raise RecordingError(f"{where}: there is no trial table; decoding trials needs one.")
    limits = recording.trials[["start_frame", "stop_frame"]].to_numpy(float)
    wrong = ~np.isfinite(limits).all(axis=1)
    wrong |= (limits[:, 0] < 0) | (limits[:, 1] > recording.n_frames)
    wrong |= limits[:, 1] <= limits[:, 0]
    if wrong.any():
        number = int(np.flatnonzero(wrong)[0])
        start, stop = limits[number]
        raise RecordingError(
            f"{where}: trial {number} goes from frame {start:g} to {stop:g}; expected a start "
            f"before its end, within the recording's {recording.n_frames} frames."
        )
    return limits.astype(np.int64)


def _samples(
    recording: Recording, target: Target, settings: Settings, first_frame: int
) -> Samples:
    if target.per == "trial":
        return _trial_samples(recording, target.known, settings, first_frame)
    n_trials = 0 if recording.trials is None else len(recording.trials)
    by_trials = settings.blocks == "trials" or (
        settings.blocks == "auto" and n_trials >= max(FEWEST_TRIALS, settings.folds)
    )
    trial_of_frame = None
    if by_trials:
        trial_of_frame = np.full(recording.n_frames, -1)
        for number, (start, stop) in enumerate(trial_table(recording)):
            trial_of_frame[start:stop] = number
    return frame_samples(
        target.known,
        first_frame=first_frame,
        look_ahead_frames=_frames(settings.look_ahead_s, recording),
        n_blocks=BLOCKS_PER_FOLD * settings.folds,
        gap_frames=_frames(settings.gap_s, recording),
        trial_of_frame=trial_of_frame,
    )


def _trial_samples(
    recording: Recording, known: np.ndarray, settings: Settings, first_frame: int
) -> Samples:
    trial_table(recording)
    assert recording.trials is not None
    first, last = settings.trial_window_s
    return trial_samples(
        recording.trials,
        known,
        window_frames=(
            _frames(first, recording),
            None if last is None else max(1, _frames(last, recording)),
        ),
        first_frame=first_frame,
        n_frames=recording.n_frames,
    )


def _frames(seconds: float, recording: Recording) -> int:
    return round(seconds * recording.frame_rate_hz)


def _check_number(target: Target, samples: Samples) -> None:
    n_blocks = np.unique(samples.block).size
    if samples.whole_trials and n_blocks < FEWEST_TRIALS:
        raise CalmError(
            f"{target.name}: only {n_blocks} trials have a known value and frames after the "
            f"model's first context; testing a decoder takes at least {FEWEST_TRIALS}. "
            "Record more trials, or decode a value that is known at every frame."
        )
    if samples.per == "frame" and len(samples) < FEWEST_FRAMES:
        raise CalmError(
            f"{target.name}: only {len(samples)} frames have a known value and lie after the "
            f"model's first context; testing a decoder takes at least {FEWEST_FRAMES}."
        )


def _rare_classes(target: Target, samples: Samples) -> tuple[list[int], list[str]] | None:
    if target.kind != "classes":
        return None
    codes = target.values[samples.number]
    what = "trials" if samples.whole_trials else "stretches"
    n_blocks = {
        code: np.unique(samples.block[codes == code]).size
        for code in range(len(target.classes))
    }
    rare = [code for code, n in n_blocks.items() if n < FEWEST_BLOCKS_OF_A_CLASS]
    if not rare:
        return None
    if len(target.classes) - len(rare) < 2:
        found = ", ".join(f"{target.classes[code]} in {n}" for code, n in n_blocks.items())
        raise CalmError(
            f"{target.name}: of {np.unique(samples.block).size} {what} that can be held out, "
            f"found {found}. Telling classes apart takes two that occur in at least "
            f"{FEWEST_BLOCKS_OF_A_CLASS} each; record more, or decode another variable."
        )
    return rare, [target.classes[code] for code in rare]


def _checked(target: Target, samples: Samples) -> Target:
    """The target, if it still varies over the frames or trials that can be decoded."""
    values = target.values[samples.number]
    if np.ptp(values) == 0:
        raise CalmError(
            f"{target.name}: its value is the same in all {len(samples)} {target.per}s after "
            "the model's first context; decoding takes a variable that varies."
        )
    return target
