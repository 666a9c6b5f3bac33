"""How good a forecast is, beside what costs nothing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core.errors import CalmError
from ..core.forecast import Forecast
from ..core.progress import Progress, Steps, retold
from ..core.recording import Recording
from ..model.calm import CalmModel
from ..preprocess.smooth import smooth_causally
from .baselines import BASELINES

MODEL = "CalM"


@dataclass(frozen=True, eq=False)
class ForecastSkill:
    """Errors of a model and of simple references on the same frames.

    Parameters
    ----------
    methods : tuple of str
        The model first.
    mse : numpy.ndarray, (methods, horizon frames)
        Mean squared error over neurons (and starts), each neuron in units of its variance
        before the start. Neurons that did not vary before the start are left out; if none
        did, the unit is dF/F squared.
    coverage_90 : float
        Share of true values inside the model's 90 % band; NaN without a band.
    n_starts : int
        Forecast starts that the errors are averaged over.
    """

    methods: tuple[str, ...]
    mse: np.ndarray
    coverage_90: float
    n_starts: int = 1

    @property
    def scored_frames(self) -> int:
        """Frames of each forecast that the recording could be compared with."""
        return int(self.mse.shape[1])

    def mean_mse(self, method: str = MODEL) -> float:
        """Mean over the horizon of the error of `method`."""
        return float(self.mse[self.methods.index(method)].mean())

    def skill(self, reference: str, method: str = MODEL) -> float:
        """1 - MSE / MSE(reference): above 0 where `method` is better."""
        return 1 - self.mean_mse(method) / max(self.mean_mse(reference), 1e-12)

    def table(self) -> pd.DataFrame:
        """One row a method: mean error, error at single horizons, skill against copy last."""
        frames = [h for h in (1, 4, 8, 16) if h <= self.mse.shape[1]]
        rows = {
            "mse": self.mse.mean(axis=1),
            **{f"mse_frame_{h}": self.mse[:, h - 1] for h in frames},
            "skill_vs_copy_last": [self.skill("copy last", method) for method in self.methods],
        }
        return pd.DataFrame(rows, index=pd.Index(self.methods, name="method")).reset_index()

    def verdict(self) -> str:
        """One sentence in plain words."""
        best = min(self.methods[1:], key=self.mean_mse)
        gain = self.skill(best)
        if abs(gain) < 0.02:
            return f"As good as the best simple reference ({best})."
        word = "smaller" if gain > 0 else "larger"
        return f"Error {abs(gain):.0%} {word} than the best simple reference ({best})."


def forecast_skill(recording: Recording, forecast: Forecast) -> ForecastSkill | None:
    """Score one forecast where the recording says what happened.

    The references are fitted on the frames before the forecast's start. Frames past the end
    of the recording are left out, and so are neurons without a forecast.

    Returns
    -------
    ForecastSkill or None
        None if the recording ends before the first forecast frame.

    Raises
    ------
    CalmError
        If recording and forecast are of different neurons.
    """
    if recording.n_neurons != forecast.n_neurons:
        raise CalmError(
            f"skill: the forecast has {forecast.n_neurons} neurons, {recording.name} has "
            f"{recording.n_neurons}."
        )
    known = forecast.known
    traces = smooth_causally(recording.traces[known], forecast.smoothing_alpha)
    history = traces[:, : forecast.start_frame]
    truth = traces[:, forecast.start_frame :][:, : forecast.horizon_frames]
    n_known = truth.shape[1]
    if n_known == 0:
        return None
    forecasts = {MODEL: forecast.mean[known, :n_known]} | {
        name: baseline(history, n_known) for name, baseline in BASELINES.items()
    }
    deviation = history.std(axis=1, dtype=np.float64)
    scored = deviation > 1e-6 * deviation.max()
    if not scored.any():
        deviation, scored = np.ones_like(deviation), np.ones_like(scored)
    scale = deviation[scored, None]
    mse = [
        (((values - truth)[scored] / scale) ** 2).mean(axis=0) for values in forecasts.values()
    ]
    low, high = forecast.quantiles[0][known], forecast.quantiles[-1][known]
    inside = (truth >= low[:, :n_known]) & (truth <= high[:, :n_known])
    has_band = bool((high > low).any())
    return ForecastSkill(
        methods=tuple(forecasts),
        mse=np.stack(mse),
        coverage_90=float(inside.mean()) if has_band else float("nan"),
    )


def skill_over_starts_steps(
    model: CalmModel,
    recording: Recording,
    *,
    horizon_frames: int,
    n_starts: int = 12,
    first_share: float = 0.5,
    samples: int | None = None,
    seed: int = 0,
) -> Steps[ForecastSkill]:
    """Score forecasts from evenly spaced starts in the later part of a recording.

    Parameters
    ----------
    samples : int, optional
        Draws of each forecast; as many as the model needs if not given.
    first_share : float
        Share of the recording before the first start, so that the references have
        something to be fitted on.
    """
    earliest = max(
        model.context_frames_of(recording.frame_rate_hz), int(first_share * recording.n_frames)
    )
    latest = recording.n_frames - horizon_frames
    if latest < earliest:
        raise CalmError(
            f"skill: {recording.name} has {recording.n_frames} frames; starts from frame "
            f"{earliest} leave no room for a horizon of {horizon_frames}."
        )
    if samples is None:
        samples = model.samples_needed
    starts = np.unique(np.linspace(earliest, latest, n_starts).astype(int))
    found = []
    for number, start in enumerate(starts):
        steps = model.forecast_steps(
            recording,
            start_frame=int(start),
            horizon_frames=horizon_frames,
            samples=samples,
            seed=seed,
        )

        def of_all(progress: Progress, number: int = number) -> Progress:
            share = (number + progress.fraction) / len(starts)
            return Progress(round(1000 * share), 1000, "Scoring forecasts")

        forecast = yield from retold(steps, of_all)
        skill = forecast_skill(recording, forecast)
        if skill is not None:
            found.append(skill)
    return ForecastSkill(
        methods=found[0].methods,
        mse=np.mean([skill.mse for skill in found], axis=0),
        coverage_90=float(np.mean([skill.coverage_90 for skill in found])),
        n_starts=len(found),
    )
