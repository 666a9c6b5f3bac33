"""The tokenizer on animals that gave nothing to training: score, ablation, sizes.

    python benchmarks/tokenizer.py --data DIR --out DIR [--model NAME ...]
        [--only score|ablation|sizes] [--steps 600] [--seed 0]

DIR holds recordings as npz (traces, fps) in subfolders fly, worm and zebrafish. `score`
compares checkpoints with k-means and PCA on raw patches. `ablation` trains a small tokenizer
for each set of loss terms, `sizes` for each number of codes and frames, all in the very same
loop. Trained variants are kept in OUT/steps-N-seed-S: an interrupted run continues. Start in
another OUT after changing code or data.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from provenance import provenance
from tokenizer_scoring import (
    TRAINING_SHARE,
    Animal,
    code_use,
    kmeans_method,
    pca_method,
    read_animals,
    score,
    tokenizer_method,
    training_patches,
)
from tokenizer_variants import ABLATION, SIZES, train_all

from napari_calm.core.atomic import replacing
from napari_calm.core.errors import CalmError
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model

PARTS = ("score", "ablation", "sizes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the wanted parts and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", nargs="*", default=["calm-mini"])
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        animals = read_animals(options.data)
        results: dict[str, Any] = {
            "run": provenance() | {"seed": options.seed, "steps": options.steps}
        }
        if "score" in options.only:
            results["score"] = {
                name: score_checkpoint(load_model(name), animals, seed=options.seed)
                for name in options.model
            }
        for part, variants in (("ablation", ABLATION), ("sizes", SIZES)):
            if part in options.only:
                kept = options.out / f"steps-{options.steps}-seed-{options.seed}"
                results[part] = train_all(variants, animals, options.steps, options.seed, kept)
    except CalmError as error:
        print(error, file=sys.stderr)
        return 2
    text = report(results)
    for name, content in (
        ("tokenizer.json", json.dumps(results, indent=2)),
        ("tokenizer.md", text),
    ):
        with replacing(options.out / name) as partial:
            partial.write_text(content + "\n", encoding="utf-8")
    print(text)
    return 0


def score_checkpoint(
    model: CalmModel, animals: Sequence[Animal], *, seed: int
) -> dict[str, Any]:
    """Score a checkpoint's tokenizer beside k-means and PCA fitted on the animals it saw."""
    fitted, scored = animals_for(getattr(model.config, "trained_on", ()), animals)
    config, network = model.config.preprocessing, model.config.tokenizer
    patches = training_patches(fitted, config, network.stride, seed=seed)
    n_codes = network.n_codes
    methods = {
        model.name: tokenizer_method(model.tokenizer),
        f"k-means, {n_codes} codes": kmeans_method(patches, n_codes, seed=seed),
    } | {
        f"PCA, {n} of {network.stride} numbers": pca_method(patches, n)
        for n in range(1, min(4, network.stride))
    }
    found = {}
    for name, method in methods.items():
        found[name], tokens = score(method, scored, config, network.stride)
        if tokens:
            found[name] |= code_use(tokens, n_codes)
    return {
        "fitted_on": [animal.name for animal in fitted],
        "frames_per_token": network.stride,
        "methods": found,
    }


def animals_for(
    trained_on: Iterable[str], animals: Sequence[Animal]
) -> tuple[list[Animal], list[Animal]]:
    """Which animals the references are fitted on, and which are scored.

    Those that the checkpoint saw and the others. If it saw none of them: the first 70 % of
    each species' names, and the others.

    Raises
    ------
    CalmError
        If the checkpoint saw all of them.
    """
    seen = set(trained_on)
    if not seen & {animal.name for animal in animals}:
        count = {animal.species: animal.number + 1 for animal in animals}
        seen = {
            animal.name
            for animal in animals
            if animal.number < TRAINING_SHARE * count[animal.species] - 0.5
        }
    fitted = [animal for animal in animals if animal.name in seen]
    scored = [animal for animal in animals if animal.name not in seen]
    if not scored:
        raise CalmError(
            f"all {len(animals)} recordings were used in training this model; expected at "
            "least one that was not. Add others to the folder."
        )
    return fitted, scored


def report(results: dict[str, Any]) -> str:
    """Write all results as Markdown tables."""
    made = results["run"]
    lines = [
        "# Tokenizer",
        "",
        f"{made['date']}, commit {made['commit']}, {made['machine']}, torch {made['torch']}, "
        f"seed {made['seed']}. 1 - R2 is a neuron's SSE / SST over its recording, mean over "
        "neurons, then over held-out recordings.",
    ]
    for name, part in results.get("score", {}).items():
        lines += ["", f"## {name} on animals it has not seen", "", *score_tables(part)]
    for part, title in (
        ("ablation", "Loss terms and start of the codebook"),
        ("sizes", "Codes and frames"),
    ):
        if part in results:
            lines += [
                "",
                f"## {title} ({made['steps']} steps)",
                "",
                *variant_table(results[part]),
            ]
    return "\n".join(lines)


def score_tables(part: dict[str, Any]) -> list[str]:
    """One table of all methods, one of all recordings."""
    methods = part["methods"]
    lines = table_head(
        "method", "1 - R2", "pooled", "Pearson", "used codes", "perplexity", "top code"
    )
    for name, found in methods.items():
        use = (
            f"{found['used_share']:.1%} | {found['perplexity']:.1f} | {found['top1_share']:.1%}"
            if "perplexity" in found
            else "- | - | -"
        )
        lines.append(
            f"| {name} | {found['unexplained']:.4f} | {found['unexplained_pooled']:.4f} "
            f"| {found['pearson']:.4f} | {use} |"
        )
    lines += ["", *table_head("recording (1 - R2)", *methods)]
    for rows in zip(*(found["recordings"] for found in methods.values()), strict=True):
        values = " | ".join(f"{row['unexplained']:.4f}" for row in rows)
        lines.append(f"| {rows[0]['species']} {rows[0]['recording']} | {values} |")
    return lines


def variant_table(variants: Sequence[dict[str, Any]]) -> list[str]:
    """One row a trained tokenizer."""
    lines = table_head(
        "variant", "codes", "frames", "bits/frame", "1 - R2", "Pearson", "used codes",
        "perplexity", "bigram nats/token", "nats/frame", "s",
    )  # fmt: skip
    for found in variants:
        lines.append(
            f"| {found['variant']} | {found['n_codes']} | {found['frames']} "
            f"| {found['bits_per_frame']:.2f} | {found['unexplained']:.4f} "
            f"| {found['pearson']:.4f} | {found['used_share']:.1%} "
            f"| {found['perplexity']:.1f} | {found['bigram_nats']:.3f} "
            f"| {found['bigram_nats'] / found['frames']:.3f} | {found['seconds']:.0f} |"
        )
    return lines


def table_head(*columns: str) -> list[str]:
    """Return the first two lines of a Markdown table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


if __name__ == "__main__":
    sys.exit(main())
