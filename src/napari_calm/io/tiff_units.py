"""Frame rate and pixel size, from wherever a TIFF writer leaves them."""

import math
from typing import Any

from tifffile import TiffFile, xml2dict

_MICRO = ("u", "\u00b5", "\u03bc", "\\u00B5")
_SECONDS = {
    "": 1.0,
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys([f"{micro}s" for micro in _MICRO], 1e-6),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
}
_MICROMETRES = {
    **dict.fromkeys([f"{micro}m" for micro in _MICRO], 1.0),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("inch", "in"), 25400.0),
}


def frame_rate_hz(tif: TiffFile) -> float | None:
    """Frames a second as OME, ImageJ or tifffile metadata say, else None.

    ImageJ's `finterval` goes before its `fps`, which some programs use for the speed of
    the playback.
    """
    for metadata in _metadata(tif):
        for key, unit_key, unit in (
            ("TimeIncrement", "TimeIncrementUnit", "s"),
            ("finterval", "tunit", "s"),
        ):
            interval = _positive(metadata.get(key))
            seconds = _SECONDS.get(str(metadata.get(unit_key, unit)))
            if interval is not None and seconds is not None:
                return 1.0 / (interval * seconds)
        for key in ("frame_rate_hz", "fps"):
            rate = _positive(metadata.get(key))
            if rate is not None:
                return rate
    return None


def pixel_size_um(tif: TiffFile) -> float | None:
    """Width of a pixel in micrometres as OME, ImageJ or tifffile metadata say, else None."""
    for metadata in _metadata(tif):
        size = _positive(metadata.get("pixel_size_um"))
        if size is not None:
            return size
        size = _positive(metadata.get("PhysicalSizeX"))
        unit = _MICROMETRES.get(str(metadata.get("PhysicalSizeXUnit", "um")))
        if size is not None and unit is not None:
            return size * unit
    if tif.imagej_metadata:
        unit = _MICROMETRES.get(str(tif.imagej_metadata.get("unit", "")))
        pixels, units = tif.pages.first.tags.valueof("XResolution", (0, 1))
        if unit is not None and pixels:
            return _positive(units / pixels * unit)
    return None


def _metadata(tif: TiffFile) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if tif.ome_metadata:
        try:
            images = xml2dict(tif.ome_metadata)["OME"]["Image"]
            image = images[0] if isinstance(images, (list, tuple)) else images
            found.append(image["Pixels"])
        except (KeyError, IndexError, TypeError, SyntaxError):
            # Broken XML costs the units, not the movie. ElementTree.ParseError is a
            # SyntaxError.
            pass
    found.extend(tif.shaped_metadata or ())
    if tif.imagej_metadata:
        found.append(tif.imagej_metadata)
    return found


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
