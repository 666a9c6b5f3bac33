"""Lines drawn column by column cover what the line itself covers."""

import numpy as np
import pytest

from napari_calm.widgets.line_spans import column_spans, painted_spans


@pytest.mark.parametrize("n_points", [7, 40, 300, 5000])
def test_spans_are_the_extremes_of_the_line_in_each_column(n_points):
    rng = np.random.default_rng(n_points)
    x = np.sort(rng.uniform(-5, 65, n_points))
    y = rng.normal(20, 6, n_points)
    low, high = column_spans(x, y, 60)
    # The line at very many places, those of its corners among them.
    fine = np.union1d(np.linspace(0, 60, 60 * 200 + 1), x[(x >= 0) & (x < 60)])
    values = np.interp(fine, x, y, left=np.nan, right=np.nan)
    for column in range(60):
        inside = values[(fine >= column) & (fine <= column + 1)]
        inside = inside[np.isfinite(inside)]
        if len(inside) and np.isfinite(low[column]):
            # Columns at the ends of the line may be cut between two of the places.
            assert low[column] == pytest.approx(inside.min(), abs=0.5)
            assert high[column] == pytest.approx(inside.max(), abs=0.5)
    whole = (np.arange(60) > x[0]) & (np.arange(1, 61) < x[-1])
    assert np.isfinite(low[whole]).all()


def test_columns_beyond_the_line_are_empty():
    low, high = column_spans(np.array([3.2, 6.9]), np.array([1.0, 2.0]), 10)
    assert np.isnan(low[[0, 1, 8, 9]]).all()
    assert np.isfinite(high[3:7]).all()


def test_a_pixel_has_as_much_of_the_colour_as_is_covered_of_it():
    low, high = np.array([2.0, 2.25, np.nan, 5.0]), np.array([2.0, 4.0, np.nan, 5.5])
    pixels, first = painted_spans(low, high, (200, 100, 50, 255), 1.0, 20)
    alpha = (pixels >> 24) / 255
    expected = np.zeros((20, 4))
    for column, (top, bottom) in enumerate(zip(low - 0.5, high + 0.5, strict=True)):
        for row in range(20):
            if np.isfinite(top):
                expected[row, column] = np.clip(min(bottom, row + 1) - max(top, row), 0, 1)
    np.testing.assert_allclose(alpha, expected[first : first + len(alpha)], atol=0.01)
    assert alpha.sum() == pytest.approx(expected.sum(), abs=0.05)
    full = pixels[(pixels >> 24) == 255][0]
    assert (full >> 16 & 255, full >> 8 & 255, full & 255) == (200, 100, 50)


def test_what_lies_beyond_the_picture_is_left_out():
    pixels, first = painted_spans(
        np.array([-9.0, 3.0]), np.array([-8.0, 90.0]), (1, 2, 3, 255), 1.0, 10
    )
    assert first == 0
    assert pixels.shape == (10, 2)
    nothing, _ = painted_spans(np.full(4, np.nan), np.full(4, np.nan), (1, 2, 3, 255), 1.0, 10)
    assert nothing.shape == (0, 4)
