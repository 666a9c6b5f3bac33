import pickle
import time

import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.pickle_check import check_pickle
from napari_calm.io.restricted_pickle import load_npy

ONE_OF_EACH = {
    "numbers": [1, -1, 2**40, 2**80, 1.5, True, None],
    "text": ("a", b"b", bytearray(b"c")),
    "nested": {"a": [(1, (2, (3,))), {4, 5}, frozenset({6})], "b": [[], {}, (), set()]},
    "array": np.arange(6.0).reshape(2, 3),
    "objects": np.array([{"x": np.int64(3)}, None], dtype=object),
}
HUGE_HASH = b"\x80\x04}" + b"N" + b"2\x86" * 45 + b"Ns."


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_python_and_numpy_write_passes(protocol):
    shared = [ONE_OF_EACH, ONE_OF_EACH]
    check_pickle(pickle.dumps(shared, protocol))


def test_tuples_that_hold_each_other_without_end_are_refused():
    with pytest.raises(ValueError, match="too often"):
        check_pickle(HUGE_HASH)


def test_the_same_through_the_memory_is_refused():
    value = (1, 2)
    for _ in range(60):
        value = (value, value)
    with pytest.raises(ValueError, match="too often"):
        check_pickle(pickle.dumps([value]))


def test_a_memory_slot_beyond_the_pickle_is_refused():
    with pytest.raises(ValueError, match="memory slot"):
        check_pickle(b"\x80\x02Nr\xff\xff\xff\x7f.")


@pytest.mark.parametrize(
    "data", [b"", b".", b"\x80\x04\x85.", b"\x80\x04e.", b"\x80\x04h\x05."]
)
def test_damaged_instructions_are_refused(data):
    with pytest.raises(ValueError, match=r".+"):
        check_pickle(data)


def test_a_file_that_would_hang_is_refused_at_once(tmp_path):
    np.save(tmp_path / "ops.npy", np.array({"fs": 1.0}, dtype=object), allow_pickle=True)
    with (tmp_path / "ops.npy").open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        header = (tmp_path / "ops.npy").read_bytes()[: file.tell()]
    (tmp_path / "ops.npy").write_bytes(header + HUGE_HASH)
    started = time.monotonic()
    with pytest.raises(RecordingError, match="damaged"):
        load_npy(tmp_path / "ops.npy")
    assert time.monotonic() - started < 5
