"""Behaviour that has nothing to do with the traces, but looks like the real one."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .problem import Problem

# Smaller shifts leave slow behaviour nearly where it was.
LEAST_SHIFT = 0.1


def null_problems(problem: Problem, n_null: int, *, seed: int) -> list[Problem]:
    """Return the problem with its behaviour shifted in a circle, or its labels shuffled.

    A shift leaves the time course of a variable as it is: slow signals match each other by
    chance, and a null without that would be too easy to beat. Where whole trials are dealt,
    the course of each is shifted by itself, for trials may all take the same course; labels
    that do not change within trials are shuffled among them.

    Parameters
    ----------
    n_null : int
        How many, each with shifts of its own.
    """
    rng = np.random.default_rng([seed, 1])
    number = problem.samples.number
    found = []
    for order in _orders(problem, n_null, rng):
        values = problem.target.values.copy()
        values[number] = values[number[order]]
        found.append(replace(problem, target=replace(problem.target, values=values)))
    return found


def p_value(score: float, null: np.ndarray) -> float:
    """Share of null scores that are as good, the score itself counted among them."""
    return float((1 + (null >= score).sum()) / (1 + null.size))


def _orders(problem: Problem, n_null: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Which sample gives its value to each sample."""
    samples = problem.samples
    everything = np.arange(len(samples))
    if not samples.whole_trials:
        possible = _possible_shifts(everything.size)
        # Evenly spread over the circle, from a random start.
        places = (np.arange(n_null) + rng.random()) / max(n_null, 1) * possible.size
        yield from (np.roll(everything, possible[int(place)]) for place in places)
        return
    trials = [np.flatnonzero(samples.block == block) for block in np.unique(samples.block)]
    values = problem.truth(everything)
    constant = all(np.ptp(values[trial]) == 0 for trial in trials)
    for _ in range(n_null):
        order = everything.copy()
        if constant:
            for trial, other in zip(trials, rng.permutation(len(trials)), strict=True):
                order[trial] = trials[other][0]
        else:
            for trial in trials:
                order[trial] = np.roll(trial, rng.choice(_possible_shifts(trial.size)))
        yield order


def _possible_shifts(n_samples: int) -> np.ndarray:
    least = max(1, round(LEAST_SHIFT * n_samples))
    return np.arange(least, max(n_samples - least, least) + 1)
