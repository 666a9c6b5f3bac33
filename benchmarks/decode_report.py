"""The decoding benchmark's tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from forecast_report import table
from forecast_scores import interval

# What is wanted: within this of the best possible, and ahead of the reference by this.
FROM_THE_BEST = 0.02
AHEAD = 0.03
BEHIND = -0.01
VARIABLES_AHEAD = 4


def as_markdown(result: dict[str, Any]) -> str:
    """All tables, with where they come from and what they say."""
    about = result["about"]
    parts = [
        f"# Decoding\n\n{about['date']}, commit {about['commit']}, {about['machine']}, torch "
        f"{about['torch']}, model {about['model']}, seed {about['seed']}. Mean over "
        "recordings; in brackets 95 % bootstrap over recordings.\n"
    ]
    for neurons in sorted({each["neurons"] for each in result["simulated"]}):
        sessions = [each for each in result["simulated"] if each["neurons"] == neurons]
        parts.append(_simulated(sessions, about))
    if result["real"]:
        parts += [_real(result["real"]), _recordings(result["real"])]
    if result["transfer"]:
        parts.append(_transfer(result["transfer"]))
    if result["adapted"]:
        parts.append(_adapted(result["adapted"]))
    if result["left_out"]:
        lines = "".join(f"- {reason}\n" for reason in result["left_out"])
        parts.append(f"\n## Left out\n\n{lines}")
    return "".join(parts)


def told(values: Sequence[float]) -> str:
    """Mean and interval."""
    found = np.array(values, float)
    low, high = interval(found)
    ends = f" ({low:.3f} to {high:.3f})" if len(found) > 1 else ""
    return f"{found.mean():.3f}{ends}"


def _simulated(sessions: list[dict[str, Any]], about: dict[str, Any]) -> str:
    names = list(sessions[0]["variables"])
    rows = []
    for name in names:
        entries = [session["variables"][name] for session in sessions]
        score = np.mean([each["score"] for each in entries])
        if "oracle" in entries[0]:
            best = np.mean([each["oracle"] for each in entries])
            verdict = f"{'within' if best - score <= FROM_THE_BEST else 'not within'} 0.02"
            shown = told([each["oracle"] for each in entries])
        else:
            gain = score - np.mean([each["reference"] for each in entries])
            verdict, shown = ("not below" if gain >= 0 else "below") + " ridge", "-"
        rows.append([
            name, entries[0]["measure"],
            *(told([each[key] for each in entries])
              for key in ("score", "without_model", "reference")),
            shown, f"{np.mean([each['null'] for each in entries]):.3f}", verdict,
        ])  # fmt: skip
    head = [
        "variable", "score", "model", "without the model", "ridge / logistic",
        "knows the simulator", "shifted", "so",
    ]  # fmt: skip
    return (
        f"\n## Simulated Y-maze: {len(sessions)} animals, {sessions[0]['neurons']} neurons, "
        f"{about['trials']} trials, 6 Hz\n\n{table(head, rows)}"
    )


def _real(entries: list[dict[str, Any]]) -> str:
    rows, gains, pooled = [], [], []
    for species, variable in dict.fromkeys((e["species"], e["variable"]) for e in entries):
        here = [e for e in entries if (e["species"], e["variable"]) == (species, variable)]
        gain = np.array([each["score"] - each["reference"] for each in here])
        of_states = [each["score"] - each["without_model"] for each in here]
        gains.append(gain.mean())
        rows.append(
            [
                f"{species} {variable}",
                here[0]["measure"],
                str(len(here)),
                *(
                    told([each[key] for each in here])
                    for key in ("score", "without_model", "reference")
                ),
                f"{np.mean([each['null'] for each in here]):.3f}",
                _ahead(gain),
                told(of_states),
                f"{sum(each['p'] <= 0.05 for each in here)} of {len(here)}",
            ]
        )
        pooled.append([
            f"{species} {variable}", here[0]["measure"],
            *(told([each[key] for each in here])
              for key in ("pooled", "pooled_without_model", "pooled_reference")),
            told([each["pooled"] - each["pooled_reference"] for each in here]),
        ])  # fmt: skip
    head = [
        "variable", "score", "recordings", "model", "without the model", "ridge / logistic",
        "shifted", "ahead of ridge / logistic", "added by the states", "above chance",
    ]  # fmt: skip
    ahead = sum(gain >= AHEAD for gain in gains)
    behind = sum(gain < BEHIND for gain in gains)
    said = (
        f"Ahead of ridge or logistic regression by {AHEAD} or more on {ahead} of {len(gains)} "
        f"variables (wanted: {VARIABLES_AHEAD}), behind by more than {-BEHIND} on {behind} "
        "(wanted: 0)."
    )
    head_pooled = [
        "variable",
        "score",
        "model",
        "without the model",
        "ridge / logistic",
        "ahead",
    ]
    return (
        f"\n## Real recordings\n\n{table(head, rows)}\n{said}\n\nAll held-out samples of a "
        "recording scored together instead of fold by fold (R2 of a short fold in which a "
        f"variable hardly changes can be far below 0):\n\n{table(head_pooled, pooled)}"
    )


def _ahead(gain: np.ndarray) -> str:
    low, high = interval(gain)
    ends = f" ({low:+.3f} to {high:+.3f})" if gain.size > 1 else ""
    return f"**{gain.mean():+.3f}**{ends}"


def _recordings(entries: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["species"], each["name"], each["variable"], f"{each['score']:.3f}",
            f"{each['without_model']:.3f}", f"{each['reference']:.3f}",
            f"{each['gain'][0]:+.3f} ({each['gain'][1]:+.3f} to {each['gain'][2]:+.3f})",
            f"{each['null']:.3f}", f"{each['p']:.3f}",
        ]
        for each in entries
    ]  # fmt: skip
    head = [
        "species", "recording", "variable", "model", "without the model", "ridge / logistic",
        "difference over folds", "shifted", "p",
    ]  # fmt: skip
    return (
        "\n### Every recording\n\nIntervals here: over folds, corrected for the training data "
        f"that they share.\n\n{table(head, rows)}"
    )


def _transfer(entries: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["name"], str(each["others"]), f"{each['score']:.3f}", f"{each['null']:.3f}",
            f"{each['null_95']:.3f}", f"{each['p']:.3f}",
            "above" if each["p"] <= 0.05 else "not above",
        ]
        for each in entries
    ]  # fmt: skip
    head = [
        "worm", "fitted to", "balanced accuracy", "shifted", "95 % of shifts below", "p",
        "its null",
    ]  # fmt: skip
    above = sum(each["p"] <= 0.05 for each in entries)
    return (
        "\n## Reversals of a worm by a decoder of the others\n\n"
        f"Nothing is fitted to the worm. Mean {told([e['score'] for e in entries])}; above "
        f"its null in {above} of {len(entries)}.\n\n{table(head, rows)}"
    )


def _adapted(entries: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["species"], each["name"], variable,
            *(f"{scores[key]:.3f}" for key in ("zero_shot", "adapted", "reference")),
            f"{scores['adapted'] - scores['zero_shot']:+.3f}" if each["helped"] else "kept",
        ]
        for each in entries
        for variable, scores in each["variables"].items()
    ]  # fmt: skip
    gains = [
        scores["adapted"] - scores["zero_shot"]
        for each in entries
        for scores in each["variables"].values()
    ]
    head = [
        "species", "recording", "variable", "zero-shot", "adapted", "ridge / logistic",
        "by adapting",
    ]  # fmt: skip
    return (
        "\n## After adapting\n\nThe later half of each recording is decoded, with states of "
        "the model as it is and of the model adapted to the traces of the earlier half. Where "
        "that does not lower the error of forecasts, judged on held-back frames, the model is "
        f"kept as it was. By adapting: {told(gains)}.\n\n{table(head, rows)}"
    )
