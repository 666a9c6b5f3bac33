"""What the neurons answer to: functional groups, mixed selectivity, shared latents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import expit

from .behaviour import CUE_END_CM, MAZE_CM, STEM_CM
from .fluctuations import rotating_noise, smooth_noise

GROUP_SHARES = {"cue": 0.2, "choice": 0.2, "position": 0.3, "running": 0.15, "ungrouped": 0.15}
GROUPS = tuple(GROUP_SHARES)

FEATURES = ("cue", "choice", "pitch", "roll", "yaw")
LATENTS = ("arousal", "rotation_a", "rotation_b")

HIGHEST_RATE_HZ = 25.0


@dataclass(frozen=True, eq=False)
class Population:
    """The neurons of one animal in one session, one entry a neuron.

    Parameters
    ----------
    group : numpy.ndarray of str, (neurons,)
        The functional group, one of `GROUPS`.
    weights : numpy.ndarray, (neurons, features)
        Change of the logarithm of the rate a unit of each of `FEATURES`. Left is -1 and
        right is +1 in cue and choice, so the sign is the preferred side.
    place_amplitude, place_center_cm, place_width_cm : numpy.ndarray, (neurons,)
        Gaussian place field along the maze, on the logarithm of the rate.
    latent_weights : numpy.ndarray, (neurons, latents)
        The same for the shared fluctuations `LATENTS`.
    base_rate_hz : numpy.ndarray, (neurons,)
        Rate with every feature at 0.
    amplitude : numpy.ndarray, (neurons,)
        Expression level: dF/F a spike, relative to the indicator's published one.
    """

    group: np.ndarray
    weights: np.ndarray
    place_amplitude: np.ndarray
    place_center_cm: np.ndarray
    place_width_cm: np.ndarray
    latent_weights: np.ndarray
    base_rate_hz: np.ndarray
    amplitude: np.ndarray

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.group.size)

    def table(self) -> pd.DataFrame:
        """Everything about the neurons as one table, one row a neuron."""
        return pd.DataFrame(
            {
                "group": self.group,
                **{f"weight_{name}": self.weights[:, i] for i, name in enumerate(FEATURES)},
                "place_amplitude": self.place_amplitude,
                "place_center_cm": self.place_center_cm,
                "place_width_cm": self.place_width_cm,
                **{
                    f"weight_{name}": self.latent_weights[:, i]
                    for i, name in enumerate(LATENTS)
                },
                "base_rate_hz": self.base_rate_hz,
                "amplitude": self.amplitude,
            }
        )

    def next_session(self, rng: np.random.Generator) -> "Population":
        """Return the same neurons a session later: groups stay, tuning drifts a little."""
        n = self.n_neurons
        return replace(
            self,
            weights=self.weights * (1 + 0.1 * rng.standard_normal(self.weights.shape)),
            place_amplitude=self.place_amplitude * (1 + 0.1 * rng.standard_normal(n)),
            place_center_cm=np.clip(
                self.place_center_cm + 5 * rng.standard_normal(n), 0, MAZE_CM
            ),
            base_rate_hz=self.base_rate_hz * np.exp(0.15 * rng.standard_normal(n)),
        )


def draw_population(
    rng: np.random.Generator,
    n_neurons: int,
    *,
    group_shares: Mapping[str, float],
    mixed_selectivity: float,
    latent_strength: float,
) -> Population:
    """Draw the neurons of one animal: a main group each, and a little of everything else.

    Parameters
    ----------
    group_shares : mapping of str to float
        Share of the neurons in each of `GROUPS`; the shares of one animal vary around it.
    mixed_selectivity : float
        Standard deviation of the secondary weights; 0 gives neurons tuned to one thing.
    latent_strength : float
        Standard deviation of the weights on the shared fluctuations.
    """
    group = _draw_groups(rng, n_neurons, group_shares)
    weights = mixed_selectivity * rng.standard_normal((n_neurons, len(FEATURES)))
    sign = rng.choice([-1.0, 1.0], (n_neurons, len(FEATURES)))
    strength = rng.uniform(1.5, 2.4, (n_neurons, len(FEATURES)))
    for name in ("cue", "choice"):
        column = FEATURES.index(name)
        weights[group == name, column] = (sign * strength)[group == name, column]
    # Most running neurons fire with forward speed, some while the animal stands.
    running = group == "running"
    forward = np.where(rng.random(n_neurons) < 0.75, 1.0, -1.0)
    weights[running, FEATURES.index("pitch")] = (0.55 * forward * strength[:, 2])[running]
    for name in ("roll", "yaw"):
        column = FEATURES.index(name)
        weights[running, column] = (0.2 * sign * strength)[running, column]

    place_amplitude = 1.5 * mixed_selectivity * np.abs(rng.standard_normal(n_neurons))
    place_center_cm = rng.uniform(0, MAZE_CM, n_neurons)
    position = group == "position"
    place_amplitude[position] = rng.uniform(2.4, 3.4, n_neurons)[position]
    # A sequence tiles the maze evenly; a little jitter keeps it from being a comb.
    n_position = int(position.sum())
    tiles = (np.arange(n_position) + rng.uniform(0, 1, n_position)) / max(n_position, 1)
    place_center_cm[position] = MAZE_CM * rng.permutation(tiles)

    latent_weights = latent_strength * rng.standard_normal((n_neurons, len(LATENTS)))
    # Arousal raises nearly every rate.
    latent_weights[:, 0] = np.abs(latent_weights[:, 0])
    return Population(
        group=group,
        weights=weights,
        place_amplitude=place_amplitude,
        place_center_cm=place_center_cm,
        place_width_cm=rng.uniform(8, 18, n_neurons),
        latent_weights=latent_weights,
        base_rate_hz=rng.uniform(0.2, 0.35) * np.exp(0.5 * rng.standard_normal(n_neurons)),
        amplitude=np.exp(0.25 * rng.standard_normal(n_neurons)),
    )


def _draw_groups(
    rng: np.random.Generator, n_neurons: int, group_shares: Mapping[str, float]
) -> np.ndarray:
    shares = np.array([group_shares.get(name, 0.0) for name in GROUPS])
    drawn = rng.gamma(60 * shares / shares.sum() + 1e-12) * (shares > 0)
    wanted = n_neurons * drawn / drawn.sum()
    counts = np.floor(wanted).astype(int)
    # Whole neurons: the groups with the largest remainders get one more.
    missing = n_neurons - int(counts.sum())
    counts[np.argsort(counts - wanted, kind="stable")[:missing]] += 1
    return rng.permutation(np.repeat(np.array(GROUPS), counts))


def task_features(
    behaviour: pd.DataFrame, trials: pd.DataFrame, *, frame_rate_hz: float
) -> np.ndarray:
    """Compute what the neurons can be tuned to, (features, frames), ordered as `FEATURES`.

    The cue is held in memory after it has passed, fading over 4 s; the choice builds up
    before the junction and fades within 1 s after the trial. Velocities are z-scored.
    """
    features = np.zeros((len(FEATURES), len(behaviour)))
    position_cm = behaviour["position_cm"].to_numpy()
    cue_side, choice_side = (
        np.where(trials[name] == "right", 1.0, -1.0) for name in ("cue", "choice")
    )
    next_start = [*trials["start_frame"].tolist()[1:], len(behaviour)]
    limits = zip(
        trials["start_frame"].tolist(), trials["stop_frame"].tolist(), next_start, strict=True
    )
    for number, (start, stop, next_trial) in enumerate(limits):
        path = position_cm[start:stop]
        time_s = np.arange(path.size) / frame_rate_hz
        memory_s = np.maximum(0, time_s - time_s[np.searchsorted(path, CUE_END_CM) - 1])
        seen = (1 - np.exp(-(time_s + 1 / frame_rate_hz) / 0.3)) * np.exp(-memory_s / 4.0)
        features[0, start:stop] = cue_side[number] * seen
        features[1, start:stop] = choice_side[number] * expit((path - 0.75 * STEM_CM) / 8)
        after_s = (1 + np.arange(next_trial - stop)) / frame_rate_hz
        features[1, stop:next_trial] = features[1, stop - 1] * np.exp(-after_s / 1.0)
    velocities = behaviour.filter(like="velocity_").to_numpy().T
    features[2:] = velocities - velocities.mean(axis=1, keepdims=True)
    features[2:] /= velocities.std(axis=1, keepdims=True)
    return features


def draw_latents(
    rng: np.random.Generator, running: np.ndarray, *, frame_rate_hz: float
) -> np.ndarray:
    """Shared fluctuations, (latents, frames), in the order of `LATENTS`.

    Arousal wanders over seconds and follows `running` (z-scored forward speed); the other
    two turn around each other, so the population's near future can be foreseen from its
    joint state better than from any single neuron.
    """
    arousal = smooth_noise(
        rng, (running.size,), frame_rate_hz=frame_rate_hz, time_constant_s=6.0
    )
    rotation = rotating_noise(
        rng,
        running.size,
        frame_rate_hz=frame_rate_hz,
        period_s=rng.uniform(6, 10),
        time_constant_s=15.0,
    )
    return np.stack([0.9 * arousal + 0.4 * running, *rotation])


def firing_rates_hz(
    population: Population, features: np.ndarray, latents: np.ndarray, behaviour: pd.DataFrame
) -> np.ndarray:
    """Rate of every neuron at every frame, (neurons, frames), in Hz.

    The logarithm of the rate is linear in features, place field and latents; the rate
    saturates below `HIGHEST_RATE_HZ`.
    """
    position_cm = behaviour["position_cm"].to_numpy()
    in_trial = behaviour["trial"].to_numpy() >= 0
    offset = (position_cm - population.place_center_cm[:, None]) / population.place_width_cm[
        :, None
    ]
    field = np.exp(-0.5 * offset**2) * in_trial
    log_gain = population.weights @ features + population.latent_weights @ latents
    log_gain += population.place_amplitude[:, None] * field
    rate = population.base_rate_hz[:, None] * np.exp(log_gain)
    rates: np.ndarray = rate / (1 + rate / HIGHEST_RATE_HZ)
    return rates
