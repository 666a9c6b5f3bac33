import os
import time
from pathlib import Path

import numpy as np
import pytest

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.simulate.drives import DRIVES
from napari_calm.simulate.populations import simulate_population, simulate_populations

DATA = Path(os.environ.get("CALM_DATA", Path(__file__).parents[3] / "shared" / "data"))


def autocorrelation(traces, lag):
    centred = traces - traces.mean(axis=1, keepdims=True)
    return (centred[:, lag:] * centred[:, :-lag]).mean(axis=1) / centred.var(axis=1)


def statistics(traces):
    """Typical memory, roughness and dimension of one animal."""
    traces = np.asarray(traces, float)
    units = (traces - traces.mean(axis=1, keepdims=True)) / traces.std(axis=1, keepdims=True)
    variances = np.linalg.eigvalsh(np.corrcoef(traces))[::-1]
    return {
        "lag 1": np.median(autocorrelation(traces, 1)),
        "lag 16": np.median(autocorrelation(traces, 16)),
        "roughness": np.median(np.diff(units, axis=1).std(axis=1)),
        "skewness": np.median((units**3).mean(axis=1)),
        "first 3": variances[:3].sum() / variances.sum(),
    }


@pytest.fixture(scope="module")
def animals():
    return list(simulate_populations(seed=0, n_animals=100, n_neurons=(30, 60)))


@pytest.fixture(scope="module")
def spread(animals):
    found = [statistics(recording.traces) for recording in animals]
    return {name: np.array([animal[name] for animal in found]) for name in found[0]}


def test_seed_and_animal_fix_every_byte():
    first = simulate_population(seed=3, animal=2, n_neurons=20, n_frames=200)
    again = simulate_population(seed=3, animal=2, n_neurons=20, n_frames=200)
    assert first.traces.tobytes() == again.traces.tobytes()
    assert (first.frame_rate_hz, first.source) == (again.frame_rate_hz, again.source)
    assert first.name == "population 3, animal 2"


