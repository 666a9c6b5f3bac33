from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.recording import Recording
from napari_calm.explore.selectivity import feature_table, selectivity, trial_means
from napari_calm.explore.tuning import Tuning, visit_errors


def test_planted_tuning_is_found_and_nothing_else(task):
    cue = selectivity(task, "cue", draws=199)
    assert cue.significant().tolist() == [True] * 4 + [False] * 8
    assert (np.sign(cue.d_prime[:4]) == [1, 1, -1, -1]).all()
    position = selectivity(task, "position_cm", draws=199)
    assert position.significant().tolist() == [False] * 4 + [True] * 4 + [False] * 4
    peaks = position.bin_centres[position.preferred[4:8]]
    np.testing.assert_allclose(peaks, [20, 40, 60, 80], atol=8)


def test_d_prime_of_two_classes_is_the_textbook_formula(task):
    found = selectivity(task, "cue", draws=20)
    means = trial_means(task)
    right = (task.trials["cue"] == "right").to_numpy()
    a, b = means[:, right], means[:, ~right]
    expected = (a.mean(1) - b.mean(1)) / np.sqrt((a.var(1, ddof=1) + b.var(1, ddof=1)) / 2)
    np.testing.assert_allclose(found.d_prime, expected)


def test_d_prime_of_more_classes_is_the_preferred_against_all_others(task):
    kind = np.resize([0, 1, 2], len(task.trials))
    recording = replace(task, trials=task.trials.assign(kind=kind))
    found = selectivity(recording, "kind", draws=20)
    means = trial_means(task)
    for neuron, preferred in enumerate(found.preferred):
        a, b = means[neuron, kind == preferred], means[neuron, kind != preferred]
        expected = (a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        assert found.d_prime[neuron] == pytest.approx(expected)


def test_explained_is_the_eta_squared_of_an_analysis_of_variance(task):
    found = selectivity(task, "cue", draws=20)
    means = trial_means(task)
    right = (task.trials["cue"] == "right").to_numpy()
    f = f_oneway(means[:, right], means[:, ~right], axis=1).statistic
    np.testing.assert_allclose(found.explained, f / (f + len(right) - 2))


def test_slow_signals_that_know_nothing_of_each_other_are_not_selective():
    # Frame by frame such signals correlate; a permutation of frames would call many selective.
    rng = np.random.default_rng(5)
    slow = np.cumsum(rng.normal(size=(41, 1500)), axis=1)
    slow -= np.linspace(0, 1, 1500) * slow[:, -1:]
    recording = Recording(slow[:40], 6.0, behaviour=pd.DataFrame({"speed": slow[40]}))
    found = selectivity(recording, "speed", draws=199)
    assert found.explained.mean() > 0.1
    assert found.p_value.mean() == pytest.approx(0.5, abs=0.2)
    assert found.significant().mean() <= 0.1


def test_frames_without_a_value_are_left_out(task):
    position = task.behaviour["position_cm"].to_numpy().copy()
    position[300:] = np.nan
    shown = selectivity(
        replace(task, behaviour=pd.DataFrame({"position_cm": position})),
        "position_cm",
        draws=20,
    )
    assert shown.occupancy.sum() == pytest.approx(300 / 6)
    known = task.traces[:, :300]
    weights = shown.occupancy / shown.occupancy.sum()
    np.testing.assert_allclose(shown.tuning @ weights, known.mean(axis=1), atol=1e-5)


def test_a_window_takes_its_part_of_every_trial(task):
    means = trial_means(task, (1.0, 2.0))
    np.testing.assert_allclose(means[:, 2], task.traces[:, 86:92].mean(axis=1), atol=1e-6)
    with pytest.raises(RecordingError, match="24 of 24 trials end before the window"):
        trial_means(task, (7.0, 8.0))
    with pytest.raises(CalmError, match="window_s is for trial columns"):
        selectivity(task, "position_cm", window_s=(0, 1))


def test_errors_count_visits_and_not_frames(rng):
    # Each visit of 50 frames has one level; its frames repeat it.
    levels = rng.normal(size=40)
    responses = np.repeat(levels, 50)[None]
    codes = np.repeat(np.arange(40) % 2, 50)
    tuning = Tuning(responses, np.eye(2)[codes], ("a", "b"), np.arange(2.0))
    _, errors = visit_errors(tuning, per_trial=False)
    expected = [levels[k::2].std(ddof=1) / np.sqrt(20) for k in (0, 1)]
    np.testing.assert_allclose(errors[0], expected)


def test_rare_classes_and_constant_columns_are_refused(task):
    rare = task.trials.assign(kind=["odd", *["usual"] * 23])
    with pytest.raises(RecordingError, match="'odd' of the column 'kind' occurs in 1 trial;"):
        selectivity(replace(task, trials=rare), "kind")
    with pytest.raises(RecordingError, match="'still' holds 1 different value"):
        selectivity(task, "still")
    with pytest.raises(CalmError, match="draws 5"):
        selectivity(task, "cue", draws=5)


def test_features_stand_side_by_side(task):
    found = [selectivity(task, name, draws=20) for name in ("cue", "position_cm")]
    table = feature_table(found)
    assert list(table)[:4] == ["neuron", "roi_label", "cue: d'", "cue: explained"]
    assert set(table["cue: preferred"]) <= {"left", "right"}
    np.testing.assert_array_equal(table["position_cm: q"], found[1].q_value)
    with pytest.raises(CalmError, match="no result"):
        feature_table([])
