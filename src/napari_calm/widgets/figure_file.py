"""Plots of the window as files for slides and papers."""

from pathlib import Path

import pyqtgraph as pg
from qtpy.QtCore import QRectF, QSize, Qt
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
    size = plot.viewport().size()
    with replacing(path) as partial:
        if suffix == ".png":
            image = QImage(size * PNG_SCALE, QImage.Format.Format_RGB32)
            image.fill(plot.backgroundBrush().color())
            _paint(plot, image, PNG_SCALE)
            written = image.save(str(partial), "PNG")
        else:
            written = _write_svg(plot, partial, size)
    if not written:
        raise CalmError(f"{path}: the figure could not be written. Is the disk full?")


def _write_svg(plot: pg.PlotWidget, path: Path, size: QSize) -> bool:
    from qtpy.QtSvg import QSvgGenerator

    drawing = QSvgGenerator()
    drawing.setFileName(str(path))
    drawing.setSize(size)
    drawing.setViewBox(QRectF(0, 0, size.width(), size.height()))
    # Otherwise axes, which are drawn for the screen, are made smaller.
    drawing.setResolution(plot.logicalDpiX())
    drawing.setTitle("napari-calm")
    _paint(plot, drawing, 1)
    written = path.read_text(encoding="utf-8")
    path.write_text(scaling_lines(written), encoding="utf-8")
    return bool(written)


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
