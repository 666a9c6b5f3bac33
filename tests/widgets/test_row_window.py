"""Which rows are in view: a stretch that stays within the rows, however it is moved."""

import numpy as np
import pytest

from napari_calm.widgets.row_axis import stride_of
from napari_calm.widgets.row_window import READABLE_PX, RowWindow


def window(n_rows, view_px=300.0):
    return RowWindow().with_height(view_px).with_rows(n_rows)


def test_few_rows_fill_the_view_and_many_stay_readable():
    few, many = window(5), window(5000)
    assert few.shows_all
    assert few.in_view == range(5)
    assert few.row_px * few.n_content == pytest.approx(300)
    assert many.row_px == READABLE_PX
    assert many.in_view.start == 0
    assert len(many.in_view) in (14, 15)


def test_paging_down_passes_by_every_row_and_ends_at_the_last():
    at, seen = window(533), set()
    for _ in range(60):
        seen |= set(at.in_view)
        at = at.paged(1)
    assert seen == set(range(533))
    assert at.in_view.stop == 533
    for _ in range(60):
        at = at.paged(-1)
    assert at.in_view.start == 0


@pytest.mark.parametrize("rows", [-np.inf, -3.0, np.inf])
def test_scrolling_ends_where_rows_do(rows):
    at = window(40).scrolled(rows)
    bottom, top = at.range_y
    assert bottom >= -39.35 - 1e-6
    assert top <= at.head + 1e-6
    assert at.in_view == (range(15) if rows < 0 else range(25, 40))


@pytest.mark.parametrize("factor", [0.5, 1.6])
def test_what_is_under_the_mouse_stays_there_when_rows_become_taller(factor):
    before = window(500).scrolled(200)
    y = -208.4
    after = before.scaled(factor, y)

    def from_top_px(window):
        return (window.range_y[1] - y) * window.row_px

    assert after.row_px == pytest.approx(before.row_px * factor)
    assert from_top_px(after) == pytest.approx(from_top_px(before))


def test_rows_become_no_lower_than_all_of_them_need_and_then_stay_fitted():
    at = window(100)
    for _ in range(20):
        at = at.scaled(0.7)
    assert at.shows_all
    assert at.fits_all
    assert at.with_rows(1000).shows_all
    assert not at.scaled(2.0).fits_all
    back = at.fitted(False)
    assert back.row_px == READABLE_PX


def test_a_row_that_is_revealed_is_whole_and_nothing_moves_if_it_was():
    at = window(500)
    assert at.revealing(3) == at
    for row in (250, 499, 0):
        at = at.revealing(row)
        bottom, top = at.range_y
        assert bottom - 1e-6 <= -row - 0.35
        assert -row + 0.65 <= top + 1e-6
        assert row in at.in_view


def test_the_row_at_a_place_is_the_one_drawn_there():
    at = window(10)
    for row in range(10):
        assert at.row_at(-row + 0.6) == at.row_at(-row - 0.3) == row
    assert at.row_at(0.7) is None
    assert at.row_at(-9.4) is None


def test_another_number_of_rows_begins_at_the_first_and_as_many_stay_where_they_are():
    at = window(500).scrolled(100)
    assert at.with_rows(500).in_view == at.in_view
    assert at.with_rows(400).in_view.start == 0
    # Other room above the first row moves nothing that is scrolled.
    assert at.with_head(1.5).range_y[1] == pytest.approx(at.range_y[1])


@pytest.mark.parametrize("least", [0.2, 1.0, 1.01, 2.0, 3.7, 9.0, 45.0, 51.0, 1e4])
def test_names_stand_at_round_distances(least):
    stride = stride_of(least)
    assert stride >= least
    assert str(stride).rstrip("0") in ("1", "2", "5")
    assert stride == 1 or stride <= 2.5 * least
