"""What surrounds the cell bodies: neuropil, vessels, and how evenly the light falls."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.special import expit

from .fluctuations import smooth_noise

N_NEUROPIL_PATCHES = 4


@dataclass(frozen=True, eq=False)
class Tissue:
    """The still parts of a field of view.

    Parameters
    ----------
    transmission : numpy.ndarray, (height, width)
        Share of the light that comes through: darker over vessels and towards the corners.
    vessels : numpy.ndarray of bool, (height, width)
        Pixels inside a vessel.
    neuropil : numpy.ndarray, (height, width)
        Resting brightness of the neuropil, mean 1.
    patches : numpy.ndarray, (patches, height, width)
        Smooth weights that add to 1 in every pixel: how much each pixel follows each of
        the neuropil's signals.
    """

    transmission: np.ndarray
    vessels: np.ndarray
    neuropil: np.ndarray
    patches: np.ndarray


def draw_tissue(
    rng: np.random.Generator, image_shape: tuple[int, int], *, pixel_size_um: float
) -> Tissue:
    """Draw a field of view without its cells.

    Parameters
    ----------
    pixel_size_um : float
        Side of a pixel in micrometres; vessels and neuropil keep their size in tissue.
    """
    clear, vessels = _draw_vessels(rng, image_shape, pixel_size_um)
    rows, columns = np.mgrid[: image_shape[0], : image_shape[1]]
    half = np.array(image_shape)[:, None, None] / 2
    from_center = np.hypot(*((np.stack([rows, columns]) + 0.5 - half) / half))
    vignette = 1 - 0.25 * (from_center / np.sqrt(2)) ** 2

    # Broad brightness, dendrite-sized mottling and a few bright specks (boutons, debris).
    neuropil = np.exp(
        0.25 * _field(rng, image_shape, 20 / pixel_size_um)
        + 0.2 * _field(rng, image_shape, 3 / pixel_size_um)
        + 0.15 * _field(rng, image_shape, 1 / pixel_size_um)
    )
    specks = rng.random(image_shape) < 0.0012 * pixel_size_um**2
    specks = gaussian_filter(specks * rng.uniform(2, 10, image_shape), 0.7, mode="constant")
    neuropil += specks
    patches = np.exp(
        1.5
        * np.stack(
            [_field(rng, image_shape, 25 / pixel_size_um) for _ in range(N_NEUROPIL_PATCHES)]
        )
    )
    return Tissue(
        transmission=clear * vignette,
        vessels=vessels,
        neuropil=neuropil / neuropil.mean(),
        patches=patches / patches.sum(axis=0),
    )


def neuropil_signals(
    rng: np.random.Generator, brightness: np.ndarray, *, frame_rate_hz: float
) -> np.ndarray:
    """Relative change of each neuropil patch over time, (patches, frames).

    Neuropil is the blurred activity of many cells, so it follows the mean of the visible
    ones; the rest is its own.

    Parameters
    ----------
    brightness : numpy.ndarray, (frames,)
        Mean dF/F of the neurons.
    """
    common = brightness - brightness.mean()
    own = smooth_noise(
        rng,
        (N_NEUROPIL_PATCHES, brightness.size),
        frame_rate_hz=frame_rate_hz,
        time_constant_s=1.5,
    )
    # Activity cannot take more light away than there is.
    signals: np.ndarray = np.maximum(0.35 * common + 0.04 * own, -0.8)
    return signals


def _field(
    rng: np.random.Generator, image_shape: tuple[int, int], smoothing_px: float
) -> np.ndarray:
    """Draw a random image of mean 0 and standard deviation 1, smooth over `smoothing_px`."""
    field = gaussian_filter(rng.standard_normal(image_shape), smoothing_px, mode="wrap")
    # An image of few pixels can be constant after smoothing.
    normal: np.ndarray = (field - field.mean()) / max(float(field.std()), 1e-9)
    return normal


def _draw_vessels(
    rng: np.random.Generator, image_shape: tuple[int, int], pixel_size_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one branching vessel: the light it lets through, and the pixels inside it."""
    height, width = image_shape
    span = max(height, width)
    side = rng.integers(4)
    along = rng.uniform(0.2, 0.8)
    start, heading = [
        (np.array([0.0, along * width]), np.pi / 2),
        (np.array([height - 1.0, along * width]), -np.pi / 2),
        (np.array([along * height, 0.0]), 0.0),
        (np.array([along * height, width - 1.0]), np.pi),
    ][side]
    clear = np.ones(image_shape)
    vessels = np.zeros(image_shape, bool)
    branches = [(start, heading + rng.uniform(-0.4, 0.4), rng.uniform(3.5, 5.0))]
    for generation in range(3):
        offshoots = []
        for point, direction, radius_um in branches:
            path, headings = _walk(rng, point, direction, span)
            inside = (path >= 0).all(axis=1) & (path < image_shape).all(axis=1)
            if not inside.any():
                continue
            line = np.ones(image_shape, bool)
            line[tuple(path[inside].astype(int).T)] = False
            distance_um = distance_transform_edt(line) * pixel_size_um
            depth = 0.8 * expit((radius_um - distance_um) / 0.8)
            clear = np.minimum(clear, 1 - depth)
            vessels |= distance_um < radius_um
            for fork in rng.uniform(0.25, 0.75, 2 if generation == 0 else 1):
                at = int(fork * len(path))
                turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0)
                offshoots.append((path[at], headings[at] + turn, 0.62 * radius_um))
        branches = offshoots
    return clear, vessels


def _walk(
    rng: np.random.Generator, start: np.ndarray, heading: float, span: int
) -> tuple[np.ndarray, np.ndarray]:
    """Wander from `start` for 1.2 image sides in half-pixel steps."""
    n_steps = int(2.4 * span)
    headings = heading + np.cumsum(0.9 / np.sqrt(span) * 0.5 * rng.standard_normal(n_steps))
    steps = 0.5 * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    return start + np.cumsum(steps, axis=0), headings
