"""Very many points as one picture: where more lie, it is more opaque."""

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF

# What one point alone lets through, and its half width in pixels.
_ALPHA = 0.45
_REACH_PX = 1


def density_picture(
    points: np.ndarray,
    colours: np.ndarray,
    view: tuple[tuple[float, float], tuple[float, float]],
    width: int,
    height: int,
) -> np.ndarray:
    """Return points as translucent squares of 3 x 3 pixels, laid over each other.

    A pixel has the mean colour of its points, and is as opaque as they are together.

    Parameters
    ----------
    points : numpy.ndarray, (points, 2)
        x and y.
    colours : numpy.ndarray, (points, 3)
        uint8.
    view : ((float, float), (float, float))
        Lowest and highest x, lowest and highest y that is seen.
    width, height : int
        Pixels.

    Returns
    -------
    numpy.ndarray, (height, width, 4)
        uint8; the first row has the lowest y.
    """
    margin = _REACH_PX
    wide, high = width + 2 * margin, height + 2 * margin
    (left, right), (bottom, top) = view
    column = np.floor((points[:, 0] - left) / max(right - left, 1e-12) * width) + margin
    row = np.floor((points[:, 1] - bottom) / max(top - bottom, 1e-12) * height) + margin
    seen = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
    pixel = row[seen].astype(int) * wide + column[seen].astype(int)
    sums = [
        np.bincount(pixel, weight, wide * high).reshape(high, wide)
        for weight in (None, *colours[seen].T.astype(float))
    ]
    count, *channels = (_widened(each) for each in sums)
    picture = np.empty((height, width, 4), np.uint8)
    for number, channel in enumerate(channels):
        picture[..., number] = channel / np.maximum(count, 1)
    picture[..., 3] = 255 * (1 - (1 - _ALPHA) ** count)
    return picture


class PointDensity(pg.ImageItem):
    """Draws points as `density_picture`, in as many pixels as the view has."""

    def __init__(self) -> None:
        super().__init__(axisOrder="row-major")
        self._points = np.empty((0, 2))
        self._colours = np.empty((0, 3), np.uint8)

    def set_points(self, points: np.ndarray, colours: np.ndarray) -> None:
        """Take points, (points, 2), and their colours, (points, 3) uint8."""
        self._points, self._colours = points, colours

    def draw(self, box: pg.ViewBox) -> None:
        """Draw what `box` shows."""
        (left, right), (bottom, top) = view = box.viewRange()
        width, height = max(1, int(box.width())), max(1, int(box.height()))
        picture = density_picture(self._points, self._colours, view, width, height)
        self.setImage(picture, levels=None)
        self.setRect(QRectF(left, bottom, right - left, top - bottom))


def _widened(values: np.ndarray) -> np.ndarray:
    """Return at each pixel the sum of it and its neighbours; the margin is left off."""
    rows = values[:-2] + values[1:-1] + values[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
