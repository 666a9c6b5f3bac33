from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, r2_score

from napari_calm.core.errors import CalmError
from napari_calm.core.recording import Recording
from napari_calm.decoding.decode import decode

from .conftest import planted


@pytest.fixture(scope="module")
def speed(model, recording, states):
    return decode(model, recording, "speed", states=states)


@pytest.fixture(scope="module")
def running(model, recording, states):
    return decode(model, recording, "running", states=states)


def test_a_planted_speed_is_read_and_an_unrelated_one_is_not(model, recording, states, speed):
    assert speed.measure == "R2"
    assert speed.score.mean > 0.6
    assert speed.above_chance
    assert "above chance" in speed.verdict()
    assert speed.null.max() < 0.2
    unrelated = decode(model, recording, "unrelated", states=states)
    assert unrelated.score.mean < 0.15
    assert not unrelated.above_chance
    assert "not above chance" in unrelated.verdict()


def test_a_few_shifts_are_not_taken_for_a_test(model, recording, states):
    found = decode(model, recording, "speed", states=states, shifts=4, folds=2)
    assert found.p_value == pytest.approx(1 / 5)
    assert "too few shifts to tell from chance" in found.verdict()


def test_scores_are_means_over_held_out_folds(speed, running):
    truth = speed.truth
    by_fold = [
        r2_score(truth[speed.fold == fold], speed.outputs[speed.fold == fold, 0])
        for fold in range(5)
    ]
    assert speed.score.mean == pytest.approx(np.mean(by_fold))
    by_fold = [
        balanced_accuracy_score(
            running.truth[running.fold == fold],
            running.outputs[running.fold == fold].argmax(axis=1),
        )
        for fold in range(5)
    ]
    assert running.score.mean == pytest.approx(np.mean(by_fold))


def test_what_is_held_out_has_no_say_in_what_is_said_of_it(model, recording, states, speed):
    values = recording.behaviour["speed"].to_numpy().copy()
    held_out = speed.number[speed.fold == 2]
    values[held_out] = values[held_out][::-1] * 3 - 1
    changed = decode(model, recording, values, states=states, shifts=0)
    np.testing.assert_allclose(
        changed.outputs[speed.fold == 2], speed.outputs[speed.fold == 2], atol=1e-9
    )
    np.testing.assert_allclose(
        changed.reference_outputs[speed.fold == 2],
        speed.reference_outputs[speed.fold == 2],
        atol=1e-9,
    )
    assert (changed.outputs[speed.fold == 1] != speed.outputs[speed.fold == 1]).any()


def test_unbalanced_classes_are_read_and_their_errors_counted(recording, running):
    assert running.measure == "balanced accuracy"
    assert running.score.mean > 0.8
    np.testing.assert_allclose(running.outputs.sum(axis=1), 1)
    truth = recording.behaviour["running"].to_numpy()[running.number]
    decoded = np.array(["fast", "slow"])[running.outputs.argmax(axis=1)]
    share = np.mean(decoded[truth == "fast"] == "slow")
    assert running.confusion().loc["fast", "slow"] == pytest.approx(share)


def test_the_reference_is_a_logistic_regression_on_lagged_traces(recording, running):
    frames = running.number
    values = recording.traces.T
    test = running.fold == 0
    gap = np.abs(frames[:, None] - frames[test][None]).min(axis=1) > 25
    truth = recording.behaviour["running"].to_numpy()[frames]
    found = []
    for n_lags in (1, 4, 16):
        lagged = np.concatenate([values[frames - lag] for lag in range(n_lags)], axis=1)
        lagged = (lagged - lagged[gap].mean(axis=0)) / lagged[gap].std(axis=0)
        for strength in (1e-3, 1e-2, 1e-1):
            plain = LogisticRegression(C=strength, class_weight="balanced", max_iter=500)
            said = plain.fit(lagged[gap], truth[gap]).predict(lagged[test])
            found.append(balanced_accuracy_score(truth[test], said))
    mine = running.fold_scores(running.reference_outputs)[0]
    assert min(found) - 0.05 <= mine <= max(found) + 0.05


