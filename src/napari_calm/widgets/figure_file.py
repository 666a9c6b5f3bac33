"""Plots of the window as files for slides and papers."""

from pathlib import Path

import pyqtgraph as pg
from qtpy.QtCore import QBuffer, QIODevice, QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter

from ..core.atomic import replacing
from ..core.errors import CalmError

# Pixels of a PNG for each pixel on the screen.
PNG_SCALE = 3


def write_figure(plot: pg.PlotWidget, path: str | Path) -> None:
    """Write a plot as it is seen, as PNG (three times finer) or SVG (lines and text).

    Raises
    ------
    CalmError
        If the path ends in neither, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise CalmError(f"{path}: figures are written as .png or .svg; found '{path.suffix}'.")
    size = plot.viewport().size()
    # Qt says nothing of a disk that is full; Python does.
    content = QBuffer()
    content.open(QIODevice.OpenModeFlag.WriteOnly)
    if suffix == ".png":
        image = QImage(size * PNG_SCALE, QImage.Format.Format_RGB32)
        image.fill(plot.backgroundBrush().color())
        _paint(plot, image, size * PNG_SCALE)
        image.save(content, "PNG")
    else:
        _draw_svg(plot, content, size)
    with replacing(path) as partial:
        partial.write_bytes(content.data().data())


def _draw_svg(plot: pg.PlotWidget, content: QBuffer, size: QSize) -> None:
    from qtpy.QtSvg import QSvgGenerator

    drawing = QSvgGenerator()
    drawing.setOutputDevice(content)
    drawing.setSize(size)
    drawing.setViewBox(QRectF(0, 0, size.width(), size.height()))
    drawing.setTitle("napari-calm")
    _paint(plot, drawing, size)


def _paint(plot: pg.PlotWidget, device, size: QSize) -> None:
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    target = QRectF(0, 0, size.width(), size.height())
    painter.fillRect(target, plot.backgroundBrush())
    plot.scene().prepareForPaint()
    # Of a PlotWidget, `viewRect` is what the axes show, not what the widget does.
    seen = pg.GraphicsView.viewRect(plot)
    plot.scene().render(painter, target, seen, Qt.AspectRatioMode.IgnoreAspectRatio)
    painter.end()
