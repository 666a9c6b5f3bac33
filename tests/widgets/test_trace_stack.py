"""Lines of any length: drawn once, as their extremes, where their values say."""

import numpy as np
import pyqtgraph as pg
import pytest
from qtpy.QtGui import QImage, QPainter

from napari_calm.widgets.figure_file import write_figure
from napari_calm.widgets.trace_stack import StackedLine, TraceStack, visible_extremes

from .test_explore_panel import picture


def test_every_column_shows_its_extremes():
    rng = np.random.default_rng(0)
    time_s, values = np.arange(50_000) / 10, rng.normal(size=50_000).astype(np.float32)
    values[33_333] = 40
    x, y = visible_extremes(time_s, values, (0.0, 5000.0), 500)
    assert len(x) == len(y) == 1000
    columns = values.reshape(500, 100)
    pairs = np.sort(y.reshape(500, 2), axis=1)
    np.testing.assert_array_equal(pairs, np.stack([columns.min(1), columns.max(1)], axis=1))
    assert y.max() == 40


def test_few_frames_are_left_as_they_are_with_one_beyond_each_side():
    time_s = np.arange(100) / 10
    x, y = visible_extremes(time_s, time_s * 2, (2.05, 4.05), 500)
    np.testing.assert_allclose(x, np.arange(20, 42) / 10)
    np.testing.assert_allclose(y, 2 * x)
    for view_s in ((-5.0, -1.0), (50.0, 60.0)):
        assert len(visible_extremes(time_s, time_s, view_s, 10)[0]) <= 1


@pytest.fixture
def plot(qtbot):
    plot = pg.PlotWidget()
    qtbot.addWidget(plot)
    plot.setBackground("k")
    plot.stack = TraceStack()
    plot.addItem(plot.stack, ignoreBounds=True)
    for name in ("left", "bottom"):
        plot.hideAxis(name)
    plot.hideButtons()
    plot.getViewBox().setRange(xRange=(0, 10), yRange=(0, 4), padding=0)
    plot.resize(400, 200)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def rows_lit(plot):
    """Return, as shares of the height from below, where something is drawn."""
    lit = np.flatnonzero(picture(plot).max(axis=2).max(axis=1) > 100)
    return 1 - (lit + 0.5) / plot.height()


def test_a_line_stands_at_its_value_plus_offset_in_its_colour(plot, qtbot):
    time_s = np.arange(101) / 10
    plot.stack.set_lines([StackedLine(time_s, np.ones(101), 2.0, (255, 0, 0))])
    qtbot.wait(50)
    assert rows_lit(plot).mean() == pytest.approx(0.75, abs=0.03)
    assert len(rows_lit(plot)) <= 3
    reddest = picture(plot).reshape(-1, 3).max(axis=0)
    assert reddest[0] > 200
    assert reddest[1] == reddest[2] == 0


def test_lines_are_drawn_anew_only_when_the_view_changes(plot, qtbot, monkeypatch):
    drawn = []
    draw = plot.stack._drawn
    monkeypatch.setattr(plot.stack, "_drawn", lambda *a: drawn.append(1) or draw(*a))
    cursor = pg.InfiniteLine(1.0)
    plot.addItem(cursor, ignoreBounds=True)
    plot.stack.set_lines([StackedLine(np.arange(101) / 10, np.ones(101), 0.0, "#ffffff")])
    plot.grab()
    for time_s in (2, 3, 4):
        cursor.setValue(time_s)
        plot.grab()
    assert len(drawn) == 1
    plot.getViewBox().setXRange(2, 5, padding=0)
    plot.grab()
    assert len(drawn) == 2


def test_zooming_moves_the_line(plot, qtbot):
    plot.stack.set_lines([StackedLine(np.arange(101) / 10, np.ones(101), 0.0, "#ffffff")])
    plot.getViewBox().setYRange(0, 2, padding=0)
    qtbot.wait(50)
    assert rows_lit(plot).mean() == pytest.approx(0.5, abs=0.03)


def test_a_scalable_figure_holds_lines_not_pixels(plot, tmp_path):
    plot.stack.set_lines([StackedLine(np.arange(101) / 10, np.ones(101), 0.0, "#ffffff")])
    write_figure(plot, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert "<image" not in text
    assert text.count("<path") + text.count("<polyline") >= 1


def test_a_printed_figure_has_the_line_at_the_same_place(plot, tmp_path):
    plot.stack.set_lines([StackedLine(np.arange(101) / 10, np.ones(101), 1.0, "#ffffff")])
    write_figure(plot, tmp_path / "figure.png")
    image = QImage(str(tmp_path / "figure.png"))
    assert image.height() == 3 * plot.viewport().height()
    at = [
        image.pixelColor(image.width() // 2, row).lightness() for row in range(image.height())
    ]
    lit = np.flatnonzero(np.array(at) > 120)
    assert 1 - np.mean(lit) / image.height() == pytest.approx(0.5, abs=0.02)


def test_an_empty_stack_paints_nothing(plot):
    image = QImage(10, 10, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    plot.stack.paint(painter)
    painter.end()
