"""Decoding: simulated cue and choice, behaviour of real animals, and animals never seen.

    python benchmarks/decode.py --data DIR --out DIR [--model NAME_OR_FOLDER] [--quick]

1. Simulated Y-maze sessions of seeds that nothing else used: cue and choice of held-out
   trials beside the best possible decoder, which knows the simulator; running velocities
   beside ridge regression on lagged traces.
2. Recordings of DIR (one folder of npz a species): worm reversal, velocity and head angle, fly
   turn and angular velocity, mouse position in fifths of the track, bee odour. Held-out
   stretches with gaps, or whole trials, beside ridge or logistic regression on lagged traces,
   the same decoder without the model, and shifted behaviour. Recordings on which methods were
   chosen (`decode_tasks.CHOSEN_ON`) are left out.
3. A decoder fitted to the other worms and applied to one that it has not seen.
4. With --adapt: the later half of each recording, with states of the model as it is and of the
   model adapted to the traces of the earlier half.

What was found is kept in OUT/found, so that an interrupted run continues; --restart forgets
it. Writes decode.json and decode.md to OUT.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from decode_adapted import adapted_scores
from decode_oracle import oracle_scores
from decode_report import as_markdown
from decode_tasks import VARIABLES, read_labelled, test_files
from forecast_protocol import DEFAULT_RATE_HZ
from found import kept
from provenance import provenance

from napari_calm.core.atomic import replacing
from napari_calm.core.errors import CalmError
from napari_calm.core.recording import Recording
from napari_calm.decoding.decode import decode
from napari_calm.decoding.decoding import Decoding
from napari_calm.decoding.fit_decoder import fit_decoder
from napari_calm.decoding.states import FrameStates, represent_frames
from napari_calm.decoding.target import read_target
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model
from napari_calm.simulate.session import SimulatedSession, simulate_cohort

# Trainings and other benchmarks use smaller seeds.
FIRST_SEED = 9900
VELOCITIES = (
    "velocity_pitch_mm_per_s",
    "velocity_roll_mm_per_s",
    "velocity_yaw_rad_per_s",
)
# Raised when methods or scores change, so that nothing old is taken for new.
VERSION = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    options = parsed(arguments)
    if options.restart:
        shutil.rmtree(options.out / "found", ignore_errors=True)
    try:
        model = load_model(options.model)
        result: dict[str, Any] = {"about": about(options, model), "left_out": []}
        result["simulated"] = simulated(options, model)
        result["real"] = real(options, model, result["left_out"])
        result["transfer"] = transfer(options, model, result["left_out"])
        result["adapted"] = adapted(options, model, result["left_out"])
    except CalmError as error:
        print(error, file=sys.stderr)
        return 2
    if not any(result[part] for part in ("simulated", "real", "transfer")):
        print(f"{options.data}: found no recordings to decode.", file=sys.stderr)
        return 2
    for name, text in (
        ("decode.json", json.dumps(result, indent=1) + "\n"),
        ("decode.md", as_markdown(result)),
    ):
        with replacing(options.out / name) as partial:
            partial.write_text(text, encoding="utf-8")
    print(as_markdown(result))
    return 0


def simulated(options: argparse.Namespace, model: CalmModel) -> list[dict[str, Any]]:
    """Score every variable of every simulated session."""
    found = []
    for neurons in options.neurons:
        for session in simulate_cohort(
            seed=options.sim_seed,
            n_animals=options.animals,
            n_sessions=1,
            n_neurons=neurons,
            n_trials=options.trials,
        ):
            name = f"animal {session.animal}, {neurons} neurons"

            def scores(session: SimulatedSession = session) -> dict[str, Any]:
                oracle = oracle_scores(session)
                states = represent_frames(model, session.recording)
                return {
                    variable: told(
                        decode(
                            model,
                            session.recording,
                            variable,
                            states=states,
                            shifts=options.shifts,
                            seed=options.seed,
                        )
                    )
                    | ({"oracle": oracle[variable]} if variable in oracle else {})
                    for variable in ("cue", "choice", *VELOCITIES)
                }

            entry = remembered(options, model, [session.recording], f"simulated {name}", scores)
            found.append({"name": name, "neurons": neurons, "variables": entry})
    return found


def real(
    options: argparse.Namespace, model: CalmModel, left_out: list[str]
) -> list[dict[str, Any]]:
    """Score every variable of every real recording."""
    found = []
    for species in options.species:
        most = options.most_files.get(species, options.most_files["any"])
        for path in test_files(options.data, species, most):
            try:
                recording = read_labelled(species, path, options.default_rate)
                states: list[FrameStates] = []
                for variable in VARIABLES[species]:

                    def scores(
                        recording: Recording = recording,
                        variable: str = variable,
                        states: list[FrameStates] = states,
                    ) -> dict[str, Any]:
                        if not states:
                            states.append(represent_frames(model, recording))
                        return told(
                            decode(
                                model,
                                recording,
                                variable,
                                states=states[0],
                                shifts=options.shifts,
                                seed=options.seed,
                            )
                        )

                    title = f"{species} {path.stem} {variable}"
                    entry = remembered(options, model, [recording], title, scores)
                    found.append(
                        {"species": species, "name": path.stem, "variable": variable} | entry
                    )
            except CalmError as error:
                left_out.append(str(error))
    return found


def transfer(
    options: argparse.Namespace, model: CalmModel, left_out: list[str]
) -> list[dict[str, Any]]:
    """Decode reversals of each test worm by a decoder fitted to all others."""
    if "worm" not in options.species or options.without_transfer:
        return []
    worms = []
    for path in sorted((options.data / "worm").glob("*.npz")):
        try:
            worms.append(read_labelled("worm", path, options.default_rate))
        except CalmError as error:
            left_out.append(str(error))
    tested = {path.stem for path in test_files(options.data, "worm", len(worms))}
    states: dict[str, FrameStates] = {}
    found = []
    for worm in worms:
        if worm.name not in tested or len(worms) < 3:
            continue
        if len(found) == options.most_files.get("transfer", options.most_files["any"]):
            break
        others = [each for each in worms if each.name != worm.name]

        def scores(worm: Recording = worm, others: list[Recording] = others) -> dict[str, Any]:
            for each in worms:
                if each.name not in states:
                    states[each.name] = represent_frames(model, each)
            decoder = fit_decoder(
                model, others, "reversal", states=[states[each.name] for each in others]
            )
            decoded = decoder.apply(model, worm, states=states[worm.name])
            judged = decoder.judge(decoded, read_target(worm, "reversal"))
            return {
                "score": judged.score,
                "null": float(judged.null.mean()),
                "null_95": float(np.quantile(judged.null, 0.95)),
                "p": judged.p_value,
            }

        entry = remembered(options, model, [worm, *others], f"transfer {worm.name}", scores)
        found.append({"name": worm.name, "others": len(others)} | entry)
    return found


def told(found: Decoding) -> dict[str, Any]:
    """What a decoding says, in plain numbers."""
    return {
        "measure": found.measure,
        "score": found.score.mean,
        "reference": found.reference.mean,
        "without_model": None if found.without_model is None else found.without_model.mean,
        "pooled": found.pooled(found.outputs),
        "pooled_without_model": (
            None
            if found.without_model_outputs is None
            else found.pooled(found.without_model_outputs)
        ),
        "pooled_reference": found.pooled(found.reference_outputs),
        "gain": [found.gain.mean, found.gain.low, found.gain.high],
        "null": float(found.null.mean()) if found.null.size else None,
        "p": found.p_value,
        "samples": int(found.number.size),
        "shares": found.shares,
        "looks_at": found.looks_at,
    }


def adapted(
    options: argparse.Namespace, model: CalmModel, left_out: list[str]
) -> list[dict[str, Any]]:
    """Decode the later half of recordings without and with adapting to the earlier half."""
    if not options.adapt:
        return []
    found = []
    for species in options.species:
        most = options.most_files.get("adapt", options.most_files["any"])
        for path in test_files(options.data, species, most):
            try:
                recording = read_labelled(species, path, options.default_rate)

                def scores(species: str = species, recording: Recording = recording) -> dict:
                    return adapted_scores(model, recording, VARIABLES[species], options.seed)

                title = f"adapted {species} {path.stem}"
                entry = remembered(options, model, [recording], title, scores)
                found.append({"species": species, "name": path.stem} | entry)
            except CalmError as error:
                left_out.append(str(error))
    return found


def remembered(
    options: argparse.Namespace,
    model: CalmModel,
    recordings: Sequence[Recording],
    title: str,
    scores: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Take from the folder what was found before with the same data, model and settings."""
    return kept(
        options.out / "found",
        title,
        scores,
        recordings=recordings,
        models=[model],
        settings=(VERSION, options.seed, options.shifts),
    )


