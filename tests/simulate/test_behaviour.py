import numpy as np
import pytest

from napari_calm.simulate.behaviour import MAZE_CM, STEM_CM, simulate_behaviour


def behave(seed=0, **options):
    options = {"n_trials": 30, "frame_rate_hz": 6.0} | options
    return simulate_behaviour(np.random.default_rng(seed), **options)


def test_trials_last_60_to_200_frames_at_6_hz_and_vary():
    def frames(median_trial_s):
        _, trials = behave(n_trials=300, median_trial_s=median_trial_s)
        return trials["stop_frame"] - trials["start_frame"]

    assert frames(11.0).min() == 60
    assert frames(28.0).max() == 200
    assert frames(15.0).between(60, 200).all()
    assert frames(15.0).std() > 10


@pytest.mark.parametrize("frame_rate_hz", [3.0, 15.0, 30.0])
def test_trials_keep_their_length_in_seconds_at_other_frame_rates(frame_rate_hz):
    behaviour, trials = behave(frame_rate_hz=frame_rate_hz)
    seconds = (trials["stop_frame"] - trials["start_frame"]) / frame_rate_hz
    assert seconds.min() >= 10
    assert seconds.max() <= 200 / 6
    assert np.allclose(np.diff(behaviour["time_s"]), 1 / frame_rate_hz)


def test_trial_table_and_frame_table_agree_and_leave_pauses():
    behaviour, trials = behave()
    assert trials["start_frame"].min() > 0
    assert trials["stop_frame"].max() < len(behaviour)
    assert (trials["start_frame"][1:].to_numpy() > trials["stop_frame"][:-1].to_numpy()).all()
    expected = np.full(len(behaviour), -1)
    for number, row in trials.iterrows():
        expected[row["start_frame"] : row["stop_frame"]] = number
    np.testing.assert_array_equal(behaviour["trial"], expected)


def test_forward_velocity_integrates_to_the_position():
    behaviour, trials = behave()
    for start, stop in zip(trials["start_frame"], trials["stop_frame"], strict=True):
        trial = behaviour.iloc[start:stop]
        walked_cm = np.cumsum(trial["velocity_pitch_mm_per_s"] / 10 / 6.0)
        np.testing.assert_allclose(trial["position_cm"], walked_cm, rtol=1e-9)
        assert trial["position_cm"].iloc[-1] == pytest.approx(MAZE_CM)


def test_running_is_smooth_and_stops_between_trials():
    behaviour, _ = behave()
    pitch = behaviour["velocity_pitch_mm_per_s"].to_numpy()
    assert np.corrcoef(pitch[1:], pitch[:-1])[0, 1] > 0.85
    running = behaviour["trial"] >= 0
    assert pitch[running].mean() > 8 * pitch[~running][6:].mean()


def test_the_animal_turns_to_the_side_it_chooses_by_a_quarter_turn():
    behaviour, trials = behave(n_trials=100)
    turned = []
    for row in trials.itertuples():
        trial = behaviour.iloc[row.start_frame : row.stop_frame]
        near = (trial["position_cm"] - STEM_CM).abs() < 30
        side = 1 if row.choice == "right" else -1
        turned.append(side * trial.loc[near, "velocity_yaw_rad_per_s"].sum() / 6.0)
    assert np.mean(turned) == pytest.approx(np.pi / 2, rel=0.1)


def test_choices_follow_the_cue_as_often_as_the_accuracy_says():
    _, trials = behave(n_trials=2000, accuracy=0.7)
    assert ((trials["cue"] == trials["choice"]) == trials["correct"]).all()
    assert trials["correct"].mean() == pytest.approx(0.7, abs=0.04)
    assert (trials["cue"] == "left").mean() == 0.5


def test_every_velocity_and_length_has_its_unit_in_its_name():
    behaviour, _ = behave(n_trials=1)
    assert list(behaviour) == [
        "time_s",
        "trial",
        "position_cm",
        "velocity_pitch_mm_per_s",
        "velocity_roll_mm_per_s",
        "velocity_yaw_rad_per_s",
    ]
    assert np.isfinite(behaviour.to_numpy()).all()
