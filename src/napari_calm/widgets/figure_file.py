"""Plots of the window as files for slides and papers."""

from pathlib import Path

import pyqtgraph as pg
from qtpy.QtCore import QBuffer, QIODevice, QRectF, Qt
from qtpy.QtGui import QImage, QPainter

from ..core.atomic import replacing
from ..core.errors import CalmError
from .printed_scale import printing
from .svg_lines import scaling_lines

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
    # Qt says nothing of a disk that is full; Python does.
    content = _png_of(plot) if suffix == ".png" else _svg_of(plot)
    with replacing(path) as partial:
        partial.write_bytes(content)


def _png_of(plot: pg.PlotWidget) -> bytes:
    image = QImage(plot.viewport().size() * PNG_SCALE, QImage.Format.Format_RGB32)
    image.fill(plot.backgroundBrush().color())
    _paint(plot, image, PNG_SCALE)
    content = _buffer()
    image.save(content, "PNG")
    return content.data().data()


def _svg_of(plot: pg.PlotWidget) -> bytes:
    from qtpy.QtSvg import QSvgGenerator

    content, size = _buffer(), plot.viewport().size()
    drawing = QSvgGenerator()
    drawing.setOutputDevice(content)
    drawing.setSize(size)
    drawing.setViewBox(QRectF(0, 0, size.width(), size.height()))
    # Otherwise axes, which are drawn for the screen, are made smaller.
    drawing.setResolution(plot.logicalDpiX())
    drawing.setTitle("napari-calm")
    _paint(plot, drawing, 1)
    return scaling_lines(content.data().data().decode()).encode()


def _buffer() -> QBuffer:
    content = QBuffer()
    content.open(QIODevice.OpenModeFlag.WriteOnly)
    return content


def _paint(plot: pg.PlotWidget, device, scale: int) -> None:
    size = plot.viewport().size() * scale
    target = QRectF(0, 0, size.width(), size.height())
    with printing(plot, scale):
        painter = QPainter(device)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(target, plot.backgroundBrush())
        plot.scene().prepareForPaint()
        # Of a PlotWidget, `viewRect` is what the axes show, not what the widget does.
        seen = pg.GraphicsView.viewRect(plot)
        plot.scene().render(painter, target, seen, Qt.AspectRatioMode.IgnoreAspectRatio)
        painter.end()
