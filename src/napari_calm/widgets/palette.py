"""Colours of tokens, of clusters and of selected neurons."""

import colorsys
from functools import cache

import numpy as np

from ..explore import cluster_palette
from .settings import read_colour_settings

# Without the yellow of Okabe and Ito, which a light window swallows.
_NEURON_PALETTES = {
    name: tuple(colour for colour in colours if colour != (240, 228, 66))
    for name, colours in cluster_palette.PALETTES.items()
    if name != cluster_palette.DISTINCT
}
_COMPLEMENTS = ({"magenta", "green"}, {"cyan", "red"}, {"yellow", "blue"})
_GOLDEN_TURN = 0.6180339887
_LEAST_CONTRAST = 2.0


def neuron_colour(position: int) -> tuple[int, int, int]:
    """Return red, green, blue (0-255) of the neuron at `position` in the selection."""
    palette = _NEURON_PALETTES[read_colour_settings().neurons]
    return palette[position % len(palette)]


def cluster_colours(n_clusters: int) -> np.ndarray:
    """Return one colour a cluster in the palette that is set, (clusters, 3) uint8."""
    return cluster_palette.cluster_colours(n_clusters, read_colour_settings().clusters)


def overlay_words(kind: str) -> tuple[str, str, str]:
    """Say what the colours of the overlays mean.

    Parameters
    ----------
    kind : str
        Of the forecast.

    Returns
    -------
    measured, forecast, both : str
        The last is empty where the two colours do not add up to white.
    """
    colours = read_colour_settings()
    pair = {colours.activity, colours.forecast}
    both = "white is both" if pair in _COMPLEMENTS else ""
    return f"{colours.activity}: measured dF/F", f"{colours.forecast}: {kind} forecast", both


def is_faint(colour: tuple[int, int, int], background: str) -> bool:
    """Tell whether a colour (0-255) is hard to see on a background (``#rrggbb``).

    Contrast is that of the Web Content Accessibility Guidelines, 1 to 21.

    Examples
    --------
    >>> is_faint((238, 238, 170), "#ffffff"), is_faint((238, 238, 170), "#000000")
    (True, False)
    """
    behind = tuple(int(background[at : at + 2], 16) for at in (1, 3, 5))
    dark, bright = sorted((_luminance(colour), _luminance(behind)))
    return (bright + 0.05) / (dark + 0.05) < _LEAST_CONTRAST


def _luminance(colour: tuple[int, ...]) -> float:
    parts = np.array(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@cache
def token_colours(n_codes: int) -> np.ndarray:
    """Return one colour a code, (n_codes, 4) float32 in 0-1.

    Neighbouring codes get distant hues (steps of the golden section), and
    lightness goes through three levels, so that two codes differ in lightness
    where the eye cannot tell their hues apart.
    """
    colours = np.ones((n_codes, 4), np.float32)
    for code in range(n_codes):
        hue = (code * _GOLDEN_TURN) % 1.0
        lightness = (0.52, 0.66, 0.80)[code % 3]
        saturation = (0.85, 0.75, 0.9)[(code // 3) % 3]
        colours[code, :3] = colorsys.hls_to_rgb(hue, lightness, saturation)
    colours.flags.writeable = False
    return colours
