"""Virtual sessions from one seed: behaviour, neurons, fluorescence, and the truth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from ..core.errors import CalmError
from ..core.recording import Recording, check_frame_rate
from .behaviour import simulate_behaviour
from .fluorescence import Indicator, find_indicator, slow_drift, spikes_to_dff
from .tuning import (
    FEATURES,
    GROUP_SHARES,
    GROUPS,
    Population,
    draw_latents,
    draw_population,
    firing_rates_hz,
    task_features,
)

# What a stream of random numbers is for; the last part of its key.
_TUNING, _ACTIVITY, FIELD_OF_VIEW, PHOTONS = range(4)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What is really going on in a simulated session.

    Parameters
    ----------
    group : numpy.ndarray of str, (neurons,)
        Functional group: cue, choice, position, running or ungrouped.
    tuning : pandas.DataFrame
        One row a neuron: weights on features and latents, place field, base rate, expression.
    rates_hz : numpy.ndarray, (neurons, frames)
        Firing rates.
    spikes : numpy.ndarray of int, (neurons, frames)
        Spikes in each frame.
    dff : numpy.ndarray, (neurons, frames)
        dF/F without drift and noise, float32.
    drift_dff : numpy.ndarray, (neurons, frames)
        The slow drift that the traces contain on top, float32.
    noise_dff : numpy.ndarray, (neurons,)
        Standard deviation of each trace's noise.
    latents : numpy.ndarray, (latents, frames)
        Shared fluctuations.

    Raises
    ------
    CalmError
        If the shapes do not fit.
    """

    group: np.ndarray
    tuning: pd.DataFrame
    rates_hz: np.ndarray
    spikes: np.ndarray
    dff: np.ndarray
    drift_dff: np.ndarray
    noise_dff: np.ndarray
    latents: np.ndarray

    def __post_init__(self) -> None:
        n_neurons, n_frames = self.dff.shape
        expected = {
            "group": (n_neurons,),
            "rates_hz": (n_neurons, n_frames),
            "spikes": (n_neurons, n_frames),
            "drift_dff": (n_neurons, n_frames),
            "noise_dff": (n_neurons,),
            "latents": (self.latents.shape[0], n_frames),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise CalmError(
                    f"ground truth: {name} has shape {getattr(self, name).shape}; expected "
                    f"{shape} for dff of {n_neurons} neurons x {n_frames} frames."
                )


@dataclass(frozen=True, eq=False)
class SimulatedSession:
    """A simulated recording beside its truth, and the seed that makes it again."""

    recording: Recording
    truth: GroundTruth
    seed: int
    animal: int
    session: int


def random_stream(seed: int, *key: int) -> np.random.Generator:
    """Random numbers that depend on nothing but `seed` and `key`.

    The key goes in as a spawn key: numpy pads plain seeds with zeros, so that
    ``default_rng([seed, 1])`` and ``default_rng([seed, 1, 0])`` are the same stream.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def simulate_session(
    *,
    seed: int = 0,
    animal: int = 0,
    session: int = 0,
    n_neurons: int = 100,
    n_trials: int = 20,
    frame_rate_hz: float = 6.0,
    indicator: str | Indicator = "gcamp6s",
    noise_dff: float = 0.1,
    drift_dff: float = 0.05,
    saturation_dff: float | None = None,
    accuracy: float = 0.8,
    mixed_selectivity: float = 0.25,
    latent_strength: float = 0.35,
    group_shares: Mapping[str, float] = GROUP_SHARES,
) -> SimulatedSession:
    """Simulate one session of a mouse in a virtual Y-maze under a two-photon microscope.

    An animal keeps its neurons over its sessions, with slightly drifting tuning; another
    animal or seed gives other neurons, rates, noise and habits.

    Parameters
    ----------
    seed, animal, session : int
        Together they fix everything; not negative.
    n_neurons, n_trials : int
        At least 1.
    frame_rate_hz : float
        Frames a second. Trials and kernels keep their length in seconds.
    indicator : str or Indicator
        ``gcamp6s``, ``gcamp6f``, or your own constants.
    noise_dff, drift_dff : float
        Standard deviation of white noise and of slow drift in dF/F. Single animals and
        neurons lie around them; what each neuron got is in the truth.
    saturation_dff : float, optional
        dF/F that traces cannot exceed; no limit if not given.
    accuracy : float
        Probability of a correct choice, 0 to 1; animals vary around it.
    mixed_selectivity, latent_strength : float
        Size of secondary weights and of shared fluctuations, on the logarithm of the rate.
    group_shares : mapping of str to float
        Share of the neurons in each functional group.

    Returns
    -------
    SimulatedSession
        The recording (traces, behaviour, trials) and the truth behind it.

    Raises
    ------
    CalmError
        If a parameter is out of range.

    Examples
    --------
    >>> session = simulate_session(seed=1, n_neurons=12, n_trials=3)
    >>> session.recording.n_neurons, sorted(set(session.recording.trials["cue"]))
    (12, ['left', 'right'])
    """
    frame_rate_hz = check_frame_rate(frame_rate_hz, source="simulation")
    used_indicator = find_indicator(indicator)
    for name, count, least in (
        ("seed", seed, 0),
        ("animal", animal, 0),
        ("session", session, 0),
        ("n_neurons", n_neurons, 1),
        ("n_trials", n_trials, 1),
    ):
        if count < least:
            raise CalmError(f"simulation: {name} is {count}; expected at least {least}.")
    for name, size in (
        ("noise_dff", noise_dff),
        ("drift_dff", drift_dff),
        ("mixed_selectivity", mixed_selectivity),
        ("latent_strength", latent_strength),
    ):
        if not 0 <= size < np.inf:
            raise CalmError(f"simulation: {name} is {size}; expected 0 or more.")
    if saturation_dff is not None and not saturation_dff > 0:
        raise CalmError(
            f"simulation: saturation_dff is {saturation_dff}; expected above 0, or None for "
            "no limit."
        )
    if not 0 <= accuracy <= 1:
        raise CalmError(f"simulation: accuracy is {accuracy}; expected a share from 0 to 1.")
    _check_group_shares(group_shares)

    population, habits = _animal(
        seed, animal, session, n_neurons, group_shares, mixed_selectivity, latent_strength
    )
    rng = random_stream(seed, animal, session, _ACTIVITY)
    behaviour, trials = simulate_behaviour(
        rng,
        n_trials=n_trials,
        frame_rate_hz=frame_rate_hz,
        accuracy=float(expit(logit(accuracy) + habits["accuracy_log_odds"])),
        median_trial_s=habits["median_trial_s"],
    )
    features = task_features(behaviour, trials, frame_rate_hz=frame_rate_hz)
    running = features[FEATURES.index("pitch")]
    latents = draw_latents(rng, running, frame_rate_hz=frame_rate_hz)
    rates_hz = firing_rates_hz(population, features, latents, behaviour)
    spikes = rng.poisson(rates_hz / frame_rate_hz).astype(np.uint16)
    dff = spikes_to_dff(
        spikes,
        used_indicator,
        frame_rate_hz=frame_rate_hz,
        rng=rng,
        amplitude=population.amplitude,
        saturation_dff=saturation_dff,
    )
    drift = drift_dff * slow_drift(rng, n_neurons, dff.shape[1], frame_rate_hz=frame_rate_hz)
    noise_of_neuron = noise_dff * habits["noise"] * np.exp(0.2 * rng.standard_normal(n_neurons))
    noise = noise_of_neuron[:, None] * rng.standard_normal(dff.shape)
    recording = Recording(
        traces=dff + drift + noise,
        frame_rate_hz=frame_rate_hz,
        name=f"animal {animal}, session {session}",
        source=f"simulation (seed {seed}, animal {animal}, session {session})",
        behaviour=behaviour,
        trials=trials,
    )
    truth = GroundTruth(
        group=population.group,
        tuning=population.table(),
        rates_hz=rates_hz,
        spikes=spikes,
        dff=dff.astype(np.float32),
        drift_dff=drift.astype(np.float32),
        noise_dff=noise_of_neuron,
        latents=latents,
    )
    return SimulatedSession(recording, truth, seed, animal, session)


def simulate_cohort(
    *,
    seed: int = 0,
    n_animals: int = 3,
    n_sessions: int = 2,
    n_neurons: int | tuple[int, int] = 100,
    **options: Any,
) -> Iterator[SimulatedSession]:
    """Simulate `n_sessions` sessions of each of `n_animals` animals, one after the other.

    Parameters
    ----------
    seed : int
        The one seed of the whole cohort.
    n_neurons : int or (int, int)
        Neurons an animal; a pair is a range (both ends included) to draw from.
    **options
        Anything else that `simulate_session` takes.

    Yields
    ------
    SimulatedSession
        Animal 0 session 0, animal 0 session 1, ...; each made when it is asked for.

    Raises
    ------
    CalmError
        If a parameter is out of range, when the first session is asked for.
    """
    for name, count in (("n_animals", n_animals), ("n_sessions", n_sessions)):
        if count < 1:
            raise CalmError(f"simulation: {name} is {count}; expected at least 1.")
    fewest, most = (n_neurons, n_neurons) if isinstance(n_neurons, int) else n_neurons
    if not 1 <= fewest <= most:
        raise CalmError(f"simulation: n_neurons is {n_neurons}; expected 1 <= fewest <= most.")
    counts = random_stream(seed).integers(fewest, most, n_animals, endpoint=True)
    for animal in range(n_animals):
        for session in range(n_sessions):
            yield simulate_session(
                seed=seed,
                animal=animal,
                session=session,
                n_neurons=int(counts[animal]),
                **options,
            )


def _animal(
    seed: int,
    animal: int,
    session: int,
    n_neurons: int,
    group_shares: Mapping[str, float],
    mixed_selectivity: float,
    latent_strength: float,
) -> tuple[Population, dict[str, float]]:
    """Draw the animal's neurons as they are in this session, and what is typical of it."""
    rng = random_stream(seed, animal, _TUNING)
    habits = {
        "accuracy_log_odds": float(0.3 * rng.standard_normal()),
        "median_trial_s": float(15 * np.exp(0.12 * rng.standard_normal())),
        "noise": float(np.exp(0.2 * rng.standard_normal())),
    }
    population = draw_population(
        rng,
        n_neurons,
        group_shares=group_shares,
        mixed_selectivity=mixed_selectivity,
        latent_strength=latent_strength,
    )
    for _ in range(session):
        population = population.next_session(rng)
    return population, habits


def _check_group_shares(group_shares: Mapping[str, float]) -> None:
    unknown = set(group_shares) - set(GROUPS)
    if unknown:
        raise CalmError(
            f"simulation: unknown functional group {', '.join(sorted(unknown))}; expected "
            f"some of {', '.join(GROUPS)}."
        )
    shares = list(group_shares.values())
    if min(shares, default=0) < 0 or not 0 < sum(shares) < np.inf:
        raise CalmError(
            f"simulation: group_shares are {dict(group_shares)}; expected numbers of 0 or "
            "more that are not all 0."
        )
