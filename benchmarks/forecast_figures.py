"""The forecast benchmark's figures: error against horizon, reliability, example traces."""

from pathlib import Path
from typing import Any

import numpy as np
from forecast_report import BASE, Cohort, cohorts
from forecast_scores import interval
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_calm.core.atomic import replacing

REFERENCE_COLOURS = {BASE: "0.6", "AR": "tab:blue"}
BEST_COLOUR = "tab:green"
MODEL_COLOURS = ("tab:red", "tab:orange", "tab:purple", "tab:brown", "tab:pink", "k")


def draw_figures(result: dict[str, Any], out: Path) -> None:
    """Write one figure of each kind and setting as PNG to `out`."""
    for setting, shown in by_setting(result).items():
        suffix = "" if setting == "standard" else f"_{setting}"
        for name, draw in (
            ("horizon", draw_horizon),
            ("reliability", draw_reliability),
            ("examples", draw_examples),
        ):
            with replacing(out / f"forecast_{name}{suffix}.png") as partial:
                draw(shown).savefig(partial, dpi=120)


def by_setting(result: dict[str, Any]) -> dict[str, list[Cohort]]:
    """One cohort a species: the held-out recordings, or where there are none the others."""
    found: dict[str, dict[str, Cohort]] = {}
    for cohort in cohorts(result):
        found.setdefault(cohort.setting, {}).setdefault(cohort.species, cohort)
    return {setting: list(species.values()) for setting, species in found.items()}


def colours(cohort: Cohort) -> dict[str, str]:
    """Methods shown and their colours: copy last, AR, the best reference, all models."""
    chosen = dict(REFERENCE_COLOURS)
    groups = [group for group in ("reference", "window mean removed") if cohort.of_group(group)]
    best = min(
        (cohort.best_reference(group) for group in groups),
        key=lambda name: float(cohort.errors(name).mean()),
    )
    chosen.setdefault(best, BEST_COLOUR)
    return chosen | dict(zip(cohort.of_group("model"), MODEL_COLOURS, strict=False))


def draw_horizon(shown: list[Cohort]) -> Figure:
    """Mean squared error at each frame with its interval over recordings."""
    figure, row = _panels(shown)
    for cohort, axes in zip(shown, row, strict=True):
        for name, colour in colours(cohort).items():
            mse = cohort.values(name, "mse")
            frames = np.arange(1, mse.shape[1] + 1)
            # Recordings differ more than methods; the intervals of all would hide the lines.
            if name not in REFERENCE_COLOURS:
                axes.fill_between(frames, *interval(mse), color=colour, alpha=0.12, lw=0)
            axes.plot(frames, mse.mean(axis=0), color=colour, label=name)
        axes.set(xlabel="frames after the start", title=_title(cohort), ylim=(0, None))
        axes.legend(fontsize=7)
    row[0].set_ylabel("MSE (training variance)")
    return figure


def draw_reliability(shown: list[Cohort]) -> Figure:
    """Share of true values below the quantile of each level."""
    figure, row = _panels(shown)
    for cohort, axes in zip(shown, row, strict=True):
        axes.plot([0, 1], [0, 1], color="0.8", lw=1)
        for name, colour in colours(cohort).items():
            levels = cohort.having(name)[0]["methods"][name]["levels"]
            below = cohort.values(name, "share_below")
            low, high = interval(below)
            axes.fill_between(levels, low, high, color=colour, alpha=0.12, lw=0)
            axes.plot(levels, below.mean(axis=0), "o-", ms=3, color=colour, label=name)
        axes.set(xlabel="quantile level", title=_title(cohort), aspect="equal")
        axes.legend(fontsize=7)
    row[0].set_ylabel("share of true values below")
    return figure


def draw_examples(shown: list[Cohort]) -> Figure:
    """Context, truth and forecasts of three neurons of each species' first recording."""
    n_rows = max(len(cohort.recordings[0]["example"]["neurons"]) for cohort in shown)
    figure = Figure(figsize=(4.6 * len(shown), 1.9 * n_rows + 0.6), layout="constrained")
    panels = figure.subplots(n_rows, len(shown), squeeze=False)
    for column, cohort in zip(panels.T, shown, strict=True):
        recording = cohort.recordings[0]
        able = [name for name in cohort.of_group("model") if cohort.having(name)]
        chosen = {"AR": REFERENCE_COLOURS["AR"]} | dict(
            zip(able[:1], MODEL_COLOURS, strict=False)
        )
        for number, axes in enumerate(column):
            if number >= len(recording["example"]["neurons"]):
                axes.set_axis_off()
                continue
            _draw_example(axes, recording, number, chosen)
        column[0].set_title(f"{cohort.species}: {recording['name']}", fontsize=8)
        column[0].legend(fontsize=7, loc="upper left")
        column[-1].set_xlabel("s after the start")
    return figure


def _draw_example(
    axes: Axes, recording: dict[str, Any], number: int, chosen: dict[str, str]
) -> None:
    example = recording["example"]
    context, truth = example["context"][number], example["truth"][number]
    known = np.concatenate([context, truth])
    time_s = (np.arange(len(known)) - len(context)) / recording["frame_rate_hz"]
    later = time_s[len(context) :]
    axes.plot(time_s, known, color="k", lw=1, label="recorded")
    for name, colour in chosen.items():
        if "example" not in recording["methods"].get(name, {}):
            continue
        found = recording["methods"][name]["example"]
        # Two bands over each other cannot be told apart; the model's is the one of interest.
        if name != "AR" or len(chosen) == 1:
            low, high = found["low"][number], found["high"][number]
            axes.fill_between(
                later, low, high, color=colour, alpha=0.2, lw=0, label="90 % band"
            )
        axes.plot(later, found["mean"][number], color=colour, label=name)
    axes.axvline(0, color="0.6", lw=0.8)
    axes.set_ylabel(f"neuron {example['neurons'][number]} (sd)", fontsize=8)


def _panels(shown: list[Cohort]) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(4.6 * len(shown), 4.0), layout="constrained")
    return figure, figure.subplots(1, len(shown), squeeze=False)[0]


def _title(cohort: Cohort) -> str:
    n = len(cohort.recordings)
    return f"{cohort.species}, {cohort.group} ({n} recording{'s' if n > 1 else ''})"
