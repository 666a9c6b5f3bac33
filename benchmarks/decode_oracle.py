"""The best possible decoder of cue and choice: one that knows the simulator."""

import numpy as np
from scipy.special import logsumexp
from simulated_oracles import population_of

from napari_calm.decoding.scores import balanced_accuracy
from napari_calm.simulate.behaviour import SIDES
from napari_calm.simulate.session import SimulatedSession
from napari_calm.simulate.tuning import firing_rates_hz, task_features


def oracle_scores(session: SimulatedSession) -> dict[str, float]:
    """Balanced accuracy for cue and choice of one who knows all but these two.

    Tuning, spikes, shared fluctuations, running and the share of correct trials are known.
    For each trial the likelihood of the spikes (Poisson, as they were drawn) is compared for
    the four pairs of cue and choice; nobody who sees fluorescence alone can do better on
    average.
    """
    recording, truth = session.recording, session.truth
    assert recording.trials is not None
    assert recording.behaviour is not None
    trials = recording.trials
    population = population_of(truth.tuning)
    correct = float(np.mean(trials["cue"] == trials["choice"]))
    correct = np.clip(correct, 0.5 / len(trials), 1 - 0.5 / len(trials))
    logs = np.empty((len(trials), 2, 2))
    for cue, cue_side in enumerate(SIDES):
        for choice, choice_side in enumerate(SIDES):
            supposed = trials.assign(cue=cue_side, choice=choice_side)
            features = task_features(
                recording.behaviour, supposed, frame_rate_hz=recording.frame_rate_hz
            )
            rates = firing_rates_hz(population, features, truth.latents, recording.behaviour)
            expected = rates / recording.frame_rate_hz
            each = (truth.spikes * np.log(expected) - expected).sum(axis=0)
            for number, (start, stop) in enumerate(
                zip(trials["start_frame"], trials["stop_frame"], strict=True)
            ):
                logs[number, cue, choice] = each[start:stop].sum()
            logs[:, cue, choice] += np.log(correct if cue == choice else 1 - correct)
    found = {}
    for name, other in (("cue", 2), ("choice", 1)):
        said = logsumexp(logs, axis=other).argmax(axis=1)
        codes = trials[name].map({side: code for code, side in enumerate(SIDES)}).to_numpy()
        found[name] = balanced_accuracy(codes, said)
    return found
