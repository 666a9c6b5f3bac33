import numpy as np
import pytest

from napari_calm.simulate.behaviour import CUE_END_CM, MAZE_CM
from napari_calm.simulate.session import simulate_session
from napari_calm.simulate.tuning import FEATURES, GROUP_SHARES, GROUPS, task_features


@pytest.fixture(scope="module")
def session():
    return simulate_session(seed=3, n_neurons=200, n_trials=60, accuracy=0.6)


def d_prime(a, b):
    return np.abs(a.mean(axis=1) - b.mean(axis=1)) / np.sqrt(
        (a.var(axis=1) + b.var(axis=1)) / 2
    )


def trial_means(session, first_cm, last_cm):
    """Mean of the noisy traces over a stretch of the maze, (neurons, trials)."""
    recording = session.recording
    behaviour = recording.behaviour
    means = []
    for trial in range(len(recording.trials)):
        at = (behaviour["trial"] == trial) & behaviour["position_cm"].between(first_cm, last_cm)
        means.append(recording.traces[:, at].mean(axis=1))
    return np.stack(means, axis=1)


def strongest(selectivity, group, name):
    """Median selectivity in the group and in the others."""
    return np.median(selectivity[group == name]), np.median(selectivity[group != name])


def test_cue_neurons_tell_the_cue_apart_where_it_is_seen(session):
    left = session.recording.trials["cue"].to_numpy() == "left"
    means = trial_means(session, 10, CUE_END_CM)
    inside, outside = strongest(
        d_prime(means[:, left], means[:, ~left]), session.truth.group, "cue"
    )
    assert inside > 1
    assert inside > 3 * outside


def test_choice_neurons_tell_the_choice_apart_in_the_arm(session):
    left = session.recording.trials["choice"].to_numpy() == "left"
    means = trial_means(session, 130, MAZE_CM)
    inside, outside = strongest(
        d_prime(means[:, left], means[:, ~left]), session.truth.group, "choice"
    )
    assert inside > 1
    assert inside > 3 * outside


def position_information_bits(session):
    """Skaggs information (bits a spike) of the spikes about 12 position bins."""
    behaviour, spikes = session.recording.behaviour, session.truth.spikes.astype(float)
    running = (behaviour["trial"] >= 0).to_numpy()
    bins = np.minimum((behaviour["position_cm"] / MAZE_CM * 12).astype(int), 11).to_numpy()
    occupancy = np.array([(bins[running] == b).mean() for b in range(12)])
    rate = np.stack([spikes[:, running & (bins == b)].mean(axis=1) for b in range(12)], axis=1)
    relative = rate / (rate @ occupancy)[:, None]
    return (occupancy * relative * np.log2(np.maximum(relative, 1e-12))).sum(axis=1)


def test_position_neurons_carry_most_information_about_position(session):
    inside, outside = strongest(
        position_information_bits(session), session.truth.group, "position"
    )
    assert inside > 2 * outside


def test_position_fields_tile_the_maze(session):
    tuning = session.truth.tuning
    centers = np.sort(tuning.loc[tuning["group"] == "position", "place_center_cm"])
    assert centers[0] < 15
    assert centers[-1] > MAZE_CM - 15
    assert np.diff(centers).max() < 15


def test_running_neurons_follow_the_forward_velocity_most(session):
    pitch = session.recording.behaviour["velocity_pitch_mm_per_s"].to_numpy()
    follows = np.array([abs(np.corrcoef(pitch, rate)[0, 1]) for rate in session.truth.rates_hz])
    inside, outside = strongest(follows, session.truth.group, "running")
    assert inside > 0.4
    assert inside > 1.5 * outside


def test_ungrouped_neurons_have_only_secondary_weights(session):
    tuning = session.truth.tuning
    weights = tuning[[f"weight_{name}" for name in FEATURES]].abs()
    ungrouped = tuning["group"] == "ungrouped"
    assert weights[ungrouped].max().max() < weights[~ungrouped].max(axis=1).median()
    # Mixed selectivity: nobody is tuned to one thing alone.
    assert ((weights > 0).sum(axis=1) == len(FEATURES)).all()


def test_without_mixed_selectivity_a_neuron_is_tuned_to_its_group_only():
    tuning = simulate_session(n_neurons=60, n_trials=2, mixed_selectivity=0.0).truth.tuning
    weights = tuning[[f"weight_{name}" for name in FEATURES]].to_numpy()
    for name in ("cue", "choice"):
        others = np.delete(weights[tuning["group"] == name], FEATURES.index(name), axis=1)
        assert (others == 0).all()
    assert (weights[tuning["group"].isin(["position", "ungrouped"])] == 0).all()
    assert (tuning.loc[tuning["group"] != "position", "place_amplitude"] == 0).all()


def test_groups_have_about_the_wanted_shares_and_add_up():
    groups = np.concatenate(
        [simulate_session(animal=a, n_neurons=201, n_trials=1).truth.group for a in range(12)]
    )
    assert set(groups) == set(GROUPS)
    for name, share in GROUP_SHARES.items():
        assert (groups == name).mean() == pytest.approx(share, abs=0.05)


def test_shared_latents_make_neurons_of_different_groups_fluctuate_together():
    def mean_correlation(strength):
        session = simulate_session(
            n_neurons=100,
            n_trials=10,
            latent_strength=strength,
            group_shares={"ungrouped": 1},
            mixed_selectivity=0.0,
        )
        correlation = np.corrcoef(np.log(session.truth.rates_hz + 1e-9))
        return np.abs(correlation[np.triu_indices(100, 1)]).mean()

    assert mean_correlation(0.5) > 0.3
    rates = simulate_session(
        n_neurons=5,
        n_trials=2,
        latent_strength=0.0,
        group_shares={"ungrouped": 1},
        mixed_selectivity=0.0,
    ).truth.rates_hz
    assert (np.ptp(rates, axis=1) < 1e-12).all()


def test_features_are_causal_in_position_and_signed_by_side(session):
    recording = session.recording
    features = task_features(recording.behaviour, recording.trials, frame_rate_hz=6.0)
    for row in recording.trials.itertuples():
        cue = features[0, row.start_frame : row.stop_frame]
        choice = features[1, row.start_frame : row.stop_frame]
        assert (np.sign(cue) == (1 if row.cue == "right" else -1)).all()
        assert (np.sign(choice) == (1 if row.choice == "right" else -1)).all()
        assert np.abs(choice[0]) < 0.01  # not decided at the start
        assert np.abs(choice[-1]) > 0.99
    before_first = features[:2, : recording.trials["start_frame"][0]]
    assert (before_first == 0).all()
