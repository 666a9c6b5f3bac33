"""The clusters benchmark's tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from clusters_methods import PLAIN_REFERENCES
from forecast_report import table
from forecast_scores import interval

WANTED = 0.8


def as_markdown(result: dict[str, Any]) -> str:
    """All tables, with where they come from and what they say."""
    about = result["about"]
    parts = [
        "# Functional clusters and embeddings\n\n",
        f"{about['date']}, commit {about['commit']}, {about['machine']}, torch "
        f"{about['torch']}, seed {about['seed']}. Intervals: 95 % bootstrap over animals.\n",
    ]
    for neurons in sorted({each["neurons"] for each in result["simulated"]}):
        sessions = [each for each in result["simulated"] if each["neurons"] == neurons]
        parts.append(_simulated(sessions, about))
    for species in dict.fromkeys(each["species"] for each in result["stability"]):
        parts.append(_stability([e for e in result["stability"] if e["species"] == species]))
    if result["probes"]:
        parts.append(_probes(result["probes"]))
    if result["left_out"]:
        lines = "".join(f"- {reason}\n" for reason in result["left_out"])
        parts.append(f"\n## Left out\n\n{lines}")
    return "".join(parts)


def told(values: np.ndarray) -> str:
    """Mean and interval."""
    low, high = interval(values)
    ends = f" ({low:.3f} to {high:.3f})" if len(values) > 1 else ""
    return f"**{values.mean():.3f}**{ends}"


def column(sessions: Sequence[dict[str, Any]], method: str, score: str) -> np.ndarray:
    """One score of a method over the sessions that have it."""
    found = [s["methods"][method].get(score) for s in sessions if method in s["methods"]]
    return np.array([value for value in found if value is not None], dtype=float)


def _methods(sessions: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {name: each["kind"] for s in sessions for name, each in s["methods"].items()}


def _simulated(sessions: list[dict[str, Any]], about: dict[str, Any]) -> str:
    rows = []
    kinds = _methods(sessions)
    for name, kind in kinds.items():
        rows.append([
            f"k-means on {name}" if kind == "reference" else name,
            told(column(sessions, name, "true_number")),
            *(
                f"{values.mean():.3f}" if values.size else "-"
                for score in ("proposed", "proposed_number", "best_number")
                for values in [column(sessions, name, score)]
            ),
        ])  # fmt: skip
    text = (
        f"\n## Simulated Y-maze: {len(sessions)} animals x {sessions[0]['neurons']} neurons x "
        f"{about['trials']} trials, seed {about['sim_seed']}\n\n"
        "Adjusted Rand index with the five true groups (neurons of no group are one of them), "
        "at the true number; at the number that stability proposes; mean of that number; at "
        "the best number in hindsight. 'task' knows behaviour and trials, nothing else does; "
        "no method knows the groups.\n\n"
    )
    head = ["method", "ARI, true number", "proposed", "number", "best in hindsight"]
    text += table(head, rows)
    plain = {n: column(sessions, n, "true_number") for n in PLAIN_REFERENCES}
    best = max(plain, key=lambda name: plain[name].mean())
    for name, kind in kinds.items():
        if kind != "model":
            continue
        own = column(sessions, name, "true_number")
        gain = own - plain[best][: len(own)]
        low, high = interval(gain)
        reached = "reached" if own.mean() >= WANTED else "missed"
        text += (
            f"\n- {name}: {own.mean():.3f}, {WANTED} {reached}; {gain.mean():+.3f} ({low:+.3f} "
            f"to {high:+.3f}) beside {best}, ahead on {int((gain > 0).sum())} of {len(gain)}"
        )
    return text + "\n\n" + _each(sessions, "true_number")


def _stability(recordings: list[dict[str, Any]]) -> str:
    kinds = _methods(recordings)
    species = recordings[0]["species"]
    text = (
        f"\n## Two halves: {species}, {len(recordings)} recordings\n\n"
        "Adjusted Rand index between k-means of the first and of the second half in time, each "
        "read by itself; mean over 3 to 8 clusters. 'task' knows behaviour, nothing else "
        "does.\n\n"
    )
    rows = [[name, told(column(recordings, name, "mean"))] for name in kinds]
    text += table(["method", "ARI between halves"], rows)
    for model in (name for name, kind in kinds.items() if kind == "model"):
        own = column(recordings, model, "mean")
        for other in PLAIN_REFERENCES:
            gain = own - column(recordings, other, "mean")
            low, high = interval(gain)
            text += (
                f"\n- {model}: {gain.mean():+.3f} ({low:+.3f} to {high:+.3f}) beside {other}, "
                f"ahead on {int((gain > 0).sum())} of {len(gain)}"
            )
    return text + "\n\n" + _each(recordings, "mean")


def _each(entries: list[dict[str, Any]], score: str) -> str:
    names = list(_methods(entries))
    rows = []
    for entry in entries:
        known = [entry["methods"].get(name) for name in names]
        cells = ["-" if one is None else f"{one[score]:.3f}" for one in known]
        rows.append([entry["name"], *cells])
    return "Every recording:\n\n" + table(["recording", *names], rows)


def _probes(probes: list[dict[str, Any]]) -> str:
    text = (
        "\n## Linear probes on held-out neurons\n\n"
        "Balanced accuracy over five folds; its mean with shuffled labels; recordings with at "
        "most a twentieth of the shuffles as good.\n\n"
    )
    rows = []
    for label, species in dict.fromkeys((p["label"], p["species"]) for p in probes):
        of = [p for p in probes if (p["label"], p["species"]) == (label, species)]
        for name in _methods(of):
            scores = column(of, name, "score")
            rows.append([
                label, f"{species} ({len(of)})", name, told(scores),
                f"{column(of, name, 'null').mean():.3f}",
                f"{int((column(of, name, 'p') <= 0.05).sum())} of {len(scores)}",
            ])  # fmt: skip
    head = ["label", "recordings", "vectors", "held out", "shuffled", "p at most 0.05"]
    return text + table(head, rows)
