"""ROI footprints: which pixels a neuron covers, and how much."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from .errors import RecordingError

# 16384 x 16384 pixels; a size beyond it is a damaged number, and would fill the memory.
_MOST_PIXELS = 2**28


@dataclass(frozen=True, eq=False, repr=False)
class Footprints:
    """Sparse ROI weights, one row a neuron, one column a pixel; overlaps are kept.

    Parameters
    ----------
    weights : scipy.sparse.csr_array, (neurons, height * width)
        Non-negative pixel weights, float32, pixels in row-major order.
    image_shape : (int, int)
        Height and width of the image in pixels.
    label_values : numpy.ndarray of int, (neurons,), optional
        The number under which each ROI is known in its source; 1, 2, 3 ... if not given.
    source : str
        Where the ROIs came from (a path or a layer name), for messages.

    Raises
    ------
    RecordingError
        If there is no ROI, an ROI has no pixel, or shape and weights do not fit.
    """

    weights: sp.csr_array
    image_shape: tuple[int, int]
    label_values: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    source: str = ""

    def __post_init__(self) -> None:
        where = self.source or "ROIs"
        height, width = (int(side) for side in self.image_shape)
        if height < 1 or width < 1 or height * width > _MOST_PIXELS:
            raise RecordingError(
                f"{where}: the image of the ROIs has {height} x {width} pixels; expected at "
                f"least one and at most {_MOST_PIXELS}."
            )
        weights = sp.csr_array(self.weights, dtype=np.float32)
        weights.sum_duplicates()
        weights.eliminate_zeros()
        if weights.shape[0] == 0:
            raise RecordingError(f"{where}: no ROI found. Expected at least one.")
        if weights.shape[1] != height * width:
            raise RecordingError(
                f"{where}: {weights.shape[1]} pixel columns do not make an image of "
                f"{height} x {width} pixels."
            )
        if not np.all(np.isfinite(weights.data)) or np.any(weights.data < 0):
            raise RecordingError(f"{where}: ROI weights must be finite and not negative.")
        empty = np.flatnonzero(np.diff(weights.indptr) == 0)
        if empty.size:
            raise RecordingError(
                f"{where}: {empty.size} of {weights.shape[0]} ROIs have no pixel "
                f"(first: row {empty[0]}). Remove them or check their weights."
            )
        labels = np.asarray(self.label_values, dtype=np.int64)
        if labels.size == 0:
            labels = np.arange(1, weights.shape[0] + 1, dtype=np.int64)
        if labels.shape != (weights.shape[0],) or np.unique(labels).size != labels.size:
            raise RecordingError(
                f"{where}: {weights.shape[0]} ROIs need as many different label numbers; "
                f"found {labels.size} ({np.unique(labels).size} different)."
            )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "image_shape", (height, width))
        object.__setattr__(self, "label_values", labels)

    @classmethod
    def from_label_image(cls, labels: np.ndarray, *, source: str = "") -> "Footprints":
        """Make footprints of a label image (0 = background), all weights 1.

        Parameters
        ----------
        labels : numpy.ndarray of int, (height, width)
            Gaps in the numbering are kept as `label_values`.
        """
        where = source or "label image"
        labels = np.asarray(labels)
        if labels.ndim != 2:
            raise RecordingError(
                f"{where}: found an array of shape {labels.shape}; expected one label "
                "image (height, width)."
            )
        if not np.issubdtype(labels.dtype, np.integer) and labels.dtype != bool:
            raise RecordingError(
                f"{where}: found numbers of type {labels.dtype}; a label image holds integers."
            )
        if labels.size and int(labels.min()) < 0:
            raise RecordingError(f"{where}: found label {labels.min()}; labels start at 0.")
        pixels = np.flatnonzero(labels)
        if pixels.size == 0:
            raise RecordingError(
                f"{where}: no ROI found, every pixel is 0. Expected at least one label above 0."
            )
        values, rows = np.unique(labels.ravel()[pixels], return_inverse=True)
        weights = sp.csr_array(
            (np.ones(pixels.size, np.float32), (rows.ravel(), pixels)),
            shape=(values.size, labels.size),
        )
        height, width = labels.shape
        return cls(weights, (height, width), values.astype(np.int64), source)

    @classmethod
    def from_pixels(
        cls,
        pixels: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
        image_shape: tuple[int, int],
        *,
        label_values: np.ndarray | None = None,
        source: str = "",
    ) -> "Footprints":
        """Make footprints of one (rows, columns, weights) triple a neuron.

        Raises
        ------
        RecordingError
            If an ROI reaches outside the image, naming the ROI and its extent.
        """
        where = source or "ROIs"
        height, width = image_shape
        indices: list[np.ndarray] = []
        data: list[np.ndarray] = []
        for number, (y, x, weight) in enumerate(pixels):
            y, x = np.asarray(y, np.int64), np.asarray(x, np.int64)
            weight = np.asarray(weight, np.float32)
            if not y.shape == x.shape == weight.shape:
                raise RecordingError(
                    f"{where}: ROI {number} has {y.size} rows, {x.size} columns and "
                    f"{weight.size} weights; the three must be equally many."
                )
            if y.size and (y.min() < 0 or x.min() < 0 or y.max() >= height or x.max() >= width):
                raise RecordingError(
                    f"{where}: ROI {number} reaches outside the image: rows {y.min()} to "
                    f"{y.max()}, columns {x.min()} to {x.max()}, but the image has "
                    f"{height} x {width} pixels (height x width). Do ROIs and movie belong "
                    "together? Are rows and columns swapped?"
                )
            indices.append(y * width + x)
            data.append(weight)
        indptr = np.cumsum([0] + [part.size for part in indices])
        weights = sp.csr_array(
            (
                np.concatenate(data) if data else np.empty(0, np.float32),
                np.concatenate(indices) if indices else np.empty(0, np.int64),
                indptr,
            ),
            shape=(len(indices), height * width),
        )
        labels = np.empty(0, np.int64) if label_values is None else label_values
        return cls(weights, (height, width), labels, source)

    def __repr__(self) -> str:
        height, width = self.image_shape
        return f"Footprints({self.n_neurons} ROIs on {height} x {width} pixels)"

    @property
    def n_neurons(self) -> int:
        """Number of ROIs."""
        return int(self.weights.shape[0])

    def select(self, neurons: np.ndarray) -> "Footprints":
        """Keep only `neurons` (indices or a boolean mask), in that order."""
        return Footprints(
            self.weights[neurons], self.image_shape, self.label_values[neurons], self.source
        )

    @cached_property
    def label_image(self) -> np.ndarray:
        """A view for display, int32 (height, width); where ROIs overlap the heavier wins."""
        labels = np.zeros(self.image_shape[0] * self.image_shape[1], np.int32)
        peak = np.maximum(self.weights.max(axis=1).toarray().ravel(), np.float32(1e-12))
        entries = self.weights.tocoo()
        rows, columns = entries.coords
        order = np.argsort(entries.data / peak[rows], kind="stable")
        labels[columns[order]] = self.label_values[rows[order]]
        return labels.reshape(self.image_shape)

    @cached_property
    def centroids_px(self) -> np.ndarray:
        """Weighted centres, (neurons, 2) as row and column in pixels."""
        height, width = self.image_shape
        rows, columns = np.divmod(np.arange(height * width), width)
        total = self.weights.sum(axis=1)
        moments = np.stack([self.weights @ rows, self.weights @ columns], axis=1)
        centres: np.ndarray = moments / np.asarray(total)[:, None]
        return centres

    @cached_property
    def areas_px(self) -> np.ndarray:
        """Number of pixels of each ROI, (neurons,)."""
        return np.diff(self.weights.indptr)

    @cached_property
    def overlap_share(self) -> np.ndarray:
        """Share of each ROI's pixels that another ROI also covers, (neurons,)."""
        covered = np.bincount(self.weights.indices, minlength=self.weights.shape[1]) > 1
        shared = np.add.reduceat(covered[self.weights.indices], self.weights.indptr[:-1])
        share: np.ndarray = shared / self.areas_px
        return share
