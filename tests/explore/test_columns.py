from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.explore.columns import column_names, find_column, telling_columns, trial_limits


def test_an_unknown_column_is_answered_with_those_that_there_are(task):
    with pytest.raises(RecordingError, match=r"'nose'.* time_s, position_cm, still, cue\."):
        find_column(task, "nose")


def test_a_recording_without_tables_says_there_is_none(task):
    with pytest.raises(RecordingError, match=r"There are: none\."):
        find_column(replace(task, behaviour=None, trials=None), "cue")


def test_a_constant_column_is_refused(task):
    with pytest.raises(RecordingError, match="'still' holds 1 different value;"):
        find_column(task, "still")


def test_text_and_few_whole_numbers_are_classes_and_other_numbers_are_not(task):
    cue = find_column(task, "cue")
    assert (cue.classes, cue.per_trial) == (("left", "right"), True)
    assert np.array_equal(np.array(cue.classes)[cue.values.astype(int)], task.trials["cue"])
    position = find_column(task, "position_cm")
    assert (position.classes, position.per_trial) == ((), False)
    levels = pd.DataFrame({"dose": np.resize([10, 0, 30], task.n_frames)})
    dose = find_column(replace(task, behaviour=levels), "dose")
    assert dose.classes == ("0", "10", "30")
    assert dose.values[:3].tolist() == [1, 0, 2]


def test_missing_values_belong_to_no_class(task):
    trials = task.trials.assign(cue=[None, *task.trials["cue"][1:]])
    cue = find_column(replace(task, trials=trials), "cue")
    assert np.flatnonzero(~cue.known).tolist() == [0]


def test_a_name_in_both_tables_needs_its_table(task):
    both = replace(task, behaviour=task.behaviour.assign(cue=np.arange(task.n_frames) % 3))
    with pytest.raises(RecordingError, match="behaviour/cue or trials/cue"):
        find_column(both, "cue")
    assert find_column(both, "trials/cue").classes == ("left", "right")
    assert find_column(both, "behaviour/cue").classes == ("0", "1", "2")
    assert column_names(both)[-1] == "trials/cue"


def test_clocks_counters_and_constants_tell_nothing(task):
    counted = task.behaviour.assign(trial=np.arange(task.n_frames) // 40)
    assert telling_columns(replace(task, behaviour=counted)) == ["position_cm", "cue"]


def test_free_text_is_no_class(task):
    notes = task.trials.assign(note=[f"trial {n}" for n in range(len(task.trials))])
    with pytest.raises(CalmError, match="24 different texts in 24 rows are names"):
        find_column(replace(task, trials=notes), "note")


def test_a_trial_outside_the_recording_is_named(task):
    trials = task.trials.copy()
    trials.loc[23, "stop_frame"] = 961
    with pytest.raises(
        RecordingError, match=r"trial 23 goes from frame 920 to 961.*960 frames"
    ):
        trial_limits(replace(task, trials=trials))
