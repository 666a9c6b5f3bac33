"""What a decoder says of a recording."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .target import Kind, Per, Target


@dataclass(frozen=True, eq=False, repr=False)
class Decoded:
    """A variable as decoded from every frame or trial of one recording.

    Parameters
    ----------
    name : str
        The variable.
    kind : {"continuous", "circular", "classes"}
    per : {"frame", "trial"}
    classes : tuple of str
    unit : {"", "rad", "deg"}
        Of a circular variable.
    number : numpy.ndarray of int, (samples,)
        Frame or trial of each sample.
    start_frame, stop_frame : numpy.ndarray of int, (samples,)
        Frames for which the value holds, stop exclusive.
    outputs : numpy.ndarray, (samples, outputs)
        Number; cosine and sine; or probabilities of the classes, as if all were equally
        frequent.
    frame_rate_hz : float
    n_frames : int
        Of the recording.
    recording_name : str
    """

    name: str
    kind: Kind
    per: Per
    classes: tuple[str, ...]
    unit: str
    number: np.ndarray
    start_frame: np.ndarray
    stop_frame: np.ndarray
    outputs: np.ndarray
    frame_rate_hz: float
    n_frames: int
    recording_name: str = ""

    def __repr__(self) -> str:
        return f"Decoded({self.name!r}, {len(self.number)} {self.per}s)"

    @property
    def values(self) -> np.ndarray:
        """Decoded numbers, angles in the variable's unit, or numbers of classes, (samples,)."""
        return values_of(self.kind, self.unit, self.outputs)

    def per_frame(self) -> np.ndarray:
        """Decoded value at every frame, NaN where nothing is decoded, (frames,)."""
        found = np.full(self.n_frames, np.nan)
        for start, stop, value in zip(
            self.start_frame, self.stop_frame, self.values, strict=True
        ):
            found[start:stop] = value
        return found

    def text_at(self, frame: int) -> str:
        """What to write over the movie at a frame; empty where nothing is decoded."""
        here = np.flatnonzero((self.start_frame <= frame) & (frame < self.stop_frame))
        if here.size == 0:
            return ""
        sample = int(here[0])
        if self.kind == "classes":
            best = int(self.outputs[sample].argmax())
            return f"{self.name}: {self.classes[best]} ({self.outputs[sample, best]:.0%})"
        value = self.values[sample]
        unit = "°" if self.unit == "deg" else f" {self.unit}" if self.unit else ""
        return f"{self.name}: {value:.3g}{unit}"

    def table(self, truth: Target | None = None) -> pd.DataFrame:
        """One row a frame or trial: place, decoded value, probabilities; truth where known."""
        return sample_table(
            self.per,
            self.number,
            self.start_frame,
            self.frame_rate_hz,
            {"decoded": named(self.kind, self.classes, self.values)}
            | ({} if truth is None else {"true": true_values(truth, self.number)})
            | class_columns(self.classes, self.outputs),
        )


def values_of(kind: Kind, unit: str, outputs: np.ndarray) -> np.ndarray:
    """Values (samples,) of outputs (samples, outputs): see `Decoded.values`."""
    values: np.ndarray = outputs[:, 0]
    if kind == "classes":
        values = outputs.argmax(axis=1)
    elif kind == "circular":
        values = np.arctan2(outputs[:, 1], outputs[:, 0])
        values = np.rad2deg(values) if unit == "deg" else values
    return values


def named(kind: Kind, classes: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """Values with classes by name, an empty name where unknown."""
    if kind != "classes":
        return values
    names: np.ndarray = np.array([*classes, ""], dtype=object)[values.astype(int)]
    return names


def true_values(target: Target, number: np.ndarray) -> np.ndarray:
    """Values of a variable at frames or trials, as its recording gives them."""
    values = target.values[number]
    if target.unit == "deg":
        values = np.rad2deg(values)
    return named(target.kind, target.classes, values)


def class_columns(classes: tuple[str, ...], outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Probability of each class as a column."""
    return {f"p({name})": outputs[:, place] for place, name in enumerate(classes)}


def sample_table(
    per: Per,
    number: np.ndarray,
    start_frame: np.ndarray,
    frame_rate_hz: float,
    columns: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Put columns behind the place of each sample."""
    place = {"trial": number} if per == "trial" else {}
    return pd.DataFrame(
        place
        | {"frame": start_frame if per == "trial" else number}
        | {"time_s": (start_frame if per == "trial" else number) / frame_rate_hz}
        | columns
    )
