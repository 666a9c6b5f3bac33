"""Colours of tokens and of selected neurons."""

import colorsys
from functools import cache

import numpy as np

# Okabe and Ito's colours, told apart by people with any common colour blindness;
# without black and yellow, which a dark and a light window swallow.
_OKABE_ITO = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
_GOLDEN_TURN = 0.6180339887
_LEAST_CONTRAST = 2.0


def neuron_colour(position: int) -> tuple[int, int, int]:
    """Return red, green, blue (0-255) of the neuron at `position` in the selection."""
    return _OKABE_ITO[position % len(_OKABE_ITO)]


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
