"""Figures: lines as wide as in the window, in pixels and in lines, and nothing left changed."""

import re

import numpy as np
import pyqtgraph as pg
import pytest
from qtpy.QtCore import QRectF
from qtpy.QtGui import QImage, QPainter
from qtpy.QtSvg import QSvgRenderer

from napari_calm.widgets.drawing_pen import drawing_pen
from napari_calm.widgets.figure_file import PNG_SCALE, write_figure
from napari_calm.widgets.stacked_parts import StackedLine, StackedStrip
from napari_calm.widgets.svg_lines import scaling_lines
from napari_calm.widgets.trace_stack import TraceStack, cut


@pytest.fixture
def plot(qtbot):
    plot = pg.PlotWidget()
    qtbot.addWidget(plot)
    plot.setBackground("k")
    plot.hideButtons()
    plot.resize(400, 300)
    plot.getViewBox().setRange(xRange=(0, 10), yRange=(0, 10), padding=0)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def pixels(image):
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    return rows.reshape(image.height(), image.width(), 3).astype(float)


def drawn(path, scale):
    """Return what a figure looks like at so many pixels a point, (height, width, 3)."""
    if path.suffix == ".png":
        return pixels(QImage(str(path)))
    renderer = QSvgRenderer(str(path))
    size = renderer.viewBoxF().size().toSize() * scale
    image = QImage(size, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, size.width(), size.height()))
    painter.end()
    return pixels(image)


def thickness(picture, plot, x, y, scale):
    """Return how thick what is drawn at (x, y) is, upright, in points of the window."""
    at = plot.getViewBox().mapViewToScene(pg.Point(x, y)) * scale
    column = picture[:, round(at.x())].max(axis=1) / 255
    near = slice(round(at.y()) - 8 * scale, round(at.y()) + 8 * scale)
    return column[near].sum() / scale


def add_line(kind, plot):
    """Draw a level line 2.5 pixels wide at a height of 5."""
    x, y = np.array([1.0, 9.0]), np.array([5.0, 5.0])
    pen = drawing_pen("w", width=2.5)
    if kind == "curve":
        plot.addItem(pg.PlotDataItem(x, y, pen=pen))
    elif kind == "level":
        plot.addItem(pg.InfiniteLine(5, angle=0, pen=pen))
    elif kind == "frame":
        frame = pg.QtWidgets.QGraphicsRectItem(QRectF(1, 5, 8, 4))
        frame.setPen(pen)
        plot.addItem(frame)
    elif kind == "stack":
        stack = TraceStack()
        stack.set_lines([StackedLine(x, y, 0.0, "#ffffff", 2.5)])
        plot.addItem(stack)


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("kind", ["curve", "level", "frame", "stack"])
def test_a_line_is_as_wide_in_a_file_as_in_the_window(plot, tmp_path, kind, suffix):
    add_line(kind, plot)
    plot.grab()
    write_figure(plot, tmp_path / f"figure.{suffix}")
    picture = drawn(tmp_path / f"figure.{suffix}", PNG_SCALE)
    assert thickness(picture, plot, 5.0, 5.0, PNG_SCALE) == pytest.approx(2.5, abs=0.35)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_points_and_their_rims_keep_their_size(plot, tmp_path, suffix):
    points = pg.ScatterPlotItem(
        x=[5.0], y=[5.0], size=12, brush=None, pen=drawing_pen("w", width=3)
    )
    plot.addItem(points)
    plot.grab()
    write_figure(plot, tmp_path / f"figure.{suffix}")
    picture = drawn(tmp_path / f"figure.{suffix}", PNG_SCALE)
    at = plot.getViewBox().mapViewToScene(pg.Point(5, 5)) * PNG_SCALE
    row = picture[round(at.y()), :].max(axis=1) > 128
    lit = np.flatnonzero(row[round(at.x()) - 40 : round(at.x()) + 40])
    # A ring 12 pixels across whose rim reaches 1.5 beyond.
    assert (lit[-1] - lit[0] + 1) / PNG_SCALE == pytest.approx(15, abs=1.0)
    assert len(lit) / PNG_SCALE == pytest.approx(6, abs=1.0)


