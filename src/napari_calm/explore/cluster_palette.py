"""Colours of clusters that colour-blind readers can tell apart."""

import colorsys
from functools import cache

import numpy as np

# Each next colour is as far as possible (CIELAB) from those before it and from the grey of
# "no cluster", under normal vision, protanopia, deuteranopia and tritanopia, among colours
# that neither a dark nor a light window swallows. The first two are Okabe and Ito's.
_RGB = (
    (0, 114, 178),
    (230, 159, 0),
    (136, 17, 0),
    (136, 0, 255),
    (238, 238, 170),
    (85, 51, 68),
    (136, 204, 255),
    (221, 102, 68),
    (68, 34, 170),
    (187, 238, 221),
    (136, 119, 255),
    (136, 255, 102),
    (136, 0, 119),
    (204, 170, 136),
    (170, 85, 85),
    (119, 153, 187),
    (136, 85, 119),
    (238, 51, 0),
    (170, 153, 255),
    (204, 238, 17),
)
SAFE_COLOURS = len(_RGB)
DISTINCT = "distinct"
# Okabe and Ito 2008 without black, and Paul Tol's schemes of 2021 without grey, in the order
# in which they are meant to be used.
PALETTES = {
    DISTINCT: _RGB,
    "okabe-ito": (
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (213, 94, 0),
        (204, 121, 167),
        (0, 114, 178),
        (240, 228, 66),
    ),
    "tol bright": (
        (68, 119, 170),
        (238, 102, 119),
        (34, 136, 51),
        (204, 187, 68),
        (102, 204, 238),
        (170, 51, 119),
    ),
    "tol muted": (
        (204, 102, 119),
        (51, 34, 136),
        (221, 204, 119),
        (17, 119, 51),
        (136, 204, 238),
        (136, 34, 85),
        (68, 170, 153),
        (153, 153, 51),
        (170, 68, 153),
    ),
}
_NEAR = 90.0  # distance in RGB at which a colour is taken for one that is there already
NO_CLUSTER_RGB = (150, 150, 150)


def cluster_colours(n_clusters: int, palette: str = DISTINCT) -> np.ndarray:
    """Return one colour a cluster, (clusters, 3) uint8.

    Cluster i has the same colour whatever the number. Beyond the colours of a palette those of
    `DISTINCT` that are not near go on; beyond these, where no palette can be told apart by
    everybody, hues go round in steps of the golden section.

    Parameters
    ----------
    palette : str
        One of `PALETTES`.

    Examples
    --------
    >>> cluster_colours(2).tolist()
    [[0, 114, 178], [230, 159, 0]]
    >>> cluster_colours(1, "tol bright").tolist()
    [[68, 119, 170]]
    """
    safe = _with_distinct(palette)
    colours = np.array(safe[:n_clusters], np.uint8).reshape(-1, 3)
    more = [
        colorsys.hls_to_rgb(0.618034 * number % 1.0, (0.4, 0.6, 0.75)[number % 3], 0.8)
        for number in range(n_clusters - len(colours))
    ]
    if more:
        colours = np.concatenate([colours, np.round(255 * np.array(more)).astype(np.uint8)])
    return colours


@cache
def _with_distinct(palette: str) -> tuple[tuple[int, int, int], ...]:
    """Return the colours of a palette and those of the default one that are not near any."""
    colours = list(PALETTES[palette])
    for colour in _RGB:
        away = np.linalg.norm(np.array(colours, float) - colour, axis=1)
        if away.min() > _NEAR:
            colours.append(colour)
    return tuple(colours)
