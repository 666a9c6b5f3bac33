"""Which pages of a TIFF file make up one movie: one channel of one plane over time."""

from dataclasses import dataclass

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from ..core.errors import ChoiceNeeded, RecordingError
from .scanimage import ScanImage

# Plain multi-page stacks carry I or Q (unknown), and ImageJ calls any stack Z.
_TIME_AXES = "TIQZ"
# tifffile writes a plain stack as channels for ImageJ, which shows no more than seven.
_MOST_CHANNELS = 7
_AXIS_NAMES = {
    "T": "time",
    "Z": "planes",
    "C": "channels",
    "S": "colour samples",
    "I": "pages",
    "Q": "unnamed",
}


@dataclass(frozen=True)
class Choice:
    """Which channel and plane are wanted, numbered from 1; None where nothing was said."""

    channel: int | None = None
    plane: int | None = None


def movie_series(tif: TiffFile, source: str) -> TiffPageSeries:
    """Find the only stack of images in a file.

    Raises
    ------
    RecordingError
        If there is none, or several of different shape.
    """
    stacks = [series for series in tif.series if sides(series)[:-2]]
    if not stacks:
        shape = " x ".join(map(str, tif.series[0].shape))
        raise RecordingError(
            f"{source}: found a single image ({shape} pixels), not a movie. A movie has at "
            "least two frames. Is this the label image (--rois)?"
        )
    if len(stacks) > 1:
        found = ", ".join(f"{series.axes} {tuple(series.shape)}" for series in stacks)
        raise RecordingError(
            f"{source}: found {len(stacks)} image stacks of different shape ({found}); "
            "expected one movie. Save the movie to a file of its own."
        )
    return stacks[0]


def sides(series: TiffPageSeries) -> list[tuple[str, int]]:
    """Axes and lengths of a series, those of length 1 left out."""
    pairs = list(zip(series.axes, series.shape, strict=True))
    return [(axis, length) for axis, length in pairs if length > 1 or axis in "YX"]


def movie_pages(series: TiffPageSeries, choice: Choice, source: str) -> np.ndarray:
    """Positions of the pages of the chosen channel and plane in the order of time.

    Raises
    ------
    RecordingError
        If the axes are not those of a movie, or a choice is missing or impossible.
    """
    lengths = sides(series)
    axes = "".join(axis for axis, _ in lengths)
    leading, shape = axes[:-2], [length for _, length in lengths[:-2]]
    many = leading == "C" and shape[0] > _MOST_CHANNELS
    time = leading if many else next((axis for axis in _TIME_AXES if axis in leading), "")
    choosable = set(leading.replace(time, "", 1)) <= {"C", "Z"} if time else False
    if axes[-2:] != "YX" or not choosable or len(set(leading)) != len(leading):
        found = ", ".join(
            f"{axis} = {length} ({_AXIS_NAMES.get(axis, 'other')})"
            for axis, length in lengths
            if axis not in "YX"
        )
        raise RecordingError(
            f"{source}: found axes {series.axes} of shape {tuple(series.shape)}: {found}. "
            "A movie has time, height and width, and at most channels and planes, of which "
            "one channel and one plane can be chosen. Save it with such axes (ImageJ: "
            "Image > Hyperstacks > Stack to Hyperstack)."
        )
    index: list[int | slice] = []
    for axis, length in zip(leading, shape, strict=True):
        if axis == time:
            index.append(slice(None))
        elif axis == "C":
            index.append(position("channel", choice.channel, range(1, length + 1), source))
        else:
            index.append(position("plane", choice.plane, range(1, length + 1), source))
    for what, wanted, axis in (
        ("channel", choice.channel, "C"),
        ("plane", choice.plane, "Z"),
    ):
        if axis not in leading.replace(time, "", 1):
            position(what, wanted, (1,), source)
    pages: np.ndarray = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)[tuple(index)]
    return pages


def scanimage_pages(
    scanimage: ScanImage, choice: Choice, first_page: int, n_pages: int, source: str
) -> np.ndarray:
    """Positions of the pages of the chosen channel and plane of a ScanImage file.

    Raises
    ------
    RecordingError
        If a choice is missing or impossible.
    """
    channel = position("channel", choice.channel, scanimage.channels, source)
    plane = position("plane", choice.plane, range(1, scanimage.planes + 1), source)
    return scanimage.pages_of(channel, plane, first_page, n_pages)


def position(
    what: str, wanted: int | None, offered: "range | tuple[int, ...]", source: str
) -> int:
    """Position of the `wanted` number among those on offer; the only one needs no choice.

    Raises
    ------
    ChoiceNeeded
        If several are on offer and none is wanted.
    RecordingError
        If the wanted one is not on offer.
    """
    if wanted is None and len(offered) == 1:
        return 0
    shown = [str(number) for number in offered[:12]] + ["..."] * (len(offered) > 12)
    if wanted is None:
        raise ChoiceNeeded(
            f"{source}: found {len(offered)} {what}s ({', '.join(shown)}); a movie has one. "
            f"Choose with --{what} NUMBER on the command line, {what}= in Python.",
            what,
            offered,
        )
    if wanted not in offered:
        raise RecordingError(
            f"{source}: there is no {what} {wanted}; found {what} {', '.join(shown)}."
        )
    return offered.index(wanted)
