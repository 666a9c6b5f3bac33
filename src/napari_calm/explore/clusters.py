"""Functional clusters: which neurons belong together, how surely, and what marks them."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..core.errors import CalmError
from ..core.recording import Recording
from ..core.token_map import checked_roi_labels
from .cluster_palette import DISTINCT, NO_CLUSTER_RGB, cluster_colours
from .partition import NONE, setting_name

SHAPES = {
    "confidence": ("neurons",),
    "vectors": ("neurons", "dimensions"),
    "settings": ("settings",),
    "stability": ("settings",),
    "stability_error": ("settings",),
    "mean_traces": ("clusters", "frames"),
    "spread": ("clusters",),
    "spread_p": ("clusters",),
    "token_ratio": ("clusters", "codes"),
    "token_q": ("clusters", "codes"),
    "selectivity": ("clusters", "columns"),
    "selective_share": ("clusters", "columns"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Clusters:
    """A partition of the neurons, its stability, and a description of every cluster.

    Parameters
    ----------
    labels : numpy.ndarray of int, (neurons,)
        Cluster of each neuron, 0 the largest; -1 = none.
    confidence : numpy.ndarray, (neurons,)
        Mean share, over partitions of resampled data, of its cluster's other members that are
        with it again, 0 to 1; NaN for no cluster or a cluster of one.
    vectors : numpy.ndarray, (neurons, dimensions)
        What was clustered; NaN for a neuron that was left out.
    source, method : str
        Kind of the vectors, and how they were parted.
    setting : float
        Number of clusters, smallest cluster or resolution, whichever the method has.
    proposed : bool
        Whether stability proposed the setting, or the user gave it.
    settings, stability, stability_error : numpy.ndarray, (settings,)
        Settings compared; the mean adjusted Rand index between partitions of two halves of
        the time (or of two random parts of the neurons), and its deviation over resamplings.
    null_stability : float
        The same at the setting taken for neurons of one continuous cloud, as reliable as
        these but without clusters; NaN where there are no halves.
    mean_traces : numpy.ndarray, (clusters, frames)
        Mean of the members' z-scored traces.
    frame_rate_hz : float
    spread, spread_p : numpy.ndarray, (clusters,)
        Mean distance between members over that of as many random neurons (below 1: compact),
        and the share of random sets that are as compact; NaN without ROIs.
    token_ratio, token_q : numpy.ndarray, (clusters, codes)
        How much more often members say a token than other neurons do, and its p-value
        (Mann-Whitney over neurons, Benjamini-Hochberg over clusters and codes).
    columns : tuple of str
        Behaviour and trial columns described.
    selectivity, selective_share : numpy.ndarray, (clusters, columns)
        Mean share of variance that the column explains, less chance, and share of members that
        are selective at a false discovery rate of 5 %.
    model_name, recording_name, seed : str, str, int
    roi_labels : numpy.ndarray of int, (neurons,), optional

    Raises
    ------
    CalmError
        If shapes do not fit.
    """

    labels: np.ndarray
    confidence: np.ndarray
    vectors: np.ndarray
    source: str
    method: str
    setting: float
    proposed: bool
    settings: np.ndarray
    stability: np.ndarray
    stability_error: np.ndarray
    null_stability: float
    mean_traces: np.ndarray
    frame_rate_hz: float
    spread: np.ndarray
    spread_p: np.ndarray
    token_ratio: np.ndarray
    token_q: np.ndarray
    columns: tuple[str, ...]
    selectivity: np.ndarray
    selective_share: np.ndarray
    model_name: str = ""
    recording_name: str = ""
    seed: int = 0
    roi_labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        labels = np.array(self.labels, np.int64)
        if labels.ndim != 1 or labels.size == 0 or labels.min() < NONE:
            raise CalmError(
                f"clusters: found labels of shape {labels.shape}; expected one number from -1 "
                "on a neuron."
            )
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "columns", tuple(str(name) for name in self.columns))
        sizes = {
            "neurons": len(labels),
            "clusters": int(labels.max()) + 1,
            "columns": len(self.columns),
        }
        for name, axes in SHAPES.items():
            values = np.array(getattr(self, name), np.float64)
            fits = values.ndim == len(axes) and all(
                sizes.setdefault(axis, side) == side
                for axis, side in zip(axes, values.shape, strict=True)
            )
            if not fits:
                expected = ", ".join(f"{sizes.get(a, '?')} {a}" for a in axes)
                raise CalmError(
                    f"clusters: {name} has shape {values.shape}; expected ({expected})."
                )
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        roi_labels = checked_roi_labels(self.roi_labels, len(labels), what="clusters")
        object.__setattr__(self, "roi_labels", roi_labels)

    def __repr__(self) -> str:
        return (
            f"Clusters({self.n_clusters} of {len(self.labels)} neurons by {self.method} on "
            f"{self.source!r})"
        )

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.labels.max()) + 1

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return len(self.labels)

    @property
    def sizes(self) -> np.ndarray:
        """Neurons in each cluster, (clusters,)."""
        return np.bincount(self.labels[self.labels != NONE], minlength=self.n_clusters)

    @property
    def agreement(self) -> float:
        """Mean agreement between halves at the setting taken; NaN where it was not measured."""
        taken = np.flatnonzero(self.settings == self.setting)
        return float(self.stability[taken[0]]) if taken.size else float("nan")

    def among(self, recording: Recording, neurons: np.ndarray) -> "Clusters":
        """Return the same for all neurons of a recording, of which these are `neurons`.

        The others have no cluster.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray of int
            Where in it each neuron of these clusters is.
        """
        n_neurons = recording.n_neurons
        labels = np.full(n_neurons, NONE)
        confidence = np.full(n_neurons, np.nan)
        vectors = np.full((n_neurons, self.vectors.shape[1]), np.nan)
        labels[neurons], confidence[neurons] = self.labels, self.confidence
        vectors[neurons] = self.vectors
        return replace(
            self,
            labels=labels,
            confidence=confidence,
            vectors=vectors,
            roi_labels=recording.roi_labels,
        )

    def order(self) -> np.ndarray:
        """Neurons sorted by cluster, surest first; those without a cluster last."""
        cluster = np.where(self.labels == NONE, self.n_clusters, self.labels)
        return np.lexsort((-np.nan_to_num(self.confidence, nan=-1), cluster))

    def marking_tokens(self, cluster: int, level: float = 0.05) -> list[tuple[int, float]]:
        """Tokens that a cluster uses more than the others, with the ratio, largest first."""
        ratio, q = self.token_ratio[cluster], self.token_q[cluster]
        codes = np.flatnonzero((q <= level) & (ratio > 1))
        codes = codes[np.argsort(-ratio[codes], kind="stable")]
        return [(int(code), float(ratio[code])) for code in codes]

    def table(self) -> pd.DataFrame:
        """One row a neuron: `neuron`, `roi_label`, `cluster` (-1 = none), `confidence`."""
        return pd.DataFrame(
            {
                "neuron": np.arange(self.n_neurons),
                "roi_label": self.roi_labels,
                "cluster": self.labels,
                "confidence": self.confidence,
            }
        )

    def summary(self) -> pd.DataFrame:
        """One row a cluster: size, confidence, compactness, marking tokens, selectivity."""
        rows = []
        for cluster in range(self.n_clusters):
            members = self.labels == cluster
            tokens = self.marking_tokens(cluster)
            row: dict[str, object] = {
                "cluster": cluster,
                "neurons": int(members.sum()),
                "confidence": _mean(self.confidence[members]),
                "spread": self.spread[cluster],
                "spread_p": self.spread_p[cluster],
                "tokens": " ".join(f"{code} (x{ratio:.1f})" for code, ratio in tokens[:3]),
            }
            for number, column in enumerate(self.columns):
                row[column] = self.selectivity[cluster, number]
                row[f"{column}_selective"] = self.selective_share[cluster, number]
            rows.append(row)
        return pd.DataFrame(rows)

    def verdict(self) -> str:
        """Number and stability in plain words."""
        if self.n_clusters == 0:
            return f"No clusters found by {self.method}."
        how = "the most stable number" if self.proposed else "the number asked for"
        if self.method in ("hdbscan", "leiden"):
            what = setting_name(self.method)
            how = f"{what} {self.setting:g}, {'most stable' if self.proposed else 'given'}"
        text = f"{self.n_clusters} clusters ({how})"
        if not np.isfinite(self.agreement):
            return text + "."
        text += f"; partitions of resampled data agree to {self.agreement:.2f} (1 = perfectly)"
        if np.isfinite(self.null_stability):
            text += f", {self.null_stability:.2f} would be expected without clusters"
            if self.agreement < self.null_stability + 0.05:
                return text + ": no evidence for separate clusters."
        return text + "."

    def colours(self, palette: str = DISTINCT) -> np.ndarray:
        """Colour of each neuron's cluster, (neurons, 3) uint8; grey for none."""
        of_cluster = cluster_colours(max(1, self.n_clusters), palette)
        colours: np.ndarray = of_cluster[np.maximum(self.labels, 0)]
        colours[self.labels == NONE] = NO_CLUSTER_RGB
        return colours


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