def test_a_heading_is_read_around_the_circle(model, recording, states):
    found = decode(model, recording, "heading", states=states, shifts=0)
    assert found.target.kind == "circular"
    assert found.score.mean > 0.7
    error = np.angle(np.exp(1j * (found.predicted - found.truth)))
    expected = np.rad2deg(np.abs(error).mean())
    assert found.further_scores()["mean_angular_error_deg"] == pytest.approx(expected)


def test_neurons_that_follow_the_speed_get_the_weight(speed):
    assert speed.neuron_weights.sum() == pytest.approx(1)
    assert speed.neuron_weights[::2].sum() > 0.65


def test_the_decoder_looks_at_no_later_frame(model, recording, speed):
    last = 300
    traces = recording.traces.copy()
    traces[:, last + 1 :] = 5.0 - traces[:, last + 1 :]
    before = speed.decoder.apply(model, recording).per_frame()
    after = speed.decoder.apply(model, replace(recording, traces=traces)).per_frame()
    np.testing.assert_array_equal(before[: last + 1], after[: last + 1])
    assert (before[last + 1 :] != after[last + 1 :]).all()


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("head", ["linear", "bilinear", "attention", "pooled"])
def test_every_head_reads_the_planted_speed(model, recording, states, head):
    found = decode(model, recording, "speed", states=states, head=head, folds=2)
    assert found.above_chance
    assert found.without_model is None
    assert found.neuron_weights.sum() == pytest.approx(1, rel=1e-5)
    assert found.decoder.reads_any_neurons == (head in ("attention", "pooled"))


def _cued(seed):
    rng = np.random.default_rng(seed)
    n_trials, length = 24, 20
    cue = rng.permutation(np.resize(["left", "right"], n_trials))
    traces = 0.5 * rng.standard_normal((10, n_trials * length))
    start = np.arange(n_trials) * length
    for first, side in zip(start, cue, strict=True):
        traces[:5, first + 5 : first + 12] += 1.0 if side == "left" else -1.0
    trials = pd.DataFrame({"start_frame": start, "stop_frame": start + 15, "cue": cue})
    return Recording(traces, 5.0, "cued", trials=trials)


def test_a_cue_is_read_from_its_trials(model):
    found = decode(model, _cued(0), "cue")
    assert found.target.per == "trial"
    assert found.score.mean > 0.9
    assert abs(found.null.mean() - 0.5) < 0.15
    assert "whole trials held out in 5 folds" in found.looks_at
    decoded = found.decoder.apply(model, _cued(0))
    middle = int(decoded.start_frame[3] + 2)
    assert decoded.text_at(middle).startswith(f"cue: {_cued(0).trials['cue'].iloc[3 + 1]}")
    assert decoded.text_at(int(decoded.stop_frame[3]) + 1) == ""


def test_the_window_of_a_trial_bounds_what_is_seen(model):
    early = decode(model, _cued(0), "cue", trial_window_s=(0.0, 0.8), shifts=0)
    assert early.score.mean < 0.75


def test_states_of_another_recording_are_refused(model, recording, states):
    other = replace(recording, traces=recording.traces[:5])
    with pytest.raises(CalmError, match="Make them again"):
        decode(model, other, "speed", states=states)


def test_neurons_that_are_left_out_have_no_say_and_no_weight(model):
    recording = planted(3)
    chosen = np.array([0, 1, 2, 4, 6, 7, 9])
    options = {"shifts": 2, "folds": 2}
    alone = decode(model, recording.select(chosen), "speed", **options)
    among = decode(model, recording, "speed", neurons=chosen, **options)
    np.testing.assert_array_equal(among.outputs, alone.outputs)
    np.testing.assert_array_equal(among.neuron_weights[chosen], alone.neuron_weights)
    assert np.isnan(np.delete(among.neuron_weights, chosen)).all()
    np.testing.assert_array_equal(among.roi_labels, recording.roi_labels)
