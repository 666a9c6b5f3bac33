import numpy as np
import pandas as pd
import pytest

from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel

N_TRIALS, TRIAL_FRAMES = 24, 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def model():
    return CalmModel.random(seed=3, context_frames=16, max_frames=64)


@pytest.fixture(scope="session")
def task():
    """Four cue, four position and four untuned neurons over 24 trials of two cues, 6 Hz."""
    rng = np.random.default_rng(1)
    n_frames = N_TRIALS * TRIAL_FRAMES
    starts = np.arange(N_TRIALS) * TRIAL_FRAMES
    cue = rng.permutation(np.arange(N_TRIALS) % 2)
    # Half of the runs go back: strictly periodic behaviour would survive a shift.
    run = np.linspace(0, 100, TRIAL_FRAMES)
    position = np.concatenate([run[::way] for way in rng.choice([-1, 1], N_TRIALS)])
    side = np.repeat(2.0 * cue - 1, TRIAL_FRAMES)
    signs = np.array([1, 1, -1, -1])[:, None]
    centres = np.array([20.0, 40.0, 60.0, 80.0])[:, None]
    traces = np.concatenate([
        signs * side,
        2 * np.exp(-0.5 * ((position - centres) / 10) ** 2),
        np.zeros((4, n_frames)),
    ]) + rng.normal(0, 0.6, (12, n_frames))  # fmt: skip
    return Recording(
        traces,
        6.0,
        name="planted",
        behaviour=pd.DataFrame(
            {
                "time_s": np.arange(n_frames) / 6,
                "position_cm": position,
                "still": np.zeros(n_frames),
            }
        ),
        trials=pd.DataFrame(
            {
                "start_frame": starts,
                "stop_frame": starts + TRIAL_FRAMES,
                "cue": np.array(["left", "right"])[cue],
            }
        ),
    )
