"""What a training measured, in words and numbers that a user can weigh."""

from collections.abc import Sequence

import numpy as np

from ..analysis.skill import ForecastSkill, skill_over_starts_steps
from ..core.progress import Steps
from ..core.recording import Recording
from ..model.calm import CalmModel
from .config import PretrainConfig
from .optimise import Curve

MOST_RECORDINGS = 8
HORIZON_FRAMES = 16
STARTS_PER_RECORDING = 6


def held_back_skills_steps(
    model: CalmModel, recordings: Sequence[Recording], validation_share: float
) -> Steps[list[ForecastSkill]]:
    """Score forecasts in the validation parts of some evenly chosen recordings.

    Parameters
    ----------
    recordings : sequence of Recording
        Those whose validation part is shorter than a horizon are passed over.
    validation_share : float
        Last share of each recording that gave nothing to training.

    Returns
    -------
    list of ForecastSkill
        One a recording; empty if none is long enough.
    """
    long_enough = [
        recording
        for recording in recordings
        if validation_share * recording.n_frames > HORIZON_FRAMES
        and recording.n_frames - HORIZON_FRAMES
        >= model.context_frames_of(recording.frame_rate_hz)
    ]
    chosen = np.unique(np.linspace(0, len(long_enough) - 1, MOST_RECORDINGS).astype(int))
    skills = []
    for number in chosen if long_enough else ():
        skill = yield from skill_over_starts_steps(
            model,
            long_enough[number],
            horizon_frames=HORIZON_FRAMES,
            n_starts=STARTS_PER_RECORDING,
            first_share=1 - validation_share,
        )
        skills.append(skill)
    return skills


def model_card(
    config: PretrainConfig,
    n_recordings: int,
    n_real: int,
    tokenizer: Curve,
    dynamics: Curve,
    skills: Sequence[ForecastSkill],
    *,
    stopped: bool = False,
) -> str:
    """Write the card of a trained model, in Markdown; `stopped` where it was stopped early."""
    low, high = config.preprocessing.frame_rate_range_hz
    simulated = bool(config.data.simulated or config.data.populations)
    source = "simulated recordings" if simulated else "recordings"
    if simulated and n_real:
        source = f"recordings ({n_real} real ones, the others simulated)"
    lines = [
        "## Training",
        "",
        f"- {n_recordings} {source}, shown at {low:g} to {high:g} Hz; the last "
        f"{config.data.validation_share:.0%} of each were kept for validation",
        *([f"- the weights started from {config.start_from}"] if config.start_from else []),
        f"- seed {config.seed}; {len(tokenizer)} tokenizer steps, {len(dynamics)} dynamics "
        f"steps; the weights after step {best_validation(dynamics)['step']:.0f} are kept",
        *([_stopped_line(config)] if stopped else []),
        f"- a forecast looks at {config.preprocessing.context_frames} frames",
        "",
        "## Measured on the validation parts",
        "",
    ]
    for curve in (tokenizer[-1], best_validation(dynamics)):
        lines += [
            f"- {name.removeprefix('validation_').replace('_', ' ')}: {value:.4g}"
            for name, value in curve.items()
            if name.startswith("validation_")
        ]
    lines += [
        "",
        "`unexplained` is 1 - R2 of the tokenizer's reconstruction, `nats` the mean negative "
        f"log likelihood of the next of {config.tokenizer.n_codes} tokens.",
    ]
    return "\n".join(lines + _forecast_lines(skills))


def _stopped_line(config: PretrainConfig) -> str:
    n_steps = config.dynamics_training.optimiser.steps
    return f"- stopped early, before the {n_steps} dynamics steps of its configuration"


def best_validation(curve: Curve) -> dict[str, float]:
    """Row of a learning curve whose weights were kept."""
    judged = [row for row in curve if "validation_loss" in row]
    return min(judged, key=lambda row: row["validation_loss"]) if judged else curve[-1]


def _forecast_lines(skills: Sequence[ForecastSkill]) -> list[str]:
    if not skills:
        return []
    mse = np.mean([skill.mse for skill in skills], axis=0)
    lines = [
        "",
        f"Forecasts of {HORIZON_FRAMES} frames, mean squared error in "
        f"units of each neuron's variance, mean over {len(skills)} recordings and "
        f"{STARTS_PER_RECORDING} starts in each; the references are fitted to each recording's "
        "frames before the start, the model to none:",
        "",
        "| forecast | all frames | frame 1 | frame 4 | frame 16 |",
        "|---|---|---|---|---|",
    ]
    for method, row in zip(skills[0].methods, mse, strict=True):
        cells = (row.mean(), row[0], row[3], row[15])
        lines.append(f"| {method} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    coverage = np.mean([skill.coverage_90 for skill in skills])
    ahead = sum(skill.skill("AR") > 0 for skill in skills)
    lines += [
        "",
        f"The model is ahead of AR on {ahead} of {len(skills)} recordings; its 90 % band holds "
        f"{coverage:.0%} of what happened.",
    ]
    return lines
