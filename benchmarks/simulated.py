"""Forecasts of simulated Y-maze sessions in the paper's setting.

    python benchmarks/simulated.py --out DIR [--model NAME_OR_FOLDER ...] [--adapt]
        [--samples 0] [--sessions 6] [--neurons 100] [--trials 40] [--seed 9000]

Animals of a seed that no training used, one session each at 6 Hz. Trials are the units: 70 %
for training, 15 % for validation, 15 % for the test, at random (seed 42, as the release) and,
in a second table, in order of time. The target is each trial after causal smoothing (0.15)
from its own start; 36 frames of it are known, the rest up to frame 100 is forecast, and
scored by Pearson r within the trial. Beside the model: averages over trials, linear
forecasts, and what the simulator's truth would allow.

The model gets the unsmoothed session up to frame 36 of the trial, so a context longer than 36
frames reaches into the pause before the trial; the references do not. What it says is
smoothed as the target is. "Adapted" is fitted on the session up to its last training trial,
which needs trials in order of time. Writes simulated.json, simulated.md and two figures.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from simulated_oracles import ORACLES, Oracle
from simulated_references import REFERENCES
from simulated_report import write_report
from simulated_trials import (
    HORIZON,
    SPLITS,
    Trials,
    continue_smoothing,
    cut_trials,
    kept_frames,
    split_trials,
    trial_mse,
    within_trial_r,
)

from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model
from napari_calm.preprocess.smooth import smooth_causally
from napari_calm.simulate.session import SimulatedSession, simulate_cohort
from napari_calm.train.adapt import adapt

# Trainings use smaller seeds.
FIRST_SEED = 9000
# Curves over time: r within stretches of this many frames, every so many.
STRETCH, STEP = 16, 4
EXAMPLE_NEURONS = 3


@dataclass
class Scores:
    """One method on one session: a value a test trial, and curves over time."""

    r: list[float]
    mse: list[float]
    r_over_time: list[float]
    mse_over_time: list[float]

    @classmethod
    def of(cls, forecast: np.ndarray, truth: np.ndarray) -> "Scores":
        """Score forecast against truth, both (trials, neurons, `HORIZON`) and z-scored."""
        over_time: dict[str, list[float]] = {"r": [], "mse": []}
        for first in range(0, HORIZON - STRETCH + 1, STEP):
            stretch = slice(first, first + STRETCH)
            whole = np.isfinite(truth[:, 0, first + STRETCH - 1])
            parts = forecast[whole, :, stretch], truth[whole, :, stretch]
            for name, score in (("r", within_trial_r), ("mse", trial_mse)):
                over_time[name].append(
                    float(score(*parts).mean()) if whole.any() else float("nan")
                )
        return cls(
            within_trial_r(forecast, truth).tolist(),
            trial_mse(forecast, truth).tolist(),
            over_time["r"],
            over_time["mse"],
        )


@dataclass
class Results:
    """Scores of every split and method, a list of sessions each, and one trial to look at."""

    scores: dict[str, dict[str, list[Scores]]] = field(
        default_factory=lambda: {how: {} for how in SPLITS}
    )
    example: dict[str, np.ndarray] = field(default_factory=dict)


def model_frames(
    model: CalmModel,
    recording: Recording,
    start: int,
    stop: int,
    *,
    samples: int,
    statistics_until: int,
) -> np.ndarray:
    """Expected unsmoothed dF/F from `start` to `stop`, (neurons, frames).

    A checkpoint that smooths forecasts the smoothed trace; the smoothing is taken back.
    """
    forecast = model.forecast(
        recording,
        start_frame=start,
        horizon_frames=stop - start,
        samples=samples,
        statistics_until=min(statistics_until, start),
    )
    mean = forecast.mean.astype(np.float64)
    alpha = forecast.smoothing_alpha
    last = smooth_causally(recording.traces[:, :start], alpha)[:, -1:]
    before = np.concatenate([last, mean[:, :-1]], axis=1)
    return (mean - (1 - alpha) * before) / alpha


@dataclass(frozen=True, eq=False)
class Part:
    """Trials of one session as one split deals them.

    Parameters
    ----------
    trials : Trials
        All trials, smoothed dF/F.
    limits : numpy.ndarray of int, (trials, 2)
        First forecast frame of each trial and the frame after its last.
    training, validation, test : numpy.ndarray of int
        Numbers of the trials in each part.
    """

    trials: Trials
    limits: np.ndarray
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def units(self, future: np.ndarray) -> np.ndarray:
        """Z-score smoothed forecasts of the test trials by the training trials."""
        known = self.trials.select(self.test)
        joined = replace(known, frames=np.concatenate([known.context, future], axis=2))
        return joined.in_units_of(self.trials.select(self.training)).future

    def smoothed(self, frames_of: Callable[[int, int, str], np.ndarray]) -> np.ndarray:
        """Smooth and z-score unsmoothed forecasts.

        Parameters
        ----------
        frames_of : callable
            From a trial's first forecast frame, the frame after its last and its cue to
            dF/F of (neurons, frames).

        Returns
        -------
        numpy.ndarray, (test trials, neurons, `HORIZON`)
        """
        known = self.trials.select(self.test)
        raw = np.full_like(known.future, np.nan)
        for number, (start, stop) in enumerate(self.limits[self.test]):
            raw[number, :, : stop - start] = frames_of(int(start), int(stop), known.cue[number])
        return self.units(continue_smoothing(known.context, raw))


def forecasts(
    session: SimulatedSession,
    models: list[CalmModel],
    how: str,
    *,
    samples: int = 0,
    adapted: bool = False,
) -> dict[str, np.ndarray]:
    """Forecasts of all methods, and the truth, of the test trials of one session.

    Parameters
    ----------
    how : {"shuffled", "chronological"}
        How the trials are split.
    adapted : bool
        Whether to adapt the models as well, where the split is chronological.

    Returns
    -------
    dict of numpy.ndarray, (test trials, neurons, `HORIZON`)
        "truth" first; z-scored by the training trials, NaN after a trial's end.
    """
    recording = session.recording
    # A trial whose context is not yet there can be forecast by nobody.
    needed = max((m.context_frames_of(recording.frame_rate_hz) for m in models), default=0)
    table = recording.trials
    table = table[kept_frames(table)[:, 0] >= needed]
    trials, limits = cut_trials(recording.traces, table), kept_frames(table)
    part = Part(trials, limits, *split_trials(len(table), how))
    z = trials.in_units_of(trials.select(part.training))
    test = z.select(part.test)
    found = {"truth": test.future}

    until = recording.n_frames
    variants = {model.name: model for model in models}
    if how == "chronological":
        until = int(limits[part.training, 1].max())
        if adapted:
            for model in models:
                adaptation = adapt(model, recording, until_frame=until, seed=0)
                variants[f"{model.name}, adapted"] = adaptation.apply(model)
    for name, model in variants.items():
        found[name] = part.smoothed(
            lambda start, stop, _, model=model: model_frames(
                model, recording, start, stop, samples=samples, statistics_until=until
            )
        )
    fitted_on = z.select(part.training), z.select(part.validation)
    for name, reference in REFERENCES.items():
        found[name] = reference(*fitted_on, test.context, test.cue)
    oracle = Oracle(session)
    fluorescence, behaviour, no_foresight, clock = ORACLES
    found[fluorescence] = part.smoothed(lambda a, b, _: oracle.fluorescence(a, b))
    found[behaviour] = part.smoothed(lambda a, b, _: oracle.given_behaviour(a, b))
    found[no_foresight] = part.smoothed(oracle.without_foresight)
    found[clock] = part.units(oracle.cue_and_clock(test.cue))
    return found


def example_trial(methods: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The longest test trial and the neurons that vary most in it, (neurons, frames)."""
    truth = methods["truth"]
    trial = int(np.isfinite(truth[:, 0]).sum(axis=1).argmax())
    n_frames = int(np.isfinite(truth[trial, 0]).sum())
    neurons = np.argsort(-truth[trial, :, :n_frames].var(axis=1))[:EXAMPLE_NEURONS]
    return {name: values[trial, neurons, :n_frames] for name, values in methods.items()}


