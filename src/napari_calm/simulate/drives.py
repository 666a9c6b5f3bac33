"""What can move a population of neurons: seven kinds of shared activity, each drawn anew.

Every kind is a function ``(rng, n_neurons, n_frames, frame_rate_hz)`` that returns the drive
of each neuron, (neurons, frames). It draws its constants first, in seconds, and its noise
afterwards, so that the same stream at another frame rate is the same animal, not another one.
"""

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from .fluctuations import rotating_noise, smooth_noise

Drive = Callable[[np.random.Generator, int, int, float], np.ndarray]


def log_uniform(
    rng: np.random.Generator, low: float, high: float, size: int | tuple[int, ...] = 1
) -> np.ndarray:
    """Draw numbers for which each octave between `low` and `high` is equally likely."""
    drawn: np.ndarray = np.exp(rng.uniform(np.log(low), np.log(high), size))
    return drawn


def standardise(signals: np.ndarray) -> np.ndarray:
    """Bring each row to mean 0 and standard deviation 1; a constant row becomes 0."""
    centred = signals - signals.mean(axis=-1, keepdims=True)
    deviation = centred.std(axis=-1, keepdims=True)
    constant = deviation <= 1e-9 * np.abs(signals).max(axis=-1, keepdims=True)
    scaled: np.ndarray = centred / np.where(constant, np.inf, deviation)
    return scaled


def relax(signals: np.ndarray, time_constant_s: float, frame_rate_hz: float) -> np.ndarray:
    """Follow `signals` (..., frames) exponentially, starting at their first frame."""
    keep = np.exp(-1 / (frame_rate_hz * time_constant_s))
    followed: np.ndarray = lfilter(
        [1 - keep], [1.0, -keep], signals, axis=-1, zi=keep * signals[..., :1]
    )[0]
    return followed


def relax_each(
    signals: np.ndarray, time_constants_s: np.ndarray, frame_rate_hz: float
) -> np.ndarray:
    """`relax` with a time constant a row."""
    return np.stack(
        [relax(s, t, frame_rate_hz) for s, t in zip(signals, time_constants_s, strict=True)]
    )


def mixing_weights(rng: np.random.Generator, n_neurons: int, n_latents: int) -> np.ndarray:
    """Draw how strongly neurons follow latents, (neurons, latents); each follows at least one.

    Sparse or dense, of one sign or both, of equal or log-normal size, and more or less alike
    within classes of neurons, as the draw wants it.
    """
    density, positive = rng.choice([0.15, 0.4, 1.0]), rng.choice([0.5, 0.75, 1.0])
    spread, alike = rng.uniform(0.1, 1.0), rng.choice([0.0, 0.6, 0.95])
    n_classes = int(log_uniform(rng, 1, max(2.0, n_neurons / 2))[0])

    def draw(n: int) -> np.ndarray:
        shape = (n, n_latents)
        sign = np.where(rng.random(shape) < positive, 1.0, -1.0)
        followed = rng.random(shape) < density
        followed[np.arange(n), rng.integers(n_latents, size=n)] = True
        drawn: np.ndarray = followed * sign * np.exp(spread * rng.standard_normal(shape))
        return drawn

    of_class = draw(n_classes)[rng.integers(n_classes, size=n_neurons)]
    weights: np.ndarray = alike * of_class + (1 - alike) * draw(n_neurons)
    return weights


