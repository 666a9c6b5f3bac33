import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.core.recording import Recording
from napari_calm.decoding.target import list_variables, read_target


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    n_frames = 40
    behaviour = pd.DataFrame(
        {
            "time_s": np.arange(n_frames) / 5,
            "speed": rng.standard_normal(n_frames),
            "state": np.resize([0, 1, 2], n_frames),
            "moving": np.resize([True, False], n_frames),
            "heading": np.linspace(-179, 179, n_frames),
            "cue": np.resize(["a", "b"], n_frames),
            "still": np.ones(n_frames),
            "empty": np.full(n_frames, np.nan),
        }
    )
    trials = pd.DataFrame(
        {"start_frame": [0, 10, 20], "stop_frame": [10, 20, 30], "cue": ["l", "r", ""]}
    )
    traces = rng.standard_normal((3, n_frames))
    return Recording(traces, 5.0, "mouse", behaviour=behaviour, trials=trials)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("speed", "continuous"),
        ("state", "classes"),
        ("moving", "classes"),
        ("heading", "circular"),
        ("trials/cue", "classes"),
    ],
)
def test_the_kind_of_a_variable_is_told_from_its_values(recording, name, kind):
    assert read_target(recording, name).kind == kind


def test_angles_in_degrees_become_unit_vectors(recording):
    target = read_target(recording, "heading")
    assert target.unit == "deg"
    degrees = recording.behaviour["heading"].to_numpy()
    expected = np.stack([np.cos(degrees * np.pi / 180), np.sin(degrees * np.pi / 180)], axis=1)
    np.testing.assert_allclose(target.outputs(np.arange(40)), expected, atol=1e-12)


def test_missing_text_is_unknown_and_no_class(recording):
    target = read_target(recording, "trials/cue")
    assert target.classes == ("l", "r")
    np.testing.assert_array_equal(target.known, [True, True, False])


def test_missing_numbers_are_unknown(recording):
    values = np.arange(40.0) * 0.3
    values[5] = np.nan
    target = read_target(recording, values)
    assert target.kind == "continuous"
    assert not target.known[5]
    assert target.known.sum() == 39


def test_columns_without_two_values_and_clocks_are_not_offered(recording):
    assert list_variables(recording) == {
        "behaviour": ["speed", "state", "moving", "heading", "cue"],
        "trials": ["cue"],
    }


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("nose", {}, "no column 'nose' to decode. Found behaviour: speed"),
        ("cue", {}, "both behaviour and trials have a column 'cue'"),
        ("still", {}, "its value is 1 in all 40 frames"),
        ("empty", {}, "every value is missing"),
        ("behaviour/cue", {"kind": "continuous"}, "its values are text"),
        (np.arange(41.0), {}, "found 41 values, which is longer than the recording"),
        (np.arange(7.0), {}, "found 7 values, which is shorter"),
        (np.eye(3), {}, "found values of shape"),
        ("speed", {"kind": "magic"}, "found the kind 'magic'"),
        (np.linspace(0, 900, 40), {"kind": "circular"}, "lie on more than one turn"),
    ],
)
def test_what_cannot_be_decoded_is_told(recording, target, options, message):
    with pytest.raises(CalmError, match=message.replace("(", r"\(")):
        read_target(recording, target, **options)
