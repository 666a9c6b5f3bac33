"""Neurons in the colours of their clusters or of any feature."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyqtgraph as pg

from ..explore.cluster_palette import NO_CLUSTER_RGB
from .explored_results import CLUSTER
from .neuron_features import CONFIDENCE, IDENTITY, neuron_features
from .palette import cluster_colours
from .session import Session
from .settings import read_colour_settings

_UNITS = {"px": "px", "um": "µm", "dff": "dF/F", "share": "share", "hz": "Hz"}
_RAMP, _SIGNED_RAMP = "viridis", "CET-CBD1"
_RAMP_STEPS = 256
_FROM_ZERO_TO_ONE = ("p", "q")


@dataclass(frozen=True, eq=False)
class Colouring:
    """What neurons are coloured by.

    Parameters
    ----------
    name, unit : str
        What it is, for a legend.
    values : numpy.ndarray, (neurons,)
        A number a neuron, or the position of its category; NaN for none.
    colours : numpy.ndarray, (neurons, 3)
        Red, green and blue, 0-255.
    categories : tuple of str
        Names of the categories; empty for numbers.
    category_colours : numpy.ndarray, (categories, 3)
    limits : (float, float)
        Numbers that the ends of the colour ramp stand for.
    ramp : numpy.ndarray, (steps, 3)
    """

    name: str = ""
    unit: str = ""
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    colours: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.uint8))
    categories: tuple[str, ...] = ()
    category_colours: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.uint8))
    limits: tuple[float, float] = (0.0, 1.0)
    ramp: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.uint8))

    @property
    def counts(self) -> np.ndarray:
        """Neurons of each category, (categories,)."""
        known = self.values[np.isfinite(self.values)].astype(int)
        return np.bincount(known, minlength=len(self.categories))

    def value_text(self, neuron: int) -> str:
        """Return the value of a neuron in words."""
        value = self.values[neuron]
        if not np.isfinite(value):
            return f"no {self.name}"
        if self.categories:
            return f"{self.name} {self.categories[int(value)]}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} {value:.3g}{unit}"


def colouring_names(session: Session) -> list[str]:
    """Return what neurons can be coloured by, clusters first, then selectivity, then ROIs."""
    names = [name for name in neuron_features(session) if name not in IDENTITY]
    found = [name for name in names if name in (CLUSTER, CONFIDENCE)]
    tested = [name for name in names if ": " in name]
    return [*found, *tested, *(name for name in names if name not in (*found, *tested))]


def colouring_of(session: Session, by: str | None = None) -> Colouring:
    """Return the colours by a feature, the session's choice where none is named.

    Grey for all where nothing is known of it.
    """
    recording, name = session.recording, session.colour_by if by is None else by
    if recording is None:
        return Colouring()
    features = neuron_features(session)
    if name not in features:
        grey = np.tile(np.array(NO_CLUSTER_RGB, np.uint8), (recording.n_neurons, 1))
        return Colouring(values=np.full(recording.n_neurons, np.nan), colours=grey)
    if name == CLUSTER:
        return _of_clusters(session)
    column = features[name]
    if pd.api.types.is_bool_dtype(column):
        said = np.where(column.to_numpy(), "yes", "no")
        return _of_categories(name, said, (("yes", "no"), False))
    if not pd.api.types.is_numeric_dtype(column):
        return _of_categories(name, column.to_numpy(str), _bins_of(session, name))
    return of_numbers(*title_and_unit(name), column.to_numpy(float), last=name.split()[-1])


def of_numbers(name: str, unit: str, values: np.ndarray, *, last: str = "") -> Colouring:
    """Colour by numbers: from dark to bright, or, where the sign matters, from side to side."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (2, 98)) if known.size else (0.0, 1.0)
    is_signed = last == "d'" and low < 0 < high
    if is_signed:
        high = max(abs(low), abs(high))
        low = -high
    elif last in _FROM_ZERO_TO_ONE or name == CONFIDENCE:
        low, high = 0.0, 1.0
    elif last in ("explained", "weight"):
        low = 0.0
    high = max(high, low + 1e-6)
    ramp = pg.colormap.get(_SIGNED_RAMP if is_signed else _RAMP)
    ramp = ramp.getLookupTable(nPts=_RAMP_STEPS)[:, :3]
    share = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    colours = ramp[np.round(share * (_RAMP_STEPS - 1)).astype(int)]
    colours[~np.isfinite(values)] = NO_CLUSTER_RGB
    return Colouring(name, unit, values, colours, limits=(float(low), float(high)), ramp=ramp)


def title_and_unit(name: str) -> tuple[str, str]:
    """Split a feature's name into words and the unit at its end.

    Examples
    --------
    >>> title_and_unit("centroid_y_px"), title_and_unit("mean_dff"), title_and_unit("cue: p")
    (('centroid y', 'px'), ('mean', 'dF/F'), ('cue: p', ''))
    """
    words = name.split("_")
    if ": " in name or words[-1] not in _UNITS:
        return name, ""
    return " ".join(words[:-1]), _UNITS[words[-1]]


def _of_clusters(session: Session) -> Colouring:
    clusters = session.clusters
    return Colouring(
        name=CLUSTER,
        values=np.where(clusters.labels < 0, np.nan, clusters.labels),
        colours=clusters.colours(read_colour_settings().clusters),
        categories=tuple(map(str, range(clusters.n_clusters))),
        category_colours=cluster_colours(clusters.n_clusters),
    )


def _bins_of(session: Session, name: str) -> tuple[tuple[str, ...], bool]:
    """Return the categories of a column's preferred value, and whether they are in order."""
    for one in session.selectivity.values():
        if name.startswith(f"{one.column}: "):
            in_order = not np.array_equal(one.bin_centres, np.arange(len(one.bins)))
            return one.bins, in_order
    return (), False


def _of_categories(
    name: str, values: np.ndarray, bins: tuple[tuple[str, ...], bool]
) -> Colouring:
    names, in_order = bins
    names = names or tuple(np.unique(values[values != ""]).tolist())
    colours = cluster_colours(len(names))
    if in_order:
        steps = np.linspace(0, 1, len(names))
        colours = pg.colormap.get(_RAMP).map(steps, mode="byte")[:, :3]
    number = {each: place for place, each in enumerate(names)}
    # The last colour is that of neurons of which it is not known.
    position = np.array([number.get(value, -1) for value in values.tolist()])
    with_none = np.vstack([colours, np.array([NO_CLUSTER_RGB], colours.dtype)])
    return Colouring(
        name=name,
        values=np.where(position < 0, np.nan, position),
        colours=with_none[position],
        categories=names,
        category_colours=colours,
    )
