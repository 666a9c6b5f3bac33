"""The forecast benchmark's tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from forecast_scores import LEVELS, difference, interval, quantile_crps_bias

BASE = "copy last"
REFERENCE_GROUPS = ("reference", "window mean removed")


@dataclass(frozen=True, eq=False)
class Cohort:
    """Recordings that are averaged together: one species, one setting, seen or held out."""

    species: str
    setting: str
    group: str
    recordings: tuple[dict[str, Any], ...]

    @property
    def methods(self) -> list[str]:
        """Methods that could forecast at least one of the recordings."""
        names = {name: None for recording in self.recordings for name in recording["methods"]}
        return [name for name in names if self.having(name)]

    def having(self, *methods: str) -> list[dict[str, Any]]:
        """Recordings that all of `methods` could forecast."""
        return [
            recording
            for recording in self.recordings
            if all("mse" in recording["methods"].get(name, {}) for name in methods)
        ]

    def values(self, method: str, score: str, among: Sequence[str] = ()) -> np.ndarray:
        """A score of each recording that `method` and `among` could forecast."""
        found = [
            recording["methods"][method][score] for recording in self.having(method, *among)
        ]
        return np.array(found, dtype=np.float64)

    def errors(self, method: str, among: Sequence[str] = ()) -> np.ndarray:
        """Mean over the horizon of the squared error, (recordings,)."""
        return self.values(method, "mse", among).mean(axis=1)

    def of_group(self, group: str) -> list[str]:
        """Methods of a group; see `forecast_methods.Method`."""
        return [
            name
            for name in self.methods
            if self.having(name)[0]["methods"][name]["group"] == group
        ]

    def best_reference(self, group: str = "reference") -> str:
        """Reference of the group with the smallest mean error."""
        return min(self.of_group(group), key=lambda name: float(self.errors(name).mean()))

    @property
    def title(self) -> str:
        """What is averaged, in words."""
        return f"{self.species}, {self.setting} setting, {self.group}"


def cohorts(result: dict[str, Any]) -> Iterator[Cohort]:
    """Recordings grouped by setting, species and whether a model was trained on them."""
    recordings = result["recordings"]
    for setting in dict.fromkeys(each["setting"] for each in recordings):
        for species in dict.fromkeys(each["species"] for each in recordings):
            for group, seen in (("held out", False), ("training part seen", True)):
                members = tuple(
                    each
                    for each in recordings
                    if (each["setting"], each["species"], each["trained_on_it"])
                    == (setting, species, seen)
                )
                if members:
                    yield Cohort(species, setting, group, members)


def shown_frames(horizon_frames: int) -> list[int]:
    """Frames after the start that the tables show, counted from 1."""
    if horizon_frames <= 16:
        return [frame for frame in (1, 4, 8, 16) if frame <= horizon_frames]
    return [1, *range(horizon_frames // 4, horizon_frames + 1, horizon_frames // 4)]


def as_markdown(result: dict[str, Any]) -> str:
    """Write all tables with a word on how to read them."""
    about, parts = result["about"], ["# Forecast benchmark\n", _reading(result)]
    for cohort in cohorts(result):
        parts += [f"## {cohort.title}\n", means_table(cohort)]
        if cohort.of_group("model"):
            parts.append(comparison_table(cohort, about["seed"]))
        parts.append(recordings_table(cohort))
    remarks = list(_remarks(result))
    if remarks:
        parts += ["## Remarks\n", "".join(f"- {remark}\n" for remark in remarks)]
    return "\n".join(parts)


def means_table(cohort: Cohort) -> str:
    """Mean over recordings of every score, one row a method."""
    horizon = len(cohort.recordings[0]["example"]["truth"][0])
    frames = shown_frames(horizon)
    head = [
        "method", "recordings", *(f"MSE {frame}" for frame in frames), "MSE mean (95 %)",
        *(f"skill {frame}" for frame in frames), "skill mean", "r", "r last frame", "CRPS",
        "CRPS of quantiles",
        "90 % band covers",
    ]  # fmt: skip
    rows = []
    for name in cohort.methods:
        mse = cohort.values(name, "mse")
        low, high = interval(mse.mean(axis=1))
        base = cohort.values(BASE, "mse", [name]).mean(axis=0)
        skill = 1 - mse.mean(axis=0) / base
        rows.append([
            name,
            str(len(mse)),
            *(f"{mse[:, frame - 1].mean():.3f}" for frame in frames),
            f"**{mse.mean():.3f}**" + (f" ({low:.3f}-{high:.3f})" if len(mse) > 1 else ""),
            *(f"{skill[frame - 1]:.3f}" for frame in frames),
            f"{1 - mse.mean() / base.mean():.3f}",
            f"{cohort.values(name, 'pearson').mean():.3f}",
            f"{cohort.values(name, 'pearson_by_frame').mean(axis=0)[-1]:.3f}",
            f"{cohort.values(name, 'crps').mean():.3f}",
            f"{cohort.values(name, 'quantile_crps').mean():.3f}",
            f"{cohort.values(name, 'coverage_90').mean():.1%}",
        ])  # fmt: skip
    return table(head, rows)


def comparison_table(cohort: Cohort, seed: int) -> str:
    """Each model against the best reference with either centre."""
    head = [
        "model", "against the best reference of", "it is", "MSE difference (95 %)",
        "ahead of it on", "ahead of each recording's own best on",
    ]  # fmt: skip
    rows = []
    for model in cohort.of_group("model"):
        for group in filter(cohort.of_group, REFERENCE_GROUPS):
            best, others = cohort.best_reference(group), cohort.of_group(group)
            mine, its = cohort.errors(model, [best]), cohort.errors(best, [model])
            gain, low, high = difference(mine, its, seed)
            ends = f" ({low:+.1f} to {high:+.1f})" if len(mine) > 1 else ""
            own_best = np.min(
                [cohort.errors(each, [model, *others]) for each in others], axis=0
            )
            all_known = cohort.errors(model, others)
            rows.append([
                model,
                "mean of the training part" if group == "reference" else group,
                best,
                f"**{gain:+.1f} %**{ends}",
                f"{int((mine < its).sum())} of {len(mine)}",
                f"{int((all_known < own_best).sum())} of {len(all_known)}",
            ])  # fmt: skip
    return table(head, rows)


def recordings_table(cohort: Cohort) -> str:
    """Mean squared error of every method on every recording."""
    methods = cohort.methods
    rows = []
    for recording in cohort.recordings:
        found = [recording["methods"].get(name, {}).get("mse") for name in methods]
        means = [np.inf if mse is None else float(np.mean(mse)) for mse in found]
        cells = ["-" if np.isinf(mean) else f"{mean:.3f}" for mean in means]
        best = int(np.argmin(means))
        cells[best] = f"**{cells[best]}**"
        rate = f"{recording['frame_rate_hz']:.2f}{'*' if recording['rate_assumed'] else ''}"
        rows.append([recording["name"], str(recording["neurons"]), rate, *cells])
    return table(["recording", "neurons", "Hz", *methods], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _remarks(result: dict[str, Any]) -> Iterator[str]:
    """What methods and recordings say of themselves, the same words once."""
    said: dict[tuple[str, str, str], list[str]] = {}
    for each in result["recordings"]:
        for name, found in each["methods"].items():
            remark = found.get("error") or found.get("note")
            if remark:
                said.setdefault((each["setting"], name, remark), []).append(each["name"])
    for (setting, name, remark), recordings in said.items():
        which = (
            ", ".join(recordings) if len(recordings) < 4 else f"{len(recordings)} recordings"
        )
        yield f"{name}, {setting} setting, {which}: {remark}"
    yield from (f"left out: {reason}" for reason in result["left_out"])


def _reading(result: dict[str, Any]) -> str:
    about = result["about"]
    levels = {
        tuple(found["levels"])
        for each in result["recordings"]
        for found in each["methods"].values()
        if found["group"] == "model" and "levels" in found
    } or {tuple(LEVELS)}
    biases = ", ".join(
        f"{quantile_crps_bias(np.array(each)):+.1%} with {len(each)} levels"
        for each in sorted(levels)
    )
    starts = max(each["starts"] for each in result["recordings"])
    assumed = any(each["rate_assumed"] for each in result["recordings"])
    rate = (
        f"* = rate not recorded, taken as {about['default_rate_hz']:g} Hz. " if assumed else ""
    )
    return (
        f"{about['date']}, commit {about['commit']}, {about['machine']}, torch "
        f"{about['torch']}, seed {about['seed']}; expectation {about['expectation']}.\n\n"
        "Recordings averaged to at most 6.2 Hz; first 70 % for training and normalisation; "
        f"{starts} evenly spaced starts in the rest, all neurons at once. Errors are in units "
        "of each neuron's variance over the training part. Standard: 48 frames of context, 16 "
        "of horizon. Paper: traces smoothed causally (alpha 0.15), 36 frames of context for "
        "the references, 64 of horizon. Skill: 1 - MSE / MSE of copying the last frame. r: "
        "each neuron's forecast with the truth within the window, 0 for a constant one; r last "
        "frame: over starts and neurons at the end of the horizon. CRPS: of a normal "
        "distribution with the training residuals' variance for references; for models twice "
        "the mean pinball loss over their quantiles, which for a true normal forecast lies "
        f"off the exact score by {biases}. Zero-shot: no weight is fitted to the recording; "
        "what a model knows of it are statistics of its training part, two linear "
        "continuations solved from them in closed form, and the context. Adapting to a tenth "
        "still has these statistics of the whole training part. Intervals: bootstrap over "
        "recordings. Held out: "
        f"no model of this table was trained on the recording. {rate}\n"
    )
