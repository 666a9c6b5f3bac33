"""Tables and figures of the simulated benchmark."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from provenance import provenance
from simulated_oracles import ORACLES
from simulated_references import REFERENCES
from simulated_trials import SPLITS

if TYPE_CHECKING:
    from simulated import Results, Scores

FRAME_RATE_HZ = 6.0
RESAMPLES = 2000


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over sessions and its 95 % bootstrap interval over sessions."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def session_means(sessions: "list[Scores]", score: str) -> np.ndarray:
    """Mean over the trials of each session, (sessions,)."""
    return np.array([np.nanmean(getattr(scores, score)) for scores in sessions])


def write_report(results: "Results", settings: dict[str, Any], out: Path) -> str:
    """Write simulated.json, simulated.md and the figures into `out`; return the tables."""
    out.mkdir(parents=True, exist_ok=True)
    about = settings | provenance()
    scores = {
        how: {
            name: [asdict(one, dict_factory=_plain) for one in sessions]
            for name, sessions in methods.items()
        }
        for how, methods in results.scores.items()
    }
    report = {"about": about, "scores": scores, "gaps": gaps(results)}
    (out / "simulated.json").write_text(json.dumps(report, allow_nan=False) + "\n")
    tables = _head(about) + "".join(_table(results, how) for how in SPLITS)
    (out / "simulated.md").write_text(tables)
    _draw_over_time(results, out / "simulated_over_time.png")
    _draw_example(results.example, out / "simulated_example.png")
    return tables


def gaps(results: "Results") -> dict[str, dict[str, dict[str, tuple[float, float, float]]]]:
    """How much higher each model's r is than that of every other method, with interval."""
    found: dict[str, dict[str, dict[str, tuple[float, float, float]]]] = {}
    for how, methods in results.scores.items():
        r = {name: session_means(sessions, "r") for name, sessions in methods.items()}
        found[how] = {
            model: {other: interval(r[model] - r[other]) for other in (*REFERENCES, *ORACLES)}
            for model in _models(results, how)
        }
    return found


def _plain(pairs: list[tuple[str, list[float]]]) -> dict[str, list[float | None]]:
    """Say null where no trial reaches: JSON has no NaN."""
    return {
        name: [None if np.isnan(value) else value for value in values] for name, values in pairs
    }


def _models(results: "Results", how: str) -> list[str]:
    return [name for name in results.scores[how] if name not in (*REFERENCES, *ORACLES)]


def _head(about: dict[str, Any]) -> str:
    return (
        "# Simulated Y-maze, the paper's setting\n\n"
        f"{about['sessions']} animals, one session each, {about['neurons']} neurons x "
        f"{about['trials']} trials, seed {about['seed']}; {about['date']}, commit "
        f"{about['commit']}, {about['machine']}, {about['seconds']:g} s.\n\n"
        "r: Pearson within the trial from frame 36 to its end (at most frame 100), mean over "
        "neurons; MSE in z-scores of the training trials. Macro: mean over sessions (95 % "
        "bootstrap interval over sessions); micro: over trials. References know 36 frames of "
        "the trial; the model also the frames of its context that lie before the trial.\n\n"
        + "".join(f"- {name}: {meaning}\n" for name, meaning in ORACLES.items())
    )


def _table(results: "Results", how: str) -> str:
    methods = results.scores[how]
    lines = [
        f"\n## Trials split: {how}\n",
        "| method | r, macro | r, micro | MSE, macro | MSE, micro |",
        "|---|---|---|---|---|",
    ]
    for name, sessions in methods.items():
        cells = [name]
        for score in ("r", "mse"):
            mean, low, high = interval(session_means(sessions, score))
            of_trials = np.concatenate([getattr(one, score) for one in sessions])
            cells += [
                f"{mean:z.3f} ({low:z.3f} to {high:z.3f})",
                f"{np.nanmean(of_trials):z.3f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    mean_r = {name: session_means(sessions, "r").mean() for name, sessions in methods.items()}
    best = max(REFERENCES, key=lambda name: mean_r[name])
    for model, to_others in gaps(results)[how].items():
        lines.append("")
        for other in dict.fromkeys(("cue-PSTH", best, *ORACLES)):
            mean, low, high = to_others[other]
            title = f"{other} (best reference)" if other == best else other
            lines.append(
                f"- {model}: r {mean:+.3f} ({low:+.3f} to {high:+.3f}) beside {title}; "
                f"{mean_r[model] / mean_r[other]:.0%} of its r"
            )
    return "\n".join(lines) + "\n"


# References that the figures leave out: they differ from another one in MSE alone, or are flat.
NOT_DRAWN = (
    "PSTH at context level", "cue-PSTH at context level", "training mean", "cue-PSTH + AR",
)  # fmt: skip


def _style(name: str, models: list[str]) -> dict[str, Any]:
    if name in models:
        return {"linewidth": 2.5, "zorder": 3}
    if name in ORACLES:
        return {
            "linestyle": "--",
            "color": "black",
            "alpha": 0.75 - 0.15 * [*ORACLES].index(name),
        }
    return {"linewidth": 1}


def _draw_over_time(results: "Results", path: Path) -> None:
    figure, axes = plt.subplots(
        2, len(SPLITS), figsize=(12, 8), sharex=True, sharey="row", layout="constrained"
    )
    for column, how in enumerate(SPLITS):
        models = _models(results, how)
        for row, (score, label) in enumerate((("r", "r within 16 frames"), ("mse", "MSE"))):
            for name, sessions in results.scores[how].items():
                if name in NOT_DRAWN:
                    continue
                curves = np.array([getattr(one, f"{score}_over_time") for one in sessions])
                reached = np.isfinite(curves).any(axis=0)
                mean = np.nanmean(curves[:, reached], axis=0)
                seconds = (4 * np.flatnonzero(reached) + 8) / FRAME_RATE_HZ
                axes[row, column].plot(seconds, mean, label=name, **_style(name, models))
            axes[row, 0].set_ylabel(label)
        axes[0, column].set_title(f"trials split: {how}")
        axes[1, column].set_xlabel("seconds since the start of the forecast")
    lines = axes[0, -1].get_legend_handles_labels()
    figure.legend(*lines, fontsize=8, loc="outside right center")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw_example(example: dict[str, np.ndarray], path: Path) -> None:
    models = [name for name in example if name not in ("truth", *REFERENCES, *ORACLES)]
    drawn = ["truth", *models, "cue-PSTH", "population ridge", "oracle: no foresight"]
    figure, axes = plt.subplots(
        len(example["truth"]), 1, figsize=(8, 7), sharex=True, layout="constrained"
    )
    seconds = (np.arange(example["truth"].shape[1]) + 1) / FRAME_RATE_HZ
    for neuron, axis in enumerate(axes):
        for name in drawn:
            style = (
                {"color": "0.6", "linewidth": 3} if name == "truth" else _style(name, models)
            )
            axis.plot(seconds, example[name][neuron], label=name, **style)
        axis.set_ylabel("z-score")
    axes[0].legend(fontsize=7, ncols=3)
    axes[-1].set_xlabel("seconds since the start of the forecast")
    figure.savefig(path, dpi=120)
    plt.close(figure)