def about(options: argparse.Namespace, model: CalmModel) -> dict[str, Any]:
    """Where the numbers come from."""
    settings = ("seed", "sim_seed", "animals", "trials", "shifts", "most_files", "quick")
    return (
        provenance()
        | {"model": model.title}
        | {name: getattr(options, name) for name in settings}
    )


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with one folder of npz a species")
    add("--out", type=Path, required=True)
    add("--model", default="calm-mini", metavar="NAME_OR_FOLDER")
    add("--species", nargs="*", default=list(VARIABLES), choices=list(VARIABLES))
    add(
        "--most-files",
        nargs="+",
        default=["4", "bee=6", "mouse_position=2"],
        metavar="N|SPECIES=N",
        help="recordings of each species, evenly spaced by name; transfer=N: tested worms; "
        "adapt=N: each species' adapted ones",
    )
    add("--animals", type=int, default=3, help="simulated animals of each size; 0: none")
    add("--neurons", type=int, nargs="+", default=[100])
    add("--trials", type=int, default=30)
    add("--sim-seed", type=int, default=FIRST_SEED)
    add("--shifts", type=int, default=20)
    add("--default-rate", type=float, default=DEFAULT_RATE_HZ)
    add("--seed", type=int, default=0)
    add("--without-transfer", action="store_true")
    add("--adapt", action="store_true", help="also adapt the model; adds minutes a recording")
    add("--quick", action="store_true", help="one small simulated animal, one file a species")
    add("--restart", action="store_true", help="forget what was found before")
    options = parser.parse_args(arguments)
    if options.sim_seed < FIRST_SEED:
        parser.error(
            f"--sim-seed is {options.sim_seed}; seeds below {FIRST_SEED} belong to trainings "
            "and to other benchmarks."
        )
    try:
        limits = [part.rpartition("=")[::2] for part in options.most_files]
        options.most_files = {"any": 4} | {name or "any": int(n) for name, n in limits}
    except ValueError:
        parser.error("--most-files takes numbers, or SPECIES=NUMBER.")
    if options.quick:
        options.animals, options.neurons = min(1, options.animals), [30]
        options.trials, options.shifts = min(16, options.trials), min(5, options.shifts)
        options.most_files = {"any": 1}
    if options.animals < 1:
        options.neurons = []
    return options


if __name__ == "__main__":
    sys.exit(main())
