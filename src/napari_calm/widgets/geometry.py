"""Where a recording lies in napari's world: seconds, micrometres, axis names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Geometry:
    """Scale, units and axis names of the layers of one recording.

    One layer without units switches unit-aware drawing off for all of them, so
    every layer of a recording, the user's movie included, gets these.

    Parameters
    ----------
    frame_rate_hz : float
        Frames a second.
    pixel_size_um : float or None
        Side of a pixel; None shows lengths in pixels.
    """

    frame_rate_hz: float
    pixel_size_um: float | None = None

    def of_frames(self, *, start_frame: int = 0) -> dict:
        """Return layer arguments of (time, y, x) data whose first frame is `start_frame`."""
        image = self.of_image()
        return {
            "scale": (1 / self.frame_rate_hz, *image["scale"]),
            "units": ("s", *image["units"]),
            "axis_labels": ("time", *image["axis_labels"]),
            "translate": (start_frame / self.frame_rate_hz, 0.0, 0.0),
        }

    def of_image(self) -> dict:
        """Return layer arguments of (y, x) data."""
        side = self.pixel_size_um or 1.0
        unit = "um" if self.pixel_size_um else "pixel"
        return {
            "scale": (side, side),
            "units": (unit, unit),
            "axis_labels": ("y", "x"),
            "translate": (0.0, 0.0),
        }


def apply(layer, arguments: dict) -> None:
    """Set scale, units, axis names and translation of an existing `layer`."""
    for name, value in arguments.items():
        setattr(layer, name, value)


def known_frame_rate_hz(layer) -> float | None:
    """Return the frame rate that a (time, y, x) layer states; None if it states none."""
    if layer.ndim != 3 or not layer.units[0].is_compatible_with("second"):
        return None
    return 1.0 / float((float(layer.scale[0]) * layer.units[0]).to("second").magnitude)


def known_pixel_size_um(layer) -> float | None:
    """Return the pixel size that a layer states along x; None if it states none."""
    if not layer.units[-1].is_compatible_with("micrometer"):
        return None
    return float((float(layer.scale[-1]) * layer.units[-1]).to("micrometer").magnitude)