def test_animals_and_seeds_are_unrelated():
    options = {"n_neurons": 20, "n_frames": 3000, "frame_rate_hz": 4.0}
    traces = [
        simulate_population(seed=s, animal=a, **options).traces
        for s, a in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    # Differences, because slow traces of limited length correlate by chance.
    steps = [np.diff(t, axis=1) for t in traces]
    for i in range(4):
        for j in range(i):
            between = np.corrcoef(steps[i], steps[j])[:20, 20:]
            assert np.abs(between).mean() < 0.05


def test_animals_of_a_batch_match_single_ones_and_their_ranges():
    options = {"n_neurons": (5, 9), "n_frames": (100, 150), "frame_rate_hz": (2.0, 3.0)}
    batch = list(simulate_populations(seed=4, n_animals=6, **options))
    assert len({recording.n_neurons for recording in batch}) > 1
    for animal, recording in enumerate(batch):
        assert 5 <= recording.n_neurons <= 9
        assert 100 <= recording.n_frames <= 150
        assert 2.0 <= recording.frame_rate_hz <= 3.0
        alone = simulate_population(
            seed=4,
            animal=animal,
            n_neurons=recording.n_neurons,
            n_frames=recording.n_frames,
            frame_rate_hz=recording.frame_rate_hz,
        )
        np.testing.assert_array_equal(alone.traces, recording.traces)
    fewer = list(simulate_populations(seed=4, n_animals=2, **options))
    np.testing.assert_array_equal(fewer[1].traces, batch[1].traces)


def test_an_animal_keeps_its_kinds_and_time_constants_at_another_frame_rate():
    def memory(frame_rate_hz):
        recordings = [
            simulate_population(
                seed=1,
                animal=animal,
                n_neurons=20,
                n_frames=int(400 * frame_rate_hz),
                frame_rate_hz=frame_rate_hz,
            )
            for animal in range(40)
        ]
        after_2_s = [
            autocorrelation(recording.traces, int(2 * frame_rate_hz)).mean()
            for recording in recordings
        ]
        return np.array(after_2_s), [recording.source for recording in recordings]

    slow, slow_kinds = memory(2.0)
    fast, fast_kinds = memory(6.0)
    assert slow_kinds == fast_kinds
    assert np.mean(slow) == pytest.approx(np.mean(fast), abs=0.05)
    assert np.corrcoef(slow, fast)[0, 1] > 0.85


def test_traces_are_finite_single_precision_and_vary(animals):
    for recording in animals:
        assert recording.traces.dtype == np.float32
        assert np.isfinite(recording.traces).all()
        assert (recording.traces.std(axis=1) > 0).all()


def test_animals_differ_widely_in_memory_roughness_and_dimension(spread):
    low = {name: np.percentile(values, 5) for name, values in spread.items()}
    high = {name: np.percentile(values, 95) for name, values in spread.items()}
    assert low["lag 1"] < 0.55
    assert high["lag 1"] > 0.95
    assert low["roughness"] < 0.25
    assert high["roughness"] > 0.9
    assert low["first 3"] < 0.35
    assert high["first 3"] > 0.75
    assert low["skewness"] < 0.3
    assert high["skewness"] > 2


def test_every_kind_output_and_optics_occurs(animals):
    sources = " ".join(recording.source for recording in animals)
    wanted = {*DRIVES, "linear output", "softplus output", "exponential output"}
    wanted |= {"no indicator", ", indicator", "spikes"}
    assert {name for name in wanted if name not in sources} == set()


@pytest.mark.parametrize("species", ["worm", "fly", "zebrafish"])
def test_the_spread_covers_real_animals(species, spread):
    files = sorted((DATA / species).glob("*.npz"))
    if not files:
        pytest.skip(f"no recordings in {DATA / species}; set CALM_DATA to their folder")
    real_animals = [_real_statistics(file) for file in files]
    for name, simulated in spread.items():
        lowest, highest = np.percentile(simulated, [1, 99])
        inside = [lowest <= real[name] <= highest for real in real_animals]
        assert np.mean(inside) >= 0.8, name


def _real_statistics(file):
    with np.load(file, allow_pickle=False) as recording:
        traces, rate_hz = recording["traces"].astype(float), float(recording["fps"])
    # Recordings above the range are binned in time by whole frames.
    step = 1 if np.isnan(rate_hz) else int(np.ceil(rate_hz / 6.2 - 1e-6))
    n_frames = traces.shape[1] // step
    traces = traces[:, : n_frames * step].reshape(len(traces), n_frames, step).mean(axis=2)
    return statistics(traces[np.ptp(traces, axis=1) > 0])


def test_one_neuron_and_the_shortest_recording_are_possible():
    for animal in range(40):
        simulate_population(seed=0, animal=animal, n_neurons=1, n_frames=16)


def test_ten_animals_of_60_neurons_and_1500_frames_take_less_than_two_seconds_of_cpu():
    start = time.process_time()
    for animal in range(10):
        simulate_population(seed=0, animal=animal, n_neurons=60, n_frames=1500)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"animal": -2}, "animal is -2"),
        ({"n_neurons": 0}, "n_neurons is 0"),
        ({"n_frames": 15}, "n_frames is 15; expected at least 16"),
    ],
)
def test_parameters_out_of_range_are_named(wrong, message):
    with pytest.raises(CalmError, match=message):
        simulate_population(**{"seed": 0} | wrong)


def test_a_frame_rate_of_zero_is_refused():
    with pytest.raises(RecordingError, match="0 Hz"):
        simulate_population(seed=0, frame_rate_hz=0.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_animals": 0}, "n_animals is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"n_neurons": (9, 3)}, r"n_neurons is \(9, 3\)"),
        ({"n_frames": (5, 30)}, r"n_frames is \(5, 30\); expected 16"),
        ({"frame_rate_hz": (0.0, 3.0)}, r"frame_rate_hz is \(0.0, 3.0\)"),
    ],
)
def test_batch_parameters_out_of_range_are_named(wrong, message):
    with pytest.raises(CalmError, match=message):
        next(simulate_populations(**{"seed": 0, "n_animals": 1} | wrong))