def wandering(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """One to six Ornstein-Uhlenbeck latents of 0.3 to 60 s; half of them have momentum."""
    n_latents = int(rng.integers(1, 7))
    time_constants_s = log_uniform(rng, 0.3, 60, n_latents)
    momentum = rng.choice([0.01, 0.5], n_latents)
    weights = mixing_weights(rng, n_neurons, n_latents)
    latents = np.stack(
        [
            smooth_noise(rng, (n_frames,), frame_rate_hz=frame_rate_hz, time_constant_s=t)
            for t in time_constants_s
        ]
    )
    latents = relax_each(latents, momentum * time_constants_s, frame_rate_hz)
    drive: np.ndarray = weights @ standardise(latents)
    return drive


def oscillations(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """One to three damped oscillators with periods of 2 to 60 s."""
    n_pairs = int(rng.integers(1, 4))
    period_s = log_uniform(rng, 2, 60, n_pairs)
    time_constant_s = period_s * log_uniform(rng, 0.4, 6, n_pairs)
    weights = mixing_weights(rng, n_neurons, 2 * n_pairs)
    latents = [
        rotating_noise(
            rng, n_frames, frame_rate_hz=frame_rate_hz, period_s=p, time_constant_s=t
        )
        for p, t in zip(period_s, time_constant_s, strict=True)
    ]
    drive: np.ndarray = weights @ standardise(np.concatenate(latents))
    return drive


def linear_system(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """Follow a random stable linear system, through its modes.

    Fewer inputs than modes make one kick run through the modes as a sequence; the inputs
    are noise or rare kicks.
    """
    n_modes = int(rng.integers(2, 8))
    period_s = log_uniform(rng, 2, 80, n_modes)
    time_constant_s = period_s * log_uniform(rng, 0.15, 2, n_modes)
    n_inputs = int(rng.integers(1, n_modes + 1))
    coupling = rng.standard_normal((2, n_modes, n_inputs))
    kick_every_s = log_uniform(rng, 3, 20)
    rare = rng.random() < 0.4
    weights = mixing_weights(rng, n_neurons, 2 * n_modes)
    inputs = rng.standard_normal((n_inputs, n_frames))
    if rare:
        inputs *= rng.random(inputs.shape) < 1 / (kick_every_s * frame_rate_hz)
    pole = np.exp((2j * np.pi / period_s - 1 / time_constant_s) / frame_rate_hz)
    modes = [
        lfilter([1.0], [1.0, -p], row)
        for p, row in zip(pole, (coupling[0] + 1j * coupling[1]) @ inputs, strict=True)
    ]
    drive: np.ndarray = weights @ standardise(np.concatenate([np.real(modes), np.imag(modes)]))
    return drive


def ring_bump(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """A bump of activity that turns on a ring, seen by one or two populations.

    The angle turns with a persistent velocity, rests and jumps; width and height vary;
    the second population is shifted, and turning to either side favours one of them.
    """
    speed_rad_per_s, persistence_s = log_uniform(rng, 0.1, 2), log_uniform(rng, 0.3, 6)
    jump_every_s, height_s = log_uniform(rng, 15, 300), log_uniform(rng, 1, 30)
    concentration, turning_gain = log_uniform(rng, 0.6, 8), rng.uniform(0, 1.5)
    favour, height_spread = rng.uniform(0, 0.9), rng.uniform(0.1, 0.6)
    rest_threshold = rng.choice([-np.inf, 0.0, 0.7])
    n_populations = int(rng.integers(1, 3))
    place = n_populations * np.arange(n_neurons) / n_neurons
    second = np.floor(place)
    preferred_rad = 2 * np.pi * place + rng.uniform(0, np.pi) * second
    preferred_rad += rng.choice([0.05, 0.4]) * rng.standard_normal(n_neurons)
    gain = np.exp(rng.uniform(0.1, 0.6) * rng.standard_normal(n_neurons))

    def fluctuation(time_constant_s: float) -> np.ndarray:
        return smooth_noise(
            rng, (n_frames,), frame_rate_hz=frame_rate_hz, time_constant_s=time_constant_s
        )

    moving = fluctuation(10.0) > rest_threshold
    turning = moving * fluctuation(float(persistence_s[0]))
    jumps = rng.random(n_frames) < 1 / (jump_every_s * frame_rate_hz)
    angle_rad = np.cumsum(
        speed_rad_per_s * turning / frame_rate_hz + jumps * rng.uniform(-np.pi, np.pi, n_frames)
    )
    height = np.exp(height_spread * fluctuation(float(height_s[0])))
    height *= 1 + turning_gain * np.abs(turning)
    side = 1 - 2 * second if n_populations == 2 else np.zeros(n_neurons)
    favoured = 1 + favour * np.tanh(np.outer(side, turning))
    bump = np.exp(concentration * (np.cos(angle_rad - preferred_rad[:, None]) - 1))
    drive: np.ndarray = gain[:, None] * favoured * height * bump
    return drive


def switching_states(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """Behavioural states that follow each other: sharp or slow rise, ramp, plateau, decay.

    Two to six Markov states that last 2 to 40 s on average, as the command states of worms.
    """
    n_states, n_latents = int(rng.integers(2, 7)), int(rng.integers(1, 6))
    dwell_s = log_uniform(rng, 2, 40, n_states)
    follows = rng.dirichlet(np.full(n_states, 0.5), n_states) + 1e-3
    np.fill_diagonal(follows, 0)
    level, ramp, onset = rng.standard_normal((3, n_latents, n_states))
    ramp *= rng.choice([0.0, 1.5])
    onset *= rng.choice([0.0, 1.5])
    ramp_s, onset_s = log_uniform(rng, 5, 40), log_uniform(rng, 0.5, 5)
    rise_s, decay_s = log_uniform(rng, 0.1, 3, n_latents), log_uniform(rng, 0.3, 20, n_latents)
    weights = mixing_weights(rng, n_neurons, n_latents)

    states, starts = [int(rng.integers(n_states))], [0.0]
    while starts[-1] < n_frames / frame_rate_hz:
        # Gamma times of shape 2: few visits are very short.
        starts.append(starts[-1] + rng.gamma(2, dwell_s[states[-1]] / 2))
        after = follows[states[-1]]
        states.append(int(rng.choice(n_states, p=after / after.sum())))
    time_s = np.arange(n_frames) / frame_rate_hz
    visit = np.searchsorted(starts, time_s, side="right") - 1
    state, since_s = np.array(states)[visit], time_s - np.array(starts)[visit]
    course = level[:, state] + ramp[:, state] * (1 - np.exp(-since_s / ramp_s))
    course += onset[:, state] * np.exp(-since_s / onset_s)
    # The larger of the course and its slow follower rises at once and decays slowly.
    course = np.maximum(course, relax_each(course, decay_s, frame_rate_hz))
    drive: np.ndarray = weights @ standardise(relax_each(course, rise_s, frame_rate_hz))
    return drive


def stimulus_responses(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """Transients after one to four stimuli, in trials that come regularly or irregularly.

    Two to eight response shapes, each with its own delay, rise, decay and adaptation.
    """
    n_stimuli, n_latents = int(rng.integers(1, 5)), int(rng.integers(2, 9))
    gap_s, jitter = float(log_uniform(rng, 4, 40)[0]), rng.choice([0.0, 0.1, 0.8])
    length_s = gap_s * rng.uniform(0.05, 0.5)
    strength_spread = rng.uniform(0, 0.6)
    stimulus = np.arange(n_latents) % n_stimuli
    delay_s = rng.uniform(0, 2, n_latents)
    rise_s, decay_s = log_uniform(rng, 0.05, 1, n_latents), log_uniform(rng, 0.2, 8, n_latents)
    adaptation = rng.choice([0.0, 0.6, 1.0], n_latents)
    adaptation_s = log_uniform(rng, 0.5, 8, n_latents)
    weights = mixing_weights(rng, n_neurons, n_latents)

    duration_s = n_frames / frame_rate_hz
    n_trials = max(3, int(duration_s / gap_s))
    gaps_s = gap_s * (1 - jitter + jitter * rng.exponential(size=n_trials))
    onset_s = rng.uniform(0, gap_s) + np.cumsum(gaps_s) - gaps_s[0]
    shown = rng.permutation(np.arange(n_trials) % n_stimuli)
    strength = np.exp(strength_spread * rng.standard_normal(n_trials))
    time_s = np.arange(n_frames) / frame_rate_hz
    since_s = time_s - delay_s[:, None]
    trial = np.searchsorted(onset_s, since_s, side="right") - 1
    on = (trial >= 0) & (since_s - onset_s[trial] < length_s)
    course = on * (shown[trial] == stimulus[:, None]) * strength[trial]
    course -= adaptation[:, None] * relax_each(course, adaptation_s, frame_rate_hz)
    course = np.maximum(course, relax_each(course, decay_s, frame_rate_hz))
    drive: np.ndarray = weights @ standardise(relax_each(course, rise_s, frame_rate_hz))
    return drive


def assemblies(
    rng: np.random.Generator, n_neurons: int, n_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """Three to twelve groups of neurons that burst together, each every 8 to 80 s."""
    n_groups = int(rng.integers(3, 13))
    every_s, fade_s = log_uniform(rng, 8, 80, n_groups), log_uniform(rng, 0.3, 5, n_groups)
    reliability, size_shape = rng.uniform(0.4, 1), rng.uniform(0.8, 5)
    weights = np.exp(0.5 * rng.standard_normal((n_neurons, n_groups)))
    member = rng.random(weights.shape) < rng.uniform(0.05, 0.3)
    member[np.arange(n_neurons), rng.integers(n_groups, size=n_neurons)] = True
    drive = np.zeros((n_neurons, n_frames))
    for group in range(n_groups):
        members = np.flatnonzero(member[:, group])
        n_bursts = max(3, rng.poisson(n_frames / frame_rate_hz / every_s[group]))
        frames = rng.integers(n_frames, size=n_bursts)
        joins = rng.random((members.size, n_bursts)) < reliability
        joins[:, 0] = True  # no member is silent throughout
        bursts = np.zeros((n_frames, members.size))
        np.add.at(bursts, frames, (joins * rng.gamma(size_shape, size=n_bursts)).T)
        shape = relax(bursts.T, fade_s[group], frame_rate_hz)
        # Undo the filter's gain: a burst is as high at every frame rate.
        height = 1 - np.exp(-1 / (frame_rate_hz * fade_s[group]))
        drive[members] += weights[members, group, None] * shape / height
    return drive


DRIVES: dict[str, Drive] = {
    "wandering": wandering,
    "oscillations": oscillations,
    "linear system": linear_system,
    "ring": ring_bump,
    "states": switching_states,
    "stimuli": stimulus_responses,
    "assemblies": assemblies,
}
