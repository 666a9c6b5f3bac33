"""Populations of many kinds, each animal with dynamics, optics and noise of its own.

The virtual mice of `session` all live in one maze. A model that is to carry to animals and
microscopes it has never seen learns from these, which share nothing but their variety.
"""

from collections.abc import Iterator

import numpy as np

from ..core.errors import CalmError
from ..core.recording import Recording, check_frame_rate
from .drives import DRIVES, log_uniform, relax, standardise
from .fluctuations import smooth_noise
from .fluorescence import Indicator, spikes_to_dff
from .session import random_stream

FRAME_RATE_RANGE_HZ = (1.3, 6.2)

# What a stream is for; session.py uses 0 to 3 after the animal.
_POPULATION, _SIZE = 4, 5


def simulate_population(
    *,
    seed: int,
    animal: int = 0,
    n_neurons: int = 60,
    n_frames: int = 1200,
    frame_rate_hz: float | None = None,
) -> Recording:
    """Simulate one animal whose kind of activity, indicator and noise are drawn at random.

    1. One to four kinds of shared activity (`drives.DRIVES`), under a slow common gain.
    2. Each neuron's own activity beside it; in some animals each ROI has a twin.
    3. A linear, softplus or exponential output, then no indicator at all, a rise and a
       decay, or Poisson spikes seen through an indicator; in some animals saturation.
    4. Drift, bleaching, shifts, neuropil and movement; noise from nearly none to more than the
       signal.

    Parameters
    ----------
    seed, animal : int
        Together they fix everything; not negative.
    n_neurons, n_frames : int
        At least 1 and 16.
    frame_rate_hz : float, optional
        Frames a second; if not given, the animal's own between 1.3 and 6.2 Hz. Time
        constants keep their seconds at every rate.

    Returns
    -------
    Recording
        Traces in arbitrary units of dF/F; ``source`` names the kinds that were drawn.

    Raises
    ------
    CalmError
        If a parameter is out of range.

    Examples
    --------
    >>> recording = simulate_population(seed=1, n_neurons=12, n_frames=300)
    >>> recording.name, recording.traces.shape
    ('population 1, animal 0', (12, 300))
    """
    for name, count, least in (
        ("seed", seed, 0),
        ("animal", animal, 0),
        ("n_neurons", n_neurons, 1),
        ("n_frames", n_frames, 16),
    ):
        if count < least:
            raise CalmError(f"simulation: {name} is {count}; expected at least {least}.")
    # A stream for each step: what one step draws does not change the others.
    streams = random_stream(seed, animal, _POPULATION).spawn(7)
    if frame_rate_hz is None:
        frame_rate_hz = float(log_uniform(streams[0], *FRAME_RATE_RANGE_HZ)[0])
    rate = check_frame_rate(frame_rate_hz, source="simulation")

    shape = (n_neurons, n_frames)
    shared, kinds = _shared_activity(streams[1], shape, rate)
    activity = _with_own_activity(streams[2], shared, rate)
    activity = _with_twins(streams[3], activity)
    fluorescence, optics = _fluorescence(streams[4], activity, rate)
    slow = _drift_and_artefacts(streams[5], shape, rate)
    traces = fluorescence + slow + _noise(streams[6], fluorescence, rate)
    return Recording(
        traces=traces,
        frame_rate_hz=rate,
        name=f"population {seed}, animal {animal}",
        source=(
            f"simulated population (seed {seed}, animal {animal}): {', '.join(kinds)}; {optics}"
        ),
    )


def simulate_populations(
    *,
    seed: int,
    n_animals: int,
    n_neurons: tuple[int, int] = (30, 120),
    n_frames: tuple[int, int] = (900, 2400),
    frame_rate_hz: tuple[float, float] = FRAME_RATE_RANGE_HZ,
) -> Iterator[Recording]:
    """Simulate `n_animals` animals, one after the other.

    Parameters
    ----------
    seed : int
        The one seed of all of them.
    n_neurons, n_frames : (int, int)
        Ranges, both ends included, that each animal's size is drawn from.
    frame_rate_hz : (float, float)
        Range of frame rates; each octave is equally likely.

    Yields
    ------
    Recording
        Animal 0, 1, ...; each made when it is asked for.

    Raises
    ------
    CalmError
        If a parameter is out of range, when the first animal is asked for.
    """
    for name, count, least in (("seed", seed, 0), ("n_animals", n_animals, 1)):
        if count < least:
            raise CalmError(f"simulation: {name} is {count}; expected at least {least}.")
    for name, (low, high), least in (
        ("n_neurons", n_neurons, 1),
        ("n_frames", n_frames, 16),
    ):
        if not least <= low <= high:
            raise CalmError(
                f"simulation: {name} is {(low, high)}; expected {least} <= fewest <= most."
            )
    slowest, fastest = frame_rate_hz
    if not 0 < slowest <= fastest < np.inf:
        raise CalmError(
            f"simulation: frame_rate_hz is {frame_rate_hz}; expected 0 < slowest <= fastest."
        )
    for animal in range(n_animals):
        rng = random_stream(seed, animal, _SIZE)
        yield simulate_population(
            seed=seed,
            animal=animal,
            n_neurons=int(rng.integers(*n_neurons, endpoint=True)),
            n_frames=int(rng.integers(*n_frames, endpoint=True)),
            frame_rate_hz=float(log_uniform(rng, slowest, fastest)[0]),
        )


