"""The simulator's own noise ceiling: forecasts by someone who knows the truth.

Oracles differ in what they know of the future; all continue the observed smoothed context.

1. "fluorescence": dF/F and drift themselves. What it misses is the noise of observation.
2. "behaviour": everything up to the start (tuning, spikes, shared latents) and the
   behaviour to come; later spikes and latents are expected values.
3. "no foresight": the same without the behaviour to come, for which runs of the same animal
   stand in that had the same cue and were as far along the maze at the start. A ceiling
   for those who see only the past, but for what their running says beyond cue and place.
4. "cue and clock": the cue-PSTH of many further trials of the same neurons.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from simulated_references import cue_average
from simulated_trials import CONTEXT, HORIZON, cut_trials, kept_frames

from napari_calm.simulate.fluorescence import INDICATORS
from napari_calm.simulate.session import SimulatedSession, simulate_session
from napari_calm.simulate.tuning import (
    FEATURES,
    HIGHEST_RATE_HZ,
    LATENTS,
    Population,
    firing_rates_hz,
    task_features,
)

FURTHER_TRIALS = 400
NEAREST_RUNS = 40
KERNEL_S = 8.0
# The simulator's default, which the benchmark's sessions are made with.
INDICATOR = INDICATORS["gcamp6s"]

ORACLES = {
    "oracle: fluorescence": "future dF/F and drift known; misses observation noise alone",
    "oracle: behaviour": "tuning, past spikes and latents, and future behaviour known",
    "oracle: no foresight": "tuning, past spikes and latents known, nothing of the future",
    "oracle: cue and clock": f"cue-PSTH of {FURTHER_TRIALS} further trials",
}


def population_of(tuning: pd.DataFrame) -> Population:
    """Make the neurons again from the table of the truth."""
    columns = {
        name: tuning[name].to_numpy() for name in tuning if not name.startswith("weight_")
    }
    return Population(
        weights=tuning[[f"weight_{name}" for name in FEATURES]].to_numpy(),
        latent_weights=tuning[[f"weight_{name}" for name in LATENTS]].to_numpy(),
        **columns,
    )


@dataclass(frozen=True, eq=False)
class Oracle:
    """What can be known about one simulated session."""

    session: SimulatedSession

    @cached_property
    def population(self) -> Population:
        """The neurons with their tuning."""
        return population_of(self.session.truth.tuning)

    @cached_property
    def features(self) -> np.ndarray:
        """What the neurons are tuned to, (features, frames)."""
        return _features(self.session)

    @cached_property
    def further(self) -> SimulatedSession:
        """Other trials of the same neurons."""
        return simulate_session(
            seed=self.session.seed,
            animal=self.session.animal,
            session=self.session.session,
            n_neurons=self.session.recording.n_neurons,
            n_trials=FURTHER_TRIALS,
            frame_rate_hz=self.session.recording.frame_rate_hz,
        )

    @cached_property
    def further_features(self) -> np.ndarray:
        """What the neurons are tuned to in the further trials, (features, frames)."""
        return _features(self.further)

    @cached_property
    def latent_law(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How latents follow running (3, 1) and themselves (3, 3), and what is new (3, 3).

        Least squares over this session, whose latents turn at a pace of their own: one step
        of the simulator's autoregressive fluctuations.
        """
        running = self.features[FEATURES.index("pitch")]
        latents = self.session.truth.latents
        follow = (latents @ running / (running @ running))[:, None]
        rest = latents - follow * running
        law = np.linalg.lstsq(rest[:, :-1].T, rest[:, 1:].T, rcond=None)[0].T
        return follow, law, np.cov(rest[:, 1:] - law @ rest[:, :-1])

    def fluorescence(self, start: int, stop: int) -> np.ndarray:
        """Noise-free dF/F with drift, (neurons, stop - start)."""
        truth = self.session.truth
        return (truth.dff + truth.drift_dff)[:, start:stop].astype(np.float64)

    def given_behaviour(self, start: int, stop: int) -> np.ndarray:
        """Expected dF/F with the behaviour from `start` on known, (neurons, stop - start)."""
        rates = self._expected_rates(
            start,
            self.features[:, start:stop],
            self.session.recording.behaviour.iloc[start:stop],
        )
        return self._expected_dff(start, rates)

    def without_foresight(self, start: int, stop: int, cue: str) -> np.ndarray:
        """Expected dF/F over how runs like this one went on, (neurons, stop - start)."""
        other = self.further.recording
        position_cm = other.behaviour["position_cm"].to_numpy()
        runs = kept_frames(other.trials)[other.trials["cue"].to_numpy() == cue]
        here_cm = self.session.recording.behaviour["position_cm"].iloc[start - 1]
        near = np.argsort(np.abs(position_cm[runs[:, 0] - 1] - here_cm), kind="stable")
        features = self.further_features
        total = np.zeros((self.population.n_neurons, HORIZON))
        n_runs = np.zeros(HORIZON)
        for first, last in runs[near[:NEAREST_RUNS]]:
            going_on = slice(first, last)
            total[:, : last - first] += self._expected_rates(
                start, features[:, going_on], other.behaviour.iloc[going_on]
            )
            n_runs[: last - first] += 1
        # Where all those runs are over, the last frame that one of them reached stays.
        reached = np.minimum(np.arange(stop - start), np.flatnonzero(n_runs)[-1])
        return self._expected_dff(start, (total / np.maximum(n_runs, 1))[:, reached])

    def cue_and_clock(self, cue: np.ndarray) -> np.ndarray:
        """Smoothed dF/F of the average further trial with each cue.

        Returns
        -------
        numpy.ndarray, (trials, neurons, `HORIZON`)
        """
        trials = cut_trials(self.further.recording.traces, self.further.recording.trials)
        return cue_average(trials, cue)[..., CONTEXT:]

    def _expected_rates(
        self, start: int, features: np.ndarray, behaviour: pd.DataFrame
    ) -> np.ndarray:
        """Mean over the latents to come of the rates from `start` on, (neurons, frames)."""
        follow, law, new = self.latent_law
        running = self.features[FEATURES.index("pitch")]
        state = self.session.truth.latents[:, start - 1] - follow[:, 0] * running[start - 1]
        spread = np.zeros_like(new)
        n_frames = features.shape[1]
        weights = self.population.latent_weights
        mean = weights @ follow * features[FEATURES.index("pitch")]
        deviation = np.empty_like(mean)
        for frame in range(n_frames):
            state, spread = law @ state, law @ spread @ law.T + new
            mean[:, frame] += weights @ state
            deviation[:, frame] = np.sqrt(np.einsum("nl,lm,nm->n", weights, spread, weights))
        no_latents = np.zeros((len(LATENTS), n_frames))
        rate = firing_rates_hz(self.population, features, no_latents, behaviour)
        unlimited = rate / (1 - rate / HIGHEST_RATE_HZ)
        nodes, share = np.polynomial.hermite_e.hermegauss(9)
        gained = unlimited * np.exp(mean + deviation * nodes[:, None, None])
        limited = gained / (1 + gained / HIGHEST_RATE_HZ)
        return np.tensordot(share / share.sum(), limited, axes=1)

    def _expected_dff(self, start: int, rates_hz: np.ndarray) -> np.ndarray:
        """Fluorescence of the spikes before `start` and of expected rates after it."""
        rate_hz = self.session.recording.frame_rate_hz
        n_past, fine = round(KERNEL_S * rate_hz), 64
        # A frame shows its end; spikes fall anywhere inside their frames.
        time_s = (np.arange(n_past * fine) + 0.5) / (fine * rate_hz)
        kernel = INDICATOR.kernel(time_s).reshape(n_past, fine).mean(axis=1)
        truth = self.session.truth
        spikes = truth.spikes[:, max(start - n_past, 0) : start]
        drive = np.concatenate([spikes, rates_hz / rate_hz], axis=1)
        dff = lfilter(kernel, [1.0], drive, axis=1)[:, spikes.shape[1] :]
        return self.population.amplitude[:, None] * dff + truth.drift_dff[:, start - 1, None]


def _features(session: SimulatedSession) -> np.ndarray:
    recording = session.recording
    return task_features(
        recording.behaviour, recording.trials, frame_rate_hz=recording.frame_rate_hz
    )
