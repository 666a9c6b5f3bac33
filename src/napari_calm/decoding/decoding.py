"""How well a variable is decoded from a recording, beside what costs nothing."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from ..core.recording import Recording
from .decoded import Decoded, class_columns, named, sample_table, true_values, values_of
from .decoder import Decoder
from .null import p_value
from .scores import SIGNIFICANT, Interval, further_scores, measure_of, over_folds, score
from .target import Target


@dataclass(frozen=True, eq=False, repr=False)
class Decoding:
    """A variable of one recording as read when it is held out, and the fitted decoder.

    Parameters
    ----------
    target : Target
        The variable, smoothed if so wished and without classes too rare to test.
    head, model_name, recording_name : str
    number, start_frame, stop_frame, fold : numpy.ndarray of int, (samples,)
        Frame or trial of each sample, the frames it looks at (stop exclusive), and the fold
        that held it out.
    outputs, reference_outputs : numpy.ndarray, (samples, outputs)
        What the head and ridge or logistic regression on lagged traces said when the sample
        was held out; probabilities for classes.
    without_model_outputs : numpy.ndarray, (samples, outputs), optional
        The same of the blend without the model's hidden states.
    null : numpy.ndarray, (shifts,)
        Mean score over folds for the behaviour shifted in a circle, or for labels shuffled
        among trials.
    test_share : float
        Samples of a fold in relation to those it was fitted to.
    neuron_weights : numpy.ndarray, (neurons,)
        Share of each neuron in what the decoder says, summing to 1; NaN for one left out.
    roi_labels : numpy.ndarray of int, (neurons,)
    shares : dict of float
        Weight of each part of a blend; empty for other heads.
    looks_at : str
        In words: lags, look-ahead, smoothing, what was held out.
    left_out : tuple of str
        Classes that are too rare to test.
    frame_rate_hz : float
    n_frames : int
        Of the recording.
    decoder : Decoder
        Fitted to the whole recording.
    """

    target: Target
    head: str
    model_name: str
    recording_name: str
    number: np.ndarray
    start_frame: np.ndarray
    stop_frame: np.ndarray
    fold: np.ndarray
    outputs: np.ndarray
    reference_outputs: np.ndarray
    without_model_outputs: np.ndarray | None
    null: np.ndarray
    test_share: float
    neuron_weights: np.ndarray
    roi_labels: np.ndarray
    shares: dict[str, float]
    looks_at: str
    left_out: tuple[str, ...]
    frame_rate_hz: float
    n_frames: int
    decoder: Decoder = field(repr=False)

    def __repr__(self) -> str:
        return f"Decoding({self.target.name!r}, {self.measure} {self.score.mean:.3f})"

    def among(self, recording: Recording, neurons: np.ndarray) -> "Decoding":
        """Return the same for all neurons of a recording, of which `neurons` were looked at.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray of int
            Where in it each neuron of this decoding is.
        """
        weights = np.full(recording.n_neurons, np.nan)
        weights[neurons] = self.neuron_weights
        return replace(self, neuron_weights=weights, roi_labels=recording.roi_labels)

    @property
    def measure(self) -> str:
        """Name of the score: balanced accuracy or R2."""
        return measure_of(self.target)

    @property
    def reference_name(self) -> str:
        """What the reference is."""
        kind = "logistic" if self.target.kind == "classes" else "ridge"
        return f"{kind} regression on lagged traces"

    @property
    def truth(self) -> np.ndarray:
        """True values of the samples; numbers of classes, radians for angles, (samples,)."""
        values: np.ndarray = self.target.values[self.number]
        return values

    @property
    def predicted(self) -> np.ndarray:
        """Held-out values in the variable's unit; numbers of classes, (samples,)."""
        return values_of(self.target.kind, self.target.unit, self.outputs)

    @cached_property
    def score(self) -> Interval:
        """Mean score over the folds, with a 95 % interval."""
        return self._over_folds(self.outputs)

    @cached_property
    def reference(self) -> Interval:
        """The same of the reference."""
        return self._over_folds(self.reference_outputs)

    @cached_property
    def gain(self) -> Interval:
        """Score less the reference's, fold by fold."""
        return self._less(self.reference_outputs)

    @cached_property
    def without_model(self) -> Interval | None:
        """Score of the blend without hidden states, where there is one."""
        if self.without_model_outputs is None:
            return None
        return self._over_folds(self.without_model_outputs)

    @cached_property
    def gain_of_states(self) -> Interval | None:
        """What the hidden states add to the blend, fold by fold."""
        if self.without_model_outputs is None:
            return None
        return self._less(self.without_model_outputs)

    @property
    def p_value(self) -> float:
        """Share of shifted behaviours that are decoded as well, itself counted among them."""
        return p_value(self.score.mean, self.null)

    @property
    def above_chance(self) -> bool:
        """Whether hardly any shifted behaviour is decoded as well."""
        return self.p_value <= SIGNIFICANT

    def held_out(self) -> Decoded:
        """What was said of every sample when it was held out."""
        by_frame = self.target.per == "frame"
        return Decoded(
            name=self.target.name,
            kind=self.target.kind,
            per=self.target.per,
            classes=self.target.classes,
            unit=self.target.unit,
            number=self.number,
            start_frame=self.number if by_frame else self.start_frame,
            stop_frame=self.number + 1 if by_frame else self.stop_frame,
            outputs=self.outputs,
            frame_rate_hz=self.frame_rate_hz,
            n_frames=self.n_frames,
            recording_name=self.recording_name,
        )

    def further_scores(self) -> dict[str, float]:
        """Accuracy, correlation, or mean angular error over all held-out samples."""
        return further_scores(self.target, self.truth, self.outputs)

    def fold_scores(self, outputs: np.ndarray) -> np.ndarray:
        """Score of each fold, (folds,)."""
        folds = [self.fold == fold for fold in np.unique(self.fold)]
        return np.array([score(self.target, self.truth[f], outputs[f]) for f in folds])

    def pooled(self, outputs: np.ndarray) -> float:
        """Score of all held-out samples together.

        R2 of a short fold in which a variable hardly changes can be far below 0; together the
        folds have the variance of the whole recording.
        """
        return score(self.target, self.truth, outputs)

    def confusion(self) -> pd.DataFrame:
        """Share of each true class (rows) that was read as each class (columns)."""
        classes = self.target.classes
        counts = confusion_matrix(
            self.truth, self.predicted, labels=range(len(classes)), normalize="true"
        )
        return pd.DataFrame(counts, index=classes, columns=classes)

    def verdict(self) -> str:
        """What was found, in words: beside chance, and beside the reference."""
        null = ""
        if self.null.size:
            few = 1 / (1 + self.null.size) > SIGNIFICANT
            chance = "above" if self.above_chance else "not above"
            if few:
                chance = "too few shifts to tell from"
            null = (
                f", {chance} chance (shifted behaviour {self.null.mean():.3f}, "
                f"p = {self.p_value:.3f})"
            )
        said = f"{self.target.name}: {self.measure} {self.score}{null}. "
        beside = f"{self.reference_name} ({self.reference.mean:.3f})"
        if self.gain.low > 0:
            said += f"Better than {beside} beyond noise, by {self.gain}."
        elif self.gain.high < 0:
            said += f"Worse than {beside} beyond noise, by {self.gain}."
        else:
            said += f"No better or worse than {beside} beyond noise: difference {self.gain}."
        if self.gain_of_states is not None:
            added = self.gain_of_states
            beyond = "beyond" if added.low > 0 or added.high < 0 else "within"
            said += f" The model's states add {added.mean:+.3f}, {beyond} noise."
        if self.left_out:
            said += f" Too rare to test and left out: {', '.join(self.left_out)}."
        return said

    def summary(self) -> pd.DataFrame:
        """One row each for the head, the blend without states, reference and null."""
        name = f"{self.head} head of {self.model_name}"
        rows = [(name, self.score, self.pooled(self.outputs))]
        if self.without_model is not None:
            assert self.without_model_outputs is not None
            pooled = self.pooled(self.without_model_outputs)
            rows.append(("the same without the model", self.without_model, pooled))
        pooled = self.pooled(self.reference_outputs)
        rows.append((self.reference_name, self.reference, pooled))
        if self.null.size:
            low, high = np.quantile(self.null, [0.025, 0.975])
            null = Interval(float(self.null.mean()), float(low), float(high))
            rows.append(("shifted behaviour", null, np.nan))
        return pd.DataFrame(
            {
                "decoder": [name for name, _, _ in rows],
                self.measure: [found.mean for _, found, _ in rows],
                "from": [found.low for _, found, _ in rows],
                "to": [found.high for _, found, _ in rows],
                "all together": [pooled for _, _, pooled in rows],
            }
        )

    def table(self) -> pd.DataFrame:
        """One row a frame or trial: place, truth, held-out value, reference, probabilities."""
        target = self.target
        reference = values_of(target.kind, target.unit, self.reference_outputs)
        return sample_table(
            target.per,
            self.number,
            self.start_frame,
            self.frame_rate_hz,
            {
                "true": true_values(target, self.number),
                "decoded": named(target.kind, target.classes, self.predicted),
                "reference": named(target.kind, target.classes, reference),
                "fold": self.fold,
            }
            | class_columns(target.classes, self.outputs),
        )

    def neuron_table(self) -> pd.DataFrame:
        """One row a neuron: its number, its ROI, and its share in the decoder."""
        return pd.DataFrame(
            {
                "neuron": np.arange(self.roi_labels.size),
                "roi_label": self.roi_labels,
                f"{self.target.name}: weight": self.neuron_weights,
            }
        )

    def _over_folds(self, outputs: np.ndarray) -> Interval:
        """Mean and interval of a score, which ends where scores do."""
        found = over_folds(self.fold_scores(outputs), self.test_share)
        least = 0.0 if self.target.kind == "classes" else -np.inf
        return Interval(found.mean, max(found.low, least), min(found.high, 1.0))

    def _less(self, outputs: np.ndarray) -> Interval:
        difference = self.fold_scores(self.outputs) - self.fold_scores(outputs)
        return over_folds(difference, self.test_share)