def _shared_activity(
    rng: np.random.Generator, shape: tuple[int, int], rate: float
) -> tuple[np.ndarray, list[str]]:
    """Sum of one to four kinds, (neurons, frames) with unit variance, and their names."""
    n_neurons, n_frames = shape
    n_kinds = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.3, 0.2, 0.15]))
    kinds = rng.choice(list(DRIVES), n_kinds, replace=False)
    strength = log_uniform(rng, 0.15, 1, n_kinds)
    # Neurons differ in which of the kinds they follow most.
    follow = np.exp(rng.uniform(0, 1) * rng.standard_normal((n_kinds, n_neurons, 1)))
    gain_spread, gain_s = rng.uniform(0, 0.4), float(log_uniform(rng, 20, 200)[0])
    *of_kind, of_gain = rng.spawn(n_kinds + 1)
    total = np.zeros(shape)
    for kind, size, own, stream in zip(kinds, strength, follow, of_kind, strict=True):
        drive = DRIVES[kind](stream, n_neurons, n_frames, rate)
        total += size * own * standardise(drive)
    gain = smooth_noise(of_gain, (n_frames,), frame_rate_hz=rate, time_constant_s=gain_s)
    return standardise(total * np.exp(gain_spread * gain)), [str(kind) for kind in kinds]


def _with_own_activity(rng: np.random.Generator, shared: np.ndarray, rate: float) -> np.ndarray:
    """Add what each neuron does alone: fluctuations of its own speed, or sparse events."""
    n_neurons = len(shared)
    typical = rng.choice([0.03, 0.1, 0.25, 0.6])
    share = rng.beta(6 * typical, 6 * (1 - typical), (n_neurons, 1)).clip(0.01, 0.95)
    # A few speeds an animal: a filter serves many neurons at once.
    speeds_s = log_uniform(rng, 0.3, 40, 4)
    speed_of_neuron = rng.integers(len(speeds_s), size=n_neurons)
    eventful = rng.random(n_neurons) < rng.choice([0.0, 0.3, 0.9])
    every_s = float(log_uniform(rng, 4, 60)[0])

    steps = rng.standard_normal(shared.shape)
    happens = rng.random(shared.shape) < 1 / (every_s * rate)
    # A faint fluctuation goes on under the events, so no neuron is silent throughout.
    steps = np.where(eventful[:, None], 6 * happens * np.abs(steps) + 0.1 * steps, steps)
    own = np.empty(shared.shape)
    for number, speed_s in enumerate(speeds_s):
        of_speed = speed_of_neuron == number
        own[of_speed] = relax(steps[of_speed], speed_s, rate)
    return standardise(np.sqrt(1 - share) * shared + np.sqrt(share) * standardise(own))


def _with_twins(rng: np.random.Generator, activity: np.ndarray) -> np.ndarray:
    """Make the second half of the neurons near copies of the first, in some animals."""
    likeness = rng.uniform(0.5, 0.98)
    half = len(activity) // 2
    if rng.random() < 0.3 and half:
        own = activity[half : 2 * half]
        twins = likeness * activity[:half] + np.sqrt(1 - likeness**2) * own
        activity = np.concatenate([activity[:half], twins, activity[2 * half :]])
    return activity


