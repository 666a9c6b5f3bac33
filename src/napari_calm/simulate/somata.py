"""Where the cell bodies lie and what they look like."""

import numpy as np
from scipy.special import expit

from ..core.footprints import Footprints

# Of each new soma's possible places the best of so many is taken: cells keep a natural
# distance, and a crowded image still finds room.
_CANDIDATES = 12

SMALLEST_WEIGHT = 0.1


def draw_somata(
    rng: np.random.Generator,
    n_neurons: int,
    *,
    image_shape: tuple[int, int],
    diameter_px: float,
    blocked: np.ndarray,
    overlapping_share: float = 0.15,
) -> Footprints:
    """Draw one soma a neuron: uneven ellipses, most with a dark nucleus.

    Parameters
    ----------
    diameter_px : float
        Mean diameter in pixels; single somata vary by a tenth.
    blocked : numpy.ndarray of bool, (height, width)
        Pixels where no soma is centred (vessels).
    overlapping_share : float
        Share of the somata that are put partly over another one, as cells of
        neighbouring depths are seen.

    Returns
    -------
    Footprints
        Weights up to 1, rounded to 4 digits.
    """
    centers = _draw_centers(
        rng, n_neurons, image_shape, diameter_px, blocked, overlapping_share
    )
    pixels = [_draw_soma(rng, center, image_shape, diameter_px) for center in centers]
    return Footprints.from_pixels(pixels, image_shape, source="simulated somata")


def _draw_centers(
    rng: np.random.Generator,
    n_neurons: int,
    image_shape: tuple[int, int],
    diameter_px: float,
    blocked: np.ndarray,
    overlapping_share: float,
) -> np.ndarray:
    # Somata touch the border here and there, but never lie mostly outside.
    margin = np.minimum(0.35 * diameter_px, (np.array(image_shape) - 1) / 2)
    size = np.array(image_shape) - 1 - 2 * margin
    centers = np.empty((n_neurons, 2))
    for number in range(n_neurons):
        places = margin + size * rng.random((_CANDIDATES, 2))
        if number and rng.random() < overlapping_share:
            angle = rng.uniform(0, 2 * np.pi, _CANDIDATES)
            step = rng.uniform(0.6, 0.8, _CANDIDATES) * diameter_px
            beside = centers[rng.integers(number)]
            places = beside + step[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
            places = np.clip(places, margin, margin + size)
            wanted = 0.7 * diameter_px
        else:
            wanted = np.inf
        rows, columns = np.round(places).astype(int).T
        distance = np.full(_CANDIDATES, 0.0)
        if number:
            distance = np.linalg.norm(places[:, None] - centers[:number], axis=2).min(axis=1)
        score = np.minimum(distance, wanted) - 1e6 * blocked[rows, columns]
        centers[number] = places[np.argmax(score)]
    return centers


def _draw_soma(
    rng: np.random.Generator,
    center: np.ndarray,
    image_shape: tuple[int, int],
    diameter_px: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    radius = 0.5 * diameter_px * np.exp(0.1 * rng.standard_normal())
    elongation = rng.uniform(1.0, 1.25)
    tilt = rng.uniform(0, np.pi)
    bumps = rng.normal(0, 0.05, 2)
    bump_angles = rng.uniform(0, 2 * np.pi, 2)
    nucleus_depth = rng.uniform(0.35, 0.75) if rng.random() < 0.7 else 0.0

    reach = int(np.ceil(1.6 * radius)) + 1
    low = np.maximum(0, np.floor(center).astype(int) - reach)
    high = np.minimum(image_shape, np.floor(center).astype(int) + reach + 2)
    rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
    y, x = rows - center[0], columns - center[1]
    along = (x * np.cos(tilt) + y * np.sin(tilt)) / np.sqrt(elongation)
    across = (y * np.cos(tilt) - x * np.sin(tilt)) * np.sqrt(elongation)
    angle = np.arctan2(across, along)
    outline = 1 + sum(
        bump * np.cos(order * angle + start)
        for order, bump, start in zip((2, 3), bumps, bump_angles, strict=True)
    )
    distance = np.hypot(along, across) / (radius * outline)
    # The edge is as soft as the microscope's focus, about half a pixel.
    weight = expit((1 - distance) * radius / 0.45)
    weight *= 1 - nucleus_depth * np.exp(-((distance / 0.5) ** 2))
    weight = np.round(weight / weight.max(), 4)
    kept = weight >= SMALLEST_WEIGHT
    return rows[kept], columns[kept], weight[kept]
