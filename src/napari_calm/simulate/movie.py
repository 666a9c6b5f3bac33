"""The movie that a microscope would have recorded of a simulated session."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import shift

from ..core.errors import CalmError
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Progress, Steps, run
from .fluctuations import smooth_noise
from .session import FIELD_OF_VIEW, PHOTONS, SimulatedSession, random_stream
from .somata import draw_somata
from .tissue import draw_tissue, neuropil_signals

SOMA_DIAMETER_UM = 12.0

# Camera counts a photon and counts in the dark, so that bright transients of the default
# brightness stay inside each number type.
_COUNTS_OF_DTYPE = {"uint8": (3.0, 10.0), "uint16": (60.0, 300.0)}
_READ_NOISE_PHOTONS = 0.6

# Pixels rendered at a time: small enough for a responsive Cancel and little memory.
_BLOCK_PIXELS = 2**19


@dataclass(frozen=True, eq=False)
class RenderedMovie:
    """A rendered movie and what was put into it.

    Parameters
    ----------
    movie : Movie
        Frames as unsigned integers, (frames, height, width).
    footprints : Footprints
        The true somata in the order of the session's neurons; weights up to 1, overlaps kept.
    soma_photons : numpy.ndarray, (neurons,)
        Photons a frame at rest where a soma's weight is 1 and all light comes through.
    vessels : numpy.ndarray of bool, (height, width)
        Pixels inside a vessel.
    shifts_px : numpy.ndarray, (frames, 2)
        How far the image moved down and to the right, in pixels.
    """

    movie: Movie
    footprints: Footprints
    soma_photons: np.ndarray
    vessels: np.ndarray
    shifts_px: np.ndarray


def render_movie_steps(
    session: SimulatedSession,
    *,
    image_shape: tuple[int, int] = (96, 96),
    seed: int | None = None,
    motion_px: float = 0.0,
    pixel_size_um: float = 1.5,
    photons_per_pixel: float = 6.0,
    neuropil_share: float = 0.5,
    dtype: str = "uint16",
    out: Any = None,
) -> Steps[RenderedMovie]:
    """Render the movie of a session, block of frames by block of frames.

    Expected photons are the somata's resting light times 1 + dF/F (with drift, without
    the traces' noise), plus neuropil, dimmed by vessels and vignetting and moved as a
    whole; what is counted is Poisson noise on that, and the camera's.

    Parameters
    ----------
    session : SimulatedSession
        Sessions of one animal show the same field of view.
    image_shape : (int, int)
        Height and width in pixels. 12 um somata of 100 neurons fill about half of
        96 x 96 pixels of 1.5 um.
    seed : int, optional
        Seed of tissue and photons; the session's own if not given.
    motion_px : float
        Standard deviation of the rigid motion in pixels along each axis.
    photons_per_pixel : float
        Photons a frame in a typical soma's brightest pixels at rest. Fewer, more noise.
    neuropil_share : float
        Mean brightness of the neuropil relative to a typical soma.
    dtype : str
        ``uint8`` or ``uint16``.
    out : array-like, (frames, height, width), optional
        Where to put the frames, for instance a memory map larger than memory.

    Yields
    ------
    Progress
        Frames rendered.

    Raises
    ------
    CalmError
        If a size, brightness or the number type is out of range.
    """
    _check(image_shape, motion_px, pixel_size_um, photons_per_pixel, neuropil_share, dtype)
    recording, truth = session.recording, session.truth
    n_frames, frame_rate_hz = recording.n_frames, recording.frame_rate_hz
    frames = np.empty((n_frames, *image_shape), dtype) if out is None else out
    if tuple(frames.shape) != (n_frames, *image_shape) or frames.dtype != np.dtype(dtype):
        raise CalmError(
            f"rendering: out is {frames.dtype} of shape {tuple(frames.shape)}; expected "
            f"{dtype} of shape {(n_frames, *image_shape)}."
        )
    yield Progress(0, n_frames, "Rendering the movie")

    seed = session.seed if seed is None else seed
    field_of_view = random_stream(seed, session.animal, FIELD_OF_VIEW)
    tissue = draw_tissue(field_of_view, image_shape, pixel_size_um=pixel_size_um)
    yield Progress(0, n_frames, "Rendering the movie")
    footprints = draw_somata(
        field_of_view,
        recording.n_neurons,
        image_shape=image_shape,
        diameter_px=SOMA_DIAMETER_UM / pixel_size_um,
        blocked=tissue.vessels,
    )
    yield Progress(0, n_frames, "Rendering the movie")
    spread = np.exp(0.45 * field_of_view.standard_normal(recording.n_neurons))
    soma_photons = photons_per_pixel * spread

    rng = random_stream(seed, session.animal, session.session, PHOTONS)
    shifts_px = (
        motion_px
        * smooth_noise(rng, (2, n_frames), frame_rate_hz=frame_rate_hz, time_constant_s=1.0).T
    )
    # Light of every source over time, and where in the image it comes from.
    soma_light = soma_photons[:, None] * np.maximum(1 + truth.dff + truth.drift_dff, 0.05)
    soma_pixels = footprints.weights.T.tocsr().astype(np.float64)
    neuropil_light = 1 + neuropil_signals(
        rng, truth.dff.mean(axis=0, dtype=np.float64), frame_rate_hz=frame_rate_hz
    )
    neuropil_photons = photons_per_pixel * neuropil_share * tissue.neuropil
    neuropil_pixels = (neuropil_photons * tissue.patches).reshape(len(neuropil_light), -1).T

    counts_per_photon, dark_counts = _COUNTS_OF_DTYPE[dtype]
    brightest = np.iinfo(dtype).max
    block_frames = max(1, _BLOCK_PIXELS // (image_shape[0] * image_shape[1]))
    for start in range(0, n_frames, block_frames):
        block = slice(start, min(start + block_frames, n_frames))
        photons = (
            soma_pixels @ soma_light[:, block] + neuropil_pixels @ neuropil_light[:, block]
        )
        photons = photons.T.reshape(-1, *image_shape) * tissue.transmission
        if motion_px:
            for frame, step in zip(photons, shifts_px[block], strict=True):
                shift(frame.copy(), step, output=frame, order=1, mode="nearest")
        counted = rng.poisson(photons) + _READ_NOISE_PHOTONS * rng.standard_normal(
            photons.shape
        )
        counts = np.round(counts_per_photon * counted + dark_counts)
        frames[block] = np.clip(counts, 0, brightest).astype(dtype)
        yield Progress(block.stop, n_frames, "Rendering the movie")
    movie = Movie(
        frames,
        frame_rate_hz=frame_rate_hz,
        pixel_size_um=pixel_size_um,
        name=f"movie of {recording.name}",
        source=recording.source,
    )
    return RenderedMovie(movie, footprints, soma_photons, tissue.vessels, shifts_px)


def render_movie(session: SimulatedSession, **options: Any) -> RenderedMovie:
    """Render the movie of a session; see `render_movie_steps` for the options."""
    return run(render_movie_steps(session, **options))


def _check(
    image_shape: tuple[int, int],
    motion_px: float,
    pixel_size_um: float,
    photons_per_pixel: float,
    neuropil_share: float,
    dtype: str,
) -> None:
    if dtype not in _COUNTS_OF_DTYPE:
        raise CalmError(
            f"rendering: dtype is {dtype!r}; expected one of {', '.join(_COUNTS_OF_DTYPE)}."
        )
    for name, value in (
        ("pixel_size_um", pixel_size_um),
        ("photons_per_pixel", photons_per_pixel),
    ):
        if not 0 < value < np.inf:
            raise CalmError(f"rendering: {name} is {value}; expected a number above 0.")
    for name, value in (("motion_px", motion_px), ("neuropil_share", neuropil_share)):
        if not 0 <= value < np.inf:
            raise CalmError(f"rendering: {name} is {value}; expected 0 or more.")
    smallest = int(np.ceil(SOMA_DIAMETER_UM / pixel_size_um))
    if len(image_shape) != 2 or min(image_shape) < smallest:
        raise CalmError(
            f"rendering: the image has {image_shape} pixels; expected (height, width) of at "
            f"least {smallest} each, the size of one soma at {pixel_size_um:g} um a pixel."
        )
