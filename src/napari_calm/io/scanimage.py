"""What ScanImage says of a file: channels, planes, rate and pixel size.

ScanImage writes one page a frame: channels alternate fastest, then the frames of a slice,
then slices, then volumes. Fast volumes end with flyback frames, which lie in the file too.
"""

import math
import re
from dataclasses import dataclass

import numpy as np
from tifffile import TiffFile

_NUMBER = r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"


@dataclass(frozen=True)
class ScanImage:
    """How the pages of a ScanImage file follow each other.

    Parameters
    ----------
    channels : tuple of int
        Numbers of the saved channels, as ScanImage shows them.
    planes : int
        Slices of a volume; 1 for a movie of one plane.
    frames_per_slice : int
        Frames saved at each slice before the next.
    flyback_frames : int
        Frames at the end of each volume that show no plane.
    frame_rate_hz : float or None
        Frames a second of one plane; None where they do not come evenly.
    pixel_size_um : float or None
        Width of a pixel.
    """

    channels: tuple[int, ...] = (1,)
    planes: int = 1
    frames_per_slice: int = 1
    flyback_frames: int = 0
    frame_rate_hz: float | None = None
    pixel_size_um: float | None = None

    def pages_of(self, channel: int, plane: int, first_page: int, n_pages: int) -> np.ndarray:
        """Which pages of a file show one channel of one plane.

        Parameters
        ----------
        channel, plane : int
            Positions from 0.
        first_page : int
            How many pages lie in the files before this one.
        n_pages : int
            Pages of the file.

        Returns
        -------
        numpy.ndarray of int
            Positions in the file, ascending.
        """
        page = first_page + np.arange(n_pages)
        frame, channel_of = np.divmod(page, len(self.channels))
        frame %= self.planes * self.frames_per_slice + self.flyback_frames
        shown = (channel_of == channel) & (frame // self.frames_per_slice == plane)
        return np.flatnonzero(shown)


def read_scanimage(tif: TiffFile) -> ScanImage | None:
    """Read the settings of a ScanImage file; None for other files."""
    if not tif.is_scanimage:
        return None
    settings = (tif.scanimage_metadata or {}).get("FrameData") or {}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    page = tif.pages.first
    return parse_scanimage("\n".join([*lines, page.software, page.description]))


def parse_scanimage(header: str) -> ScanImage:
    """Make sense of ScanImage's settings, lines of ``name = value``."""
    saved = _value(header, r"channels?Saved?")
    channels = tuple(map(int, re.findall(r"\d+", saved))) if saved else (1,)
    average = int(_number(header, "logAverageFactor") or 1)
    frame_rate = _number(header, "scanFrameRate", r"acq\.frameRate")
    pixel_size = _pixel_size_um(header)
    fast = _is_true(header, r"hFastZ\.enable")
    if not fast and not _is_true(header, r"hStackManager\.enable"):
        rate = None if frame_rate is None else frame_rate / average
        return ScanImage(channels or (1,), frame_rate_hz=rate, pixel_size_um=pixel_size)
    planes = int(
        _number(header, "actualNumSlices", r"hStackManager\.numSlices", "stackNumSlices")
        or _number(header, r"hFastZ\.numFramesPerVolume")
        or 1
    )
    per_slice = max(1, int(_number(header, "framesPerSlice") or 1) // average)
    flyback = 0
    if fast or "fast" in (_value(header, "stackMode") or ""):
        whole = _number(header, "numFramesPerVolumeWithFlyback") or 0
        flyback = max(0, int(whole - (_number(header, r"numFramesPerVolume") or whole)))
    rate = _number(header, "scanVolumeRate")
    if rate is None and frame_rate is not None:
        rate = frame_rate / (planes + flyback)
    return ScanImage(
        channels or (1,),
        planes,
        per_slice,
        flyback,
        rate if per_slice == 1 else None,
        pixel_size,
    )


def _pixel_size_um(header: str) -> float | None:
    corners = re.findall(_NUMBER, _value(header, "imagingFovUm") or "")
    width_px = _number(header, "pixelsPerLine")
    if len(corners) < 4 or not width_px:
        return None
    x = [float(corner) for corner in corners[::2]]
    return (max(x) - min(x)) / width_px or None


def _value(header: str, *names: str) -> str | None:
    for name in names:
        found = re.search(rf"(?<![A-Za-z]){name}\s*=\s*(.+)", header)
        if found:
            return found[1].strip()
    return None


def _number(header: str, *names: str) -> float | None:
    for name in names:
        found = re.match(_NUMBER, _value(header, name) or "")
        number = float(found[0]) if found else 0.0
        if math.isfinite(number) and 0 < number < 1e9:
            return number
    return None


def _is_true(header: str, name: str) -> bool:
    return (_value(header, name) or "").lower() in ("true", "1")
