"""What the animal does: trials in a virtual Y-maze, run on a treadmill."""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from .fluctuations import smooth_noise

STEM_CM = 120.0
ARM_CM = 60.0
MAZE_CM = STEM_CM + ARM_CM
CUE_END_CM = 60.0

# The paper's release keeps trials of 60 to 200 frames at 6 Hz.
SHORTEST_TRIAL_S = 10.0
LONGEST_TRIAL_S = 200 / 6
SHORTEST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 4.0

SIDES = ("left", "right")


def simulate_behaviour(
    rng: np.random.Generator,
    *,
    n_trials: int,
    frame_rate_hz: float,
    accuracy: float = 0.8,
    median_trial_s: float = 15.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run `n_trials` trials: along the stem, past the cue, then into one of two arms.

    Parameters
    ----------
    accuracy : float
        Probability that the animal turns to the side of the cue.
    median_trial_s : float
        Median length of a trial in seconds; single trials vary between
        `SHORTEST_TRIAL_S` and `LONGEST_TRIAL_S`.

    Returns
    -------
    behaviour : pandas.DataFrame
        One row a frame: ``time_s``, ``trial`` (-1 between trials), ``position_cm`` (along
        stem, then arm; 0 between trials, where the animal waits at the start), and the
        treadmill's ``velocity_pitch_mm_per_s`` (forward), ``velocity_roll_mm_per_s``
        (sideways) and ``velocity_yaw_rad_per_s`` (turning; positive to the right).
    trials : pandas.DataFrame
        One row a trial: ``start_frame``, ``stop_frame`` (exclusive), ``cue`` and ``choice``
        (left or right) and ``correct``.
    """
    trials = _draw_trials(rng, n_trials, frame_rate_hz, accuracy, median_trial_s)
    last_pause = _pause_frames(rng, 1, frame_rate_hz)[0]
    n_frames = int(trials["stop_frame"].iloc[-1] + last_pause)

    trial_of_frame = np.full(n_frames, -1)
    phase = np.zeros(n_frames)
    side = np.zeros(n_frames)
    for number, (start, stop) in enumerate(
        zip(trials.start_frame, trials.stop_frame, strict=True)
    ):
        trial_of_frame[start:stop] = number
        phase[start:stop] = (np.arange(stop - start) + 0.5) / (stop - start)
        side[start:stop] = 1.0 if trials.choice[number] == "right" else -1.0

    speed_cm_per_s, position_cm = _run(rng, trials, trial_of_frame, phase, frame_rate_hz)
    yaw, roll = _turn(rng, speed_cm_per_s, position_cm, side, frame_rate_hz)
    behaviour = pd.DataFrame(
        {
            "time_s": np.arange(n_frames) / frame_rate_hz,
            "trial": trial_of_frame,
            "position_cm": position_cm,
            "velocity_pitch_mm_per_s": 10 * speed_cm_per_s,
            "velocity_roll_mm_per_s": roll,
            "velocity_yaw_rad_per_s": yaw,
        }
    )
    return behaviour, trials


def _pause_frames(rng: np.random.Generator, n: int, frame_rate_hz: float) -> np.ndarray:
    seconds = rng.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S, n)
    return np.maximum(1, np.round(seconds * frame_rate_hz)).astype(int)


def _draw_trials(
    rng: np.random.Generator,
    n_trials: int,
    frame_rate_hz: float,
    accuracy: float,
    median_trial_s: float,
) -> pd.DataFrame:
    seconds = median_trial_s * np.exp(0.25 * rng.standard_normal(n_trials))
    # The tiny offsets keep limits that are whole frames whole in floating point.
    shortest = int(np.ceil(SHORTEST_TRIAL_S * frame_rate_hz - 1e-6))
    longest = max(shortest, int(np.floor(LONGEST_TRIAL_S * frame_rate_hz + 1e-6)))
    n_frames = np.clip(np.round(seconds * frame_rate_hz).astype(int), shortest, longest)
    pauses = _pause_frames(rng, n_trials, frame_rate_hz)
    start = np.cumsum(pauses) + np.cumsum(n_frames) - n_frames

    # Both sides equally often, in random order, as in most two-choice tasks.
    cue = rng.permutation(np.arange(n_trials) % 2)
    correct = rng.random(n_trials) < accuracy
    choice = np.where(correct, cue, 1 - cue)
    sides = np.array(SIDES)
    return pd.DataFrame(
        {
            "start_frame": start,
            "stop_frame": start + n_frames,
            "cue": sides[cue],
            "choice": sides[choice],
            "correct": correct,
        }
    )


def _run(
    rng: np.random.Generator,
    trials: pd.DataFrame,
    trial_of_frame: np.ndarray,
    phase: np.ndarray,
    frame_rate_hz: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Forward speed in cm/s and position in cm; speed integrates to position exactly."""
    n_frames = trial_of_frame.size
    in_trial = trial_of_frame >= 0
    # Set off, slow down before the junction, stop for the reward.
    effort = np.minimum(1.0, 12 * phase) * np.minimum(1.0, 10 * (1 - phase) + 0.1)
    effort *= 1 - 0.5 * np.exp(-(((phase - STEM_CM / MAZE_CM) / 0.08) ** 2))
    effort = np.where(in_trial, effort, 0.04)
    effort *= np.exp(
        0.35 * smooth_noise(rng, (n_frames,), frame_rate_hz=frame_rate_hz, time_constant_s=1.2)
    )
    inertia = np.exp(-1 / (0.4 * frame_rate_hz))
    effort = lfilter([1 - inertia], [1.0, -inertia], effort)

    speed = effort * MAZE_CM / 15
    position = np.zeros(n_frames)
    for start, stop in zip(trials.start_frame, trials.stop_frame, strict=True):
        path = np.cumsum(effort[start:stop]) / frame_rate_hz
        speed[start:stop] = effort[start:stop] * MAZE_CM / path[-1]
        position[start:stop] = path * (MAZE_CM / path[-1])
    return speed, position


def _turn(
    rng: np.random.Generator,
    speed_cm_per_s: np.ndarray,
    position_cm: np.ndarray,
    side: np.ndarray,
    frame_rate_hz: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Yaw in rad/s and roll in mm/s: a quarter turn at the junction, and wobble."""
    spread_cm = 12.0
    rad_per_cm = (np.pi / 2) * np.exp(-0.5 * ((position_cm - STEM_CM) / spread_cm) ** 2)
    rad_per_cm /= spread_cm * np.sqrt(2 * np.pi)
    wobble = smooth_noise(
        rng, (2, speed_cm_per_s.size), frame_rate_hz=frame_rate_hz, time_constant_s=0.6
    )
    liveliness = 0.2 + speed_cm_per_s / speed_cm_per_s.mean()
    yaw = side * rad_per_cm * speed_cm_per_s + 0.12 * liveliness * wobble[0]
    roll = 12 * yaw + 6 * liveliness * wobble[1]
    return yaw, roll
