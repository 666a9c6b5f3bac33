"""One vector a neuron, in which neurons of like function lie close."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..core.errors import CalmError
from ..core.recording import Recording
from ..core.token_map import checked_roi_labels


@dataclass(frozen=True, eq=False, repr=False)
class NeuronEmbedding:
    """Vectors of all neurons, of the whole recording and of random halves of its time.

    Parameters
    ----------
    vectors : numpy.ndarray, (neurons, dimensions)
        float32; all NaN for a neuron that was left out.
    source : str
        What they are made of; one of `embed.SOURCES`, or your own word.
    halves : numpy.ndarray, (resamplings, 2, neurons, dimensions), optional
        The same from two halves of the recording's blocks of time; none for what has no time.
    columns : tuple of str
        Behaviour and trial columns that the vectors know of; empty for activity alone.
    model_name, recording_name : str
    roi_labels : numpy.ndarray of int, (neurons,), optional
        Number of each neuron's ROI in its source; 0, 1, 2 ... if not given.

    Raises
    ------
    CalmError
        If shapes do not fit, a value is not finite, or all neurons are left out.
    """

    vectors: np.ndarray
    source: str
    halves: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    columns: tuple[str, ...] = ()
    model_name: str = ""
    recording_name: str = ""
    roi_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors, np.float32)
        if vectors.ndim != 2 or 0 in vectors.shape:
            raise CalmError(
                f"embedding: found vectors of shape {vectors.shape}; expected (neurons, "
                "dimensions) with at least one of each."
            )
        halves = np.asarray(self.halves, np.float32)
        if halves.size == 0:
            halves = np.empty((0, 2, len(vectors), 0), np.float32)
        if halves.ndim != 4 or halves.shape[1:3] != (2, len(vectors)):
            raise CalmError(
                f"embedding: found halves of shape {halves.shape}; expected (resamplings, 2, "
                f"{len(vectors)} neurons, dimensions)."
            )
        known = ~np.isnan(vectors).all(axis=1)
        is_whole = np.isfinite(vectors[known]).all() and np.isfinite(halves[:, :, known]).all()
        if not known.any() or not is_whole:
            raise CalmError(
                "embedding: vectors hold NaN or infinite values; expected numbers. Leave out "
                "neurons with unusable traces."
            )
        for name, values in (("vectors", vectors), ("halves", halves)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        object.__setattr__(self, "columns", tuple(str(name) for name in self.columns))
        labels = checked_roi_labels(self.roi_labels, len(vectors), what="embedding")
        object.__setattr__(self, "roi_labels", labels)

    def __repr__(self) -> str:
        return (
            f"NeuronEmbedding({self.n_neurons} neurons x {self.vectors.shape[1]} dimensions "
            f"of {self.source!r})"
        )

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return int(self.vectors.shape[0])

    @property
    def known(self) -> np.ndarray:
        """Which neurons have a vector, (neurons,) of bool; the others were left out."""
        known: np.ndarray = ~np.isnan(self.vectors).all(axis=1)
        return known

    def among(self, recording: Recording, neurons: np.ndarray) -> "NeuronEmbedding":
        """Return the same for all neurons of a recording, of which these are `neurons`.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray of int
            Where in it each neuron of this embedding is.
        """
        vectors = np.full((recording.n_neurons, self.vectors.shape[1]), np.nan, np.float32)
        vectors[neurons] = self.vectors
        pairs, dimensions = len(self.halves), self.halves.shape[3]
        halves = np.full((pairs, 2, recording.n_neurons, dimensions), np.nan, np.float32)
        halves[:, :, neurons] = self.halves
        return replace(self, vectors=vectors, halves=halves, roi_labels=recording.roi_labels)

    def table(self) -> pd.DataFrame:
        """One row a neuron: `neuron`, `roi_label`, one column a dimension."""
        return pd.DataFrame(
            {
                "neuron": np.arange(self.n_neurons),
                "roi_label": self.roi_labels,
                **{
                    f"{self.source}_{number}": values
                    for number, values in enumerate(self.vectors.T, 1)
                },
            }
        )