def test_axes_are_wider_in_the_file_alone(plot, tmp_path):
    axis = plot.getAxis("bottom")
    plot.grab()
    before = axis.pen().widthF(), axis.labelStyle.copy()
    write_figure(plot, tmp_path / "figure.png")
    picture = drawn(tmp_path / "figure.png", PNG_SCALE)
    assert thickness(picture, plot, 5.05, 0.0, PNG_SCALE) == pytest.approx(1.0, abs=0.5)
    assert (axis.pen().widthF(), axis.labelStyle) == before


@pytest.mark.parametrize("kind", ["curve", "level", "frame", "stack"])
def test_the_window_looks_as_before_after_a_figure_was_written(plot, tmp_path, kind):
    add_line(kind, plot)
    plot.addItem(pg.ScatterPlotItem(x=[2.0], y=[2.0], size=9, pen=drawing_pen("r", width=2)))
    before = pixels(plot.grab().toImage())
    for suffix in ("png", "svg"):
        write_figure(plot, tmp_path / f"figure.{suffix}")
    np.testing.assert_array_equal(pixels(plot.grab().toImage()), before)


def test_the_axes_of_a_scalable_figure_lie_at_what_they_measure(plot, tmp_path):
    """Qt writes recorded drawings, as axes are, in another resolution unless it is told."""
    write_figure(plot, tmp_path / "figure.svg")
    picture = drawn(tmp_path / "figure.svg", PNG_SCALE)
    corner = plot.getViewBox().mapViewToScene(pg.Point(0, 0)) * PNG_SCALE
    column = picture[:, round(corner.x()) - PNG_SCALE : round(corner.x()) + PNG_SCALE]
    lit = np.flatnonzero(column.max(axis=(1, 2)) > 100)
    assert lit.max() == pytest.approx(corner.y(), abs=2 * PNG_SCALE)
    assert lit.min() < 5 * PNG_SCALE


def test_a_scalable_figure_asks_for_no_fixed_widths_and_draws_no_nothing(plot, tmp_path):
    add_line("curve", plot)
    write_figure(plot, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert "non-scaling-stroke" not in text
    assert not re.search(r"<g [^>]*>\s*</g>", text)


def test_places_of_a_drawing_are_moved_and_texts_are_left():
    text = '<g transform="matrix(1,0,0,1,3,4)" x="">\n<text x="1,2">a 1,2</text>\n</g>\n'
    line = (
        '<g stroke-width="3" transform="matrix(2,0,0,-10,5,100)" x="">\n'
        '<polyline fill="none" vector-effect="non-scaling-stroke" points="1,2 -3,4.5 " />\n</g>'
    )
    found = scaling_lines(text + line)
    assert found.startswith(text)
    assert 'points="7.00,80.00 -1.00,55.00 "' in found
    assert 'stroke-width="3" transform="matrix(1,0,0,1,0,0)"' in found


def test_lines_end_where_the_plot_does():
    x, y = np.array([-10.0, 0, 10, 20, 30]), np.array([0.0, 5, 50, 60, 5])
    across, down = cut(x, y, QRectF(-5, 0, 30, 20))
    assert across[0] == -5
    assert across[-1] == 25
    assert down[0] == 2.5
    # Between two that are away, nothing; those beside what is seen are at the edge.
    np.testing.assert_allclose(down[1:3], [5, 20])
    assert np.isnan(down[-1])


def test_strips_become_rectangles_that_end_where_the_plot_does(plot, tmp_path):
    stack = TraceStack()
    colours = np.array([[255, 0, 0, 255]] * 3 + [[0, 255, 0, 255]] * 3, np.uint8)
    stack.set_parts([], strips=[StackedStrip(-6.0, 4.0, colours, 2.0, 1.0)])
    plot.addItem(stack)
    write_figure(plot, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert "<image" not in text
    picture = drawn(tmp_path / "figure.svg", 1)
    box = plot.getViewBox()
    middle = round(box.mapViewToScene(pg.Point(0, 2.5)).y())
    left, change, right = (box.mapViewToScene(pg.Point(at, 2.5)).x() for at in (0.0, 6.0, 10.0))
    red, green = (np.flatnonzero(picture[middle, :, n] > 200) for n in (0, 1))
    assert (red.min(), red.max()) == (pytest.approx(left, abs=2), pytest.approx(change, abs=2))
    assert green.max() == pytest.approx(right, abs=2)
