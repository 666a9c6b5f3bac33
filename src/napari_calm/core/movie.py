"""A calcium movie, kept where it is and read frame by frame."""

from dataclasses import dataclass
from typing import Any

from .errors import RecordingError


@dataclass(frozen=True, eq=False, repr=False)
class Movie:
    """A movie whose frames are read when they are asked for.

    Parameters
    ----------
    frames : array-like, (frames, height, width)
        Anything with `shape`, `dtype` and slicing along the first axis: a dask
        array, a memory map, a numpy array.
    frame_rate_hz : float or None
        Frames a second; None where the file does not say.
    pixel_size_um : float or None
        Side of a pixel in micrometres; None where the file does not say.
    name, source : str
        What to call it, and where it came from (a path or a layer name).

    Raises
    ------
    RecordingError
        If the array is not (frames, height, width), is empty, or a unit is not positive.
    """

    frames: Any
    frame_rate_hz: float | None = None
    pixel_size_um: float | None = None
    name: str = "movie"
    source: str = ""

    def __post_init__(self) -> None:
        where = self.source or self.name
        shape = tuple(self.frames.shape)
        if len(shape) != 3:
            raise RecordingError(
                f"{where}: found an array of shape {shape}; a movie has three axes "
                "(frames, height, width). Choose one channel and one plane."
            )
        if 0 in shape:
            raise RecordingError(f"{where}: the movie is empty (shape {shape}).")
        for unit, value in (
            ("frame rate", self.frame_rate_hz),
            ("pixel size", self.pixel_size_um),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise RecordingError(f"{where}: the {unit} is {value}; it must be above 0.")

    def __repr__(self) -> str:
        height, width = self.image_shape
        return f"Movie({self.name!r}, {self.n_frames} frames of {height} x {width} pixels)"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.frames.shape[0])

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.frames.shape[1]), int(self.frames.shape[2])