def measure(args: argparse.Namespace) -> Results:
    """Score everything on every session."""
    models = [load_model(name) for name in args.model]
    results = Results()
    cohort = simulate_cohort(
        seed=args.seed,
        n_animals=args.sessions,
        n_sessions=1,
        n_neurons=args.neurons,
        n_trials=args.trials,
    )
    for session in cohort:
        began = time.perf_counter()
        for how in SPLITS:
            methods = forecasts(session, models, how, samples=args.samples, adapted=args.adapt)
            for name, forecast in methods.items():
                if name != "truth":
                    scores = Scores.of(forecast, methods["truth"])
                    results.scores[how].setdefault(name, []).append(scores)
            results.example = results.example or example_trial(methods)
        print(
            f"{session.recording.source}: {time.perf_counter() - began:.1f} s", file=sys.stderr
        )
    return results


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--model", nargs="*", default=[], help="bundled models or checkpoint folders"
    )
    parser.add_argument("--adapt", action="store_true", help="also adapt to each session")
    parser.add_argument("--samples", type=int, default=0, help="joint samples a forecast")
    parser.add_argument("--sessions", type=int, default=6)
    parser.add_argument("--neurons", type=int, default=100)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    args = parser.parse_args(arguments)
    if args.seed < FIRST_SEED:
        parser.error(f"--seed is {args.seed}; seeds below {FIRST_SEED} belong to trainings.")
    began = time.perf_counter()
    results = measure(args)
    settings = {key: value for key, value in vars(args).items() if key != "out"}
    settings["seconds"] = round(time.perf_counter() - began, 1)
    print(write_report(results, settings, args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
