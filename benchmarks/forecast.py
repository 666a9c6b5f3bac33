"""Forecasts of real recordings beside references fitted on the same training parts.

    python benchmarks/forecast.py --data DIR --out DIR [--model NAME_OR_FOLDER ...]

DIR holds npz recordings, or one folder of them a species. Each recording is split in time,
70 % for training and normalisation, the rest for the test; from 24 evenly spaced starts in
the test part every neuron is forecast at once. Models forecast zero-shot and, with --adapt,
after adapting to the training part; --scratch CONFIG trains a model on that part alone. What
was found is kept in OUT/recordings, so that an interrupted run continues; --restart forgets
it; --held-out-only passes over recordings that gave something to a model. Writes
forecast.json, forecast.md and three figures to OUT.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from forecast_figures import draw_figures
from forecast_methods import Asking, Method, model_methods, reference_methods, scratch_methods
from forecast_protocol import (
    DEFAULT_RATE_HZ,
    SETTINGS,
    Task,
    example_neurons,
    make_task,
    read_traces,
    recording_files,
)
from forecast_report import as_markdown
from forecast_scores import scores
from provenance import provenance

from napari_calm.core.atomic import replacing
from napari_calm.core.errors import CalmError
from napari_calm.model.checkpoint import load_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    options = parsed(arguments)
    kept = options.out / "recordings"
    if options.restart:
        shutil.rmtree(kept, ignore_errors=True)
    try:
        methods = list(methods_of(options))
        files = recording_files(options.data, options.species)
    except CalmError as error:
        print(error, file=sys.stderr)
        return 2
    result: dict[str, Any] = {"about": about(options), "recordings": [], "left_out": []}
    for number, (species, path) in enumerate(files, 1):
        print(f"[{number}/{len(files)}] {species} {path.stem}", flush=True)
        try:
            recording, assumed = read_traces(path, options.default_rate)
        except CalmError as error:
            result["left_out"].append(str(error))
            continue
        if options.held_out_only and any(recording.name in m.trained_on for m in methods):
            continue
        for setting in options.settings:
            try:
                task = make_task(recording, species, SETTINGS[setting], options.starts)
            except CalmError as error:
                result["left_out"].append(str(error))
                continue
            entry = run_task(task, methods, kept / species / f"{path.stem}.{setting}.json")
            result["recordings"].append(entry | {"rate_assumed": assumed})
    if not result["recordings"]:
        print("\n".join(result["left_out"]), file=sys.stderr)
        return 2
    write_results(result, options.out)
    return 0


def methods_of(options: argparse.Namespace) -> Iterator[Method]:
    """References, then every model in every state asked for."""
    yield from reference_methods()
    asking = Asking(options.expectation, options.samples, options.seed)
    models = [load_model(name) for name in options.model]
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise CalmError(f"--model: two checkpoints are called {name}; give one at a time.")
    for model in models:
        yield from model_methods(model, asking, adapted=options.adapt, tenth=options.tenth)
    if options.scratch:
        yield from scratch_methods(options.scratch, asking, tenth=options.tenth)


def run_task(task: Task, methods: Sequence[Method], file: Path) -> dict[str, Any]:
    """Score all methods on one recording, taking from `file` what was scored before."""
    known = json.loads(file.read_text()) if file.exists() else {}
    neurons = example_neurons(task)
    middle = len(task.starts) // 2
    entry: dict[str, Any] = {
        "name": task.target.name,
        "species": task.species,
        "setting": task.setting.name,
        "neurons": task.target.n_neurons,
        "frames": task.target.n_frames,
        "frame_rate_hz": task.target.frame_rate_hz,
        "training_frames": task.n_training,
        "starts": len(task.starts),
        "trained_on_it": any(task.target.name in method.trained_on for method in methods),
        "example": {
            "neurons": neurons,
            "start_frame": int(task.starts[middle]),
            "context": task.contexts[middle, neurons].tolist(),
            "truth": task.truth[middle, neurons].tolist(),
        },
        "methods": {},
    }
    truth = task.truth
    for method in methods:
        fingerprint = f"{task.fingerprint} {method.identity}"
        found = known.get(method.name)
        if found is None or found["fingerprint"] != fingerprint:
            began = time.perf_counter()
            found = {"group": method.group, "fingerprint": fingerprint}
            try:
                prediction = method.predict(task)
            except CalmError as error:
                found["error"] = str(error)
            else:
                band = prediction.band_90() or (prediction.mean, prediction.mean)
                found |= scores(truth, prediction)
                found["seconds"] = time.perf_counter() - began
                found["example"] = {
                    what: values[middle, neurons].tolist()
                    for what, values in zip(
                        ("mean", "low", "high"), (prediction.mean, *band), strict=True
                    )
                }
            known[method.name] = found
            with replacing(file) as partial:
                partial.write_text(json.dumps(known))
            print(f"    {task.setting.name}: {method.name} {told(found)}", flush=True)
        entry["methods"][method.name] = found
    return entry


def told(found: dict[str, Any]) -> str:
    """Say in a few words what a method reached."""
    if "error" in found:
        return f"cannot: {found['error']}"
    return f"MSE {np.mean(found['mse']):.3f} ({found['seconds']:.1f} s)"


def write_results(result: dict[str, Any], out: Path) -> None:
    """Write numbers, tables and figures, and print the tables."""
    with replacing(out / "forecast.json") as partial:
        partial.write_text(json.dumps(result, indent=1) + "\n")
    text = as_markdown(result)
    with replacing(out / "forecast.md") as partial:
        partial.write_text(text, encoding="utf-8")
    draw_figures(result, out)
    print(text)


def about(options: argparse.Namespace) -> dict[str, Any]:
    """Where the numbers come from."""
    return provenance() | {
        "seed": options.seed,
        "expectation": options.expectation,
        "samples": options.samples,
        "default_rate_hz": options.default_rate,
    }


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of npz, or of one folder a species")
    add("--out", type=Path, required=True)
    add("--model", nargs="*", default=[], metavar="NAME_OR_FOLDER")
    add("--species", nargs="+", default=["fly", "worm", "zebrafish"])
    add("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    add("--adapt", action="store_true", help="also adapt to the training part")
    add("--tenth", action="store_true", help="also adapt or train on its last tenth only")
    add("--scratch", type=Path, metavar="CONFIG.toml", help="also train on it from nothing")
    add("--held-out-only", action="store_true", help="pass over what a model was trained on")
    add("--starts", type=int, default=24)
    add("--expectation", default="auto", choices=["auto", "direct", "samples"])
    add("--samples", type=int, default=0, help="roll-outs; 16 where there is no forecast head")
    add(
        "--default-rate",
        type=float,
        default=DEFAULT_RATE_HZ,
        help="Hz, where a file does not tell",
    )
    add("--seed", type=int, default=0)
    add("--restart", action="store_true", help="forget what was found before")
    options = parser.parse_args(arguments)
    if options.starts < 1 or not options.default_rate > 0:
        parser.error("--starts and --default-rate must be above 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
