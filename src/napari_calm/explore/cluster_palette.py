"""Colours of clusters that colour-blind readers can tell apart."""

import colorsys

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
NO_CLUSTER_RGB = (150, 150, 150)


def cluster_colours(n_clusters: int) -> np.ndarray:
    """Return one colour a cluster, (clusters, 3) uint8; distinct for up to 20.

    Cluster i has the same colour whatever the number. Beyond 20, where no palette can be
    told apart by everybody, hues go round in steps of the golden section.

    Examples
    --------
    >>> cluster_colours(2).tolist()
    [[0, 114, 178], [230, 159, 0]]
    """
    colours = np.array(_RGB[:n_clusters], np.uint8).reshape(-1, 3)
    more = [
        colorsys.hls_to_rgb(0.618034 * number % 1.0, (0.4, 0.6, 0.75)[number % 3], 0.8)
        for number in range(n_clusters - len(colours))
    ]
    if more:
        colours = np.concatenate([colours, np.round(255 * np.array(more)).astype(np.uint8)])
    return colours