def _fluorescence(
    rng: np.random.Generator, activity: np.ndarray, rate: float
) -> tuple[np.ndarray, str]:
    """Activity as an indicator shows it, with unit variance, and how it was made."""
    output = str(rng.choice(["linear", "softplus", "exponential"], p=[0.35, 0.4, 0.25]))
    optics = str(rng.choice(["no indicator", "indicator", "spikes"], p=[0.3, 0.5, 0.2]))
    shape = (len(activity), 1)
    gain = log_uniform(rng, 0.5, 2.2) * np.exp(0.3 * rng.standard_normal(shape))
    threshold = rng.uniform(-0.5, 2.6) + 0.4 * rng.standard_normal(shape)
    rise_s, decay_s = float(log_uniform(rng, 0.03, 0.4)[0]), float(log_uniform(rng, 0.2, 3)[0])
    rate_hz = log_uniform(rng, 0.3, 8) * np.exp(0.5 * rng.standard_normal(shape))
    saturation = rng.uniform(1.5, 4) if rng.random() < 0.25 else np.inf

    drive = gain * activity
    if output == "softplus":
        drive = np.logaddexp(0, 4 * gain * (activity - threshold)) / 4
    elif output == "exponential":
        drive = np.exp(np.minimum(drive, 4))
    if optics == "indicator":
        drive = relax(relax(drive, rise_s, rate), decay_s, rate)
    elif optics == "spikes":
        firing = np.maximum(drive, 0) + 0.02
        firing *= rate_hz / firing.mean(axis=1, keepdims=True)
        spikes = rng.poisson(firing / rate)
        peak_s, half_decay_s = rise_s, 1.7 * rise_s + 0.7 * decay_s
        indicator = Indicator("drawn", peak_s, half_decay_s, peak_dff=0.2)
        drive = spikes_to_dff(spikes, indicator, frame_rate_hz=rate, rng=rng)
    bright = standardise(drive)
    if np.isfinite(saturation):
        bright = standardise(np.tanh(bright / saturation))
    return bright, f"{output} output, {optics}"


def _drift_and_artefacts(
    rng: np.random.Generator, shape: tuple[int, int], rate: float
) -> np.ndarray:
    """What moves the baseline, (neurons, frames): some of five things, in some animals.

    Each neuron's drift, bleaching, one lasting shift of all levels (food found, focus
    moved), and the neuropil and movement that all neurons share.
    """
    n_neurons, n_frames = shape
    drift, bleaching, shift, neuropil, movement = log_uniform(rng, 0.05, 3, 5) * (
        rng.random(5) < [0.7, 0.4, 0.35, 0.5, 0.25]
    )
    spread = rng.uniform(0.2, 1.2, (4, 1, 1))
    size = np.exp(spread * rng.standard_normal((4, n_neurons, 1)))
    drift_s, bleaching_s = log_uniform(rng, 60, 1500), log_uniform(rng, 60, 900)
    shift_s, neuropil_s = log_uniform(rng, 1, 60), log_uniform(rng, 0.5, 30)
    movement_s, every_s = log_uniform(rng, 0.1, 1), log_uniform(rng, 10, 100)
    to_level, direction = rng.standard_normal((2, n_neurons, 1))
    direction += rng.choice([0.0, 1.0])
    shift_after = rng.uniform(0.1, 0.9) * n_frames

    def fluctuation(n: int, time_constant_s: np.ndarray) -> np.ndarray:
        return smooth_noise(
            rng, (n, n_frames), frame_rate_hz=rate, time_constant_s=float(time_constant_s[0])
        )

    frame = np.arange(n_frames)
    since_shift_s = np.maximum(frame - shift_after, 0) / rate
    moved = rng.random(n_frames) < 1 / (every_s * rate)
    jolts = relax(moved * rng.standard_normal(n_frames), float(movement_s[0]), rate)
    total: np.ndarray = (
        drift * size[0] * fluctuation(n_neurons, drift_s)
        + bleaching * size[1] * 2 * np.exp(-frame / rate / bleaching_s)
        + shift * size[2] * 1.5 * to_level * (1 - np.exp(-since_shift_s / shift_s))
        + neuropil * size[3] * fluctuation(1, neuropil_s)
        + movement / 4 * direction * standardise(jolts)
    )
    return total


def _noise(rng: np.random.Generator, fluorescence: np.ndarray, rate: float) -> np.ndarray:
    """Noise of the camera: white or a little correlated, with or without the light's own."""
    shape = fluorescence.shape
    typical, spread = log_uniform(rng, 0.04, 2.0), rng.uniform(0.1, 0.7)
    size = typical * np.exp(spread * rng.standard_normal((shape[0], 1)))
    correlated, correlation_s = rng.random() < 0.3, rng.uniform(0.05, 0.4)
    with_light = rng.random() < 0.35
    noise = rng.standard_normal(shape)
    if correlated:
        noise = standardise(relax(noise, correlation_s, rate))
    if with_light:
        # Photon noise has the variance of the light, which a dark level keeps above 0.
        light = fluorescence - fluorescence.min(axis=1, keepdims=True) + 0.5
        noise = noise * np.sqrt(light / light.mean(axis=1, keepdims=True))
    scaled: np.ndarray = size * noise
    return scaled
