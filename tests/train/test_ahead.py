import threading

import pytest

from napari_calm.train.ahead import Ahead


def test_each_step_gets_what_was_made_for_it_whatever_the_order():
    made = []

    def make(step):
        made.append((step, threading.current_thread() is threading.main_thread()))
        return step * 10

    with Ahead(make) as ahead:
        assert [ahead(step) for step in (0, 1, 2, 7, 8, 7)] == [0, 10, 20, 70, 80, 70]
    by_step = dict(made)
    # Steps that follow each other are made beside the one before, the others when asked for.
    assert not by_step[2]
    assert by_step[0]


def test_an_error_of_a_step_reaches_the_one_who_asks_for_it():
    def make(step):
        if step == 1:
            raise ValueError("step 1")
        return step

    with Ahead(make) as ahead:
        assert ahead(0) == 0
        with pytest.raises(ValueError, match="step 1"):
            ahead(1)
        assert ahead(2) == 2


def test_leaving_ends_the_thread():
    before = threading.active_count()
    with Ahead(lambda step: step) as ahead:
        ahead(0)
    assert threading.active_count() == before
