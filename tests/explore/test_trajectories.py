from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.explore.trajectories import population_states, trajectories


@pytest.fixture(scope="module")
def states(model, task):
    return model.represent(task)


def test_components_of_the_mean_state_are_its_principal_ones(model, task, states):
    found = trajectories(model, task, of="mean", representation=states)
    pca = PCA(3).fit(states.hidden.mean(axis=0))
    np.testing.assert_allclose(found.explained, pca.explained_variance_ratio_, rtol=1e-4)
    scores = pca.transform(states.hidden.mean(axis=0))
    r = np.corrcoef(found.states[0, 3::4], scores[:, 0])[0, 1]
    assert abs(r) == pytest.approx(1)


def test_a_frame_shows_the_newest_token_that_is_complete(model, task, states):
    found = trajectories(model, task, representation=states)
    assert np.isnan(found.states[:, :3]).all()
    assert np.isfinite(found.states[:, 3:]).all()
    steps = np.flatnonzero(np.diff(found.states[0, 3:]) != 0)
    assert (steps % 4 == 3).all()


def test_averages_are_of_the_trials_that_still_run(model, task, states):
    trials = task.trials.copy()
    # Half of the right trials and one of them end early.
    right = np.flatnonzero(trials["cue"] == "right")
    trials.loc[right[:7], "stop_frame"] -= 10
    cut = replace(task, trials=trials)
    found = trajectories(model, cut, by="cue", representation=states)
    assert found.trial_types == ("left", "right")
    assert found.counts[:, 35].tolist() == [12, 5]
    assert np.isnan(found.averages[1, :, 30:]).all()
    assert np.isfinite(found.averages[0, :, 30:]).all()
    starts = trials["start_frame"].to_numpy()[right]
    at = found.states[:, starts + 20]
    np.testing.assert_allclose(found.averages[1, :, 20], at.mean(axis=1), rtol=1e-4)
    error = at.std(axis=1, ddof=1) / np.sqrt(12)
    np.testing.assert_allclose(found.errors[1, :, 20], error, rtol=1e-4)
    table = found.averages_table()
    row = table[(table["cue"] == "right") & (table["frame_from_start"] == 20)].iloc[0]
    assert row["trials"] == 12
    assert row["pc2"] == pytest.approx(found.averages[1, 1, 20])


def test_all_neurons_side_by_side_hold_more_than_their_mean(task, states):
    assert population_states(states, task, "mean").shape == (240, 16)
    assert population_states(states, task).shape == (240, 12 * 8)


def test_columns_without_trial_types_are_refused(model, task, states):
    with pytest.raises(RecordingError, match="'position_cm' is a value a frame"):
        trajectories(model, task, by="position_cm", representation=states)
    with pytest.raises(CalmError, match="unknown kind 'sum'"):
        trajectories(model, task, of="sum", representation=states)
    with pytest.raises(CalmError, match="999 components of 240 tokens"):
        trajectories(model, task, n_components=999, representation=states)
