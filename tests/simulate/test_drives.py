import numpy as np
import pytest

from napari_calm.simulate.drives import (
    DRIVES,
    log_uniform,
    mixing_weights,
    relax,
    ring_bump,
    standardise,
)

KINDS = pytest.mark.parametrize("kind", DRIVES)


def correlation_after(signals, seconds, frame_rate_hz):
    lag = round(seconds * frame_rate_hz)
    units = standardise(signals)
    return (units[:, lag:] * units[:, :-lag]).mean()


@KINDS
def test_every_neuron_is_driven_and_a_stream_gives_the_same_drive_again(kind):
    for seed in range(20):
        drive = DRIVES[kind](np.random.default_rng(seed), 15, 400, 4.0)
        assert drive.shape == (15, 400)
        assert np.isfinite(drive).all()
        assert (drive.std(axis=1) > 0).all()
        again = DRIVES[kind](np.random.default_rng(seed), 15, 400, 4.0)
        np.testing.assert_array_equal(drive, again)


@KINDS
def test_time_constants_keep_their_seconds_at_three_times_the_frame_rate(kind):
    def correlations(frame_rate_hz):
        drives = [
            DRIVES[kind](np.random.default_rng(s), 8, int(400 * frame_rate_hz), frame_rate_hz)
            for s in range(40)
        ]
        return [
            np.mean([correlation_after(drive, seconds, frame_rate_hz) for drive in drives])
            for seconds in (1.0, 3.0, 8.0)
        ]

    np.testing.assert_allclose(correlations(2.0), correlations(6.0), atol=0.08)


@KINDS
def test_neurons_share_what_drives_them(kind):
    strongest = []
    for seed in range(20):
        drive = DRIVES[kind](np.random.default_rng(seed), 20, 1200, 4.0)
        strongest.append(np.linalg.eigvalsh(np.corrcoef(drive))[-5:].sum() / 20)
    # Five directions of independent noise would hold little more than 5/20.
    assert np.median(strongest) > 0.5


def test_on_the_ring_neighbours_agree_more_than_opposite_neurons():
    nearer = []
    for seed in range(30):
        drive = ring_bump(np.random.default_rng(seed), 32, 2000, 4.0)
        correlation = np.corrcoef(drive)
        # 32 neurons are one turn of the ring, or 16 + 16 with two populations; 4 apart
        # is then an eighth or a quarter of a turn, 8 apart a quarter or the opposite.
        at = {apart: np.diagonal(correlation[:16, :16], apart).mean() for apart in (1, 4, 8)}
        nearer.append(at[1] > at[4] > at[8])
    assert np.mean(nearer) > 0.8


@pytest.mark.parametrize("frame_rate_hz", [2.0, 20.0])
def test_relaxing_covers_all_but_one_eth_of_a_step_in_one_time_constant(frame_rate_hz):
    step = np.ones(200)
    step[0] = 0.0
    followed = relax(step, 3.0, frame_rate_hz)
    assert followed[0] == 0
    assert followed[int(3 * frame_rate_hz)] == pytest.approx(1 - np.exp(-1))
    np.testing.assert_allclose(relax(np.full(50, 7.0), 3.0, frame_rate_hz), 7)


def test_standardising_gives_unit_rows_and_leaves_constants_at_zero():
    rows = np.stack([np.arange(50.0), np.full(50, 3.0), 1e6 + np.sin(np.arange(50))])
    units = standardise(rows)
    np.testing.assert_allclose(units.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(units.std(axis=1), [1, 0, 1], atol=1e-9)


def test_octaves_are_equally_likely():
    drawn = log_uniform(np.random.default_rng(0), 0.5, 8, 20_000)
    counts, _ = np.histogram(drawn, [0.5, 1, 2, 4, 8])
    np.testing.assert_allclose(counts / drawn.size, 0.25, atol=0.015)


def test_mixing_is_sometimes_sparse_sometimes_dense_and_leaves_no_neuron_out():
    densities, negatives = [], []
    for seed in range(60):
        weights = mixing_weights(np.random.default_rng(seed), 40, 8)
        assert (weights != 0).any(axis=1).all()
        densities.append((weights != 0).mean())
        negatives.append((weights < 0).sum() / (weights != 0).sum())
    assert min(densities) < 0.35
    assert max(densities) == 1
    assert min(negatives) == 0
    assert max(negatives) > 0.4
