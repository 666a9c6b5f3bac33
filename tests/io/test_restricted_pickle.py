import collections
import datetime
import os
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.restricted_pickle import load_npy, npy_shape


def npy_with(pickled: bytes, shape=()) -> bytes:
    """An npy file that announces a pickled array of `shape` and holds `pickled`."""
    header = f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + pickled


def save(path, value):
    array = np.empty((), object)
    array[()] = value
    np.save(path, array, allow_pickle=True)


SETTINGS = {
    "fs": 10.0,
    "aspect": np.float64(1.5),
    "rmin": np.int16(-3),
    "flag": np.bool_(True),
    "word": np.str_("plane"),
    "image": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.arange(4, dtype=">i2"),
    "complex": np.array([1 + 2j], np.complex64),
    "text": np.array(["a", "bcd"]),
    "empty": np.empty((0, 3), np.int32),
    "ragged": np.array([np.arange(2), {"deep": np.ones(2)}, None], dtype=object),
    "list": [1, (2, np.arange(3)), {"x"}, frozenset({1}), slice(1, 3), 1 + 2j],
    "date": datetime.datetime(2022, 9, 9, 11, 31),
    "ordered": collections.OrderedDict(a=np.zeros(2)),
    "raw": b"\x00\xff",
}


def assert_same(found, expected):
    if isinstance(expected, np.ndarray):
        assert type(found) is np.ndarray
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        for a, b in zip(found.ravel(), expected.ravel(), strict=True):
            assert_same(a, b) if expected.dtype.hasobject else None
        if not expected.dtype.hasobject:
            np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(found) is type(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    else:
        assert type(found) is type(expected)
        assert found == expected


def test_plain_settings_come_out_as_they_went_in(tmp_path):
    save(tmp_path / "ops.npy", SETTINGS)
    assert_same(load_npy(tmp_path / "ops.npy"), SETTINGS)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_pickles_of_all_numpy_versions_are_read(tmp_path, protocol, module):
    value = np.empty((), object)
    value[()] = {"image": np.arange(6.0).reshape(2, 3), "fs": np.float64(7)}
    pickled = pickle.dumps(value, protocol=protocol)
    if protocol < 4:
        pickled = pickled.replace(b"numpy._core.multiarray", module)
    (tmp_path / "ops.npy").write_bytes(npy_with(pickled))
    assert_same(load_npy(tmp_path / "ops.npy"), value[()])


def test_reading_old_names_warns_of_nothing_and_imports_nothing(tmp_path):
    pickled = pickle.dumps(np.array({"a": np.ones(2)}, dtype=object), protocol=2)
    (tmp_path / "ops.npy").write_bytes(
        npy_with(pickled.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    )
    before = set(sys.modules)
    load_npy(tmp_path / "ops.npy")
    assert set(sys.modules) == before


def test_paths_are_read_as_text(tmp_path):
    save(tmp_path / "db.npy", {"save_path": Path("/data/mouse7")})
    assert load_npy(tmp_path / "db.npy") == {"save_path": str(Path("/data/mouse7"))}


def test_shared_and_circular_lists_end(tmp_path):
    circular = [np.ones(2)]
    circular.append(circular)
    save(tmp_path / "ops.npy", {"a": circular, "b": circular})
    found = load_npy(tmp_path / "ops.npy")
    assert found["a"] is found["b"]
    assert found["a"][1] is found["a"]
    assert type(found["a"][0]) is np.ndarray


def test_numeric_arrays_keep_type_and_order(tmp_path, rng):
    array = np.asfortranarray(rng.normal(size=(4, 7)).astype(">f4"))
    np.save(tmp_path / "F.npy", array)
    found = load_npy(tmp_path / "F.npy")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert npy_shape(tmp_path / "F.npy") == (4, 7)


class Touch:
    """Writes a file when unpickled in the usual way."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(target: Path) -> dict[str, bytes]:
    quoted = str(target)
    command = f"touch {quoted}"
    reduced = [
        (f"{name}_protocol_{protocol}", pickle.dumps(payload, protocol=protocol))
        for protocol in (0, 2, 4)
        for name, payload in {
            "os_system": Touch(os.system, command),
            "open": Touch(open, quoted, "w"),
            "exec": Touch(exec, f"open({quoted!r}, 'w')"),
            "in_a_roi": [{"ypix": Touch(os.system, command)}],
            "numpy_load": Touch(np.load, quoted, None, True),
            "numpy_save": Touch(np.save, quoted, [1]),
            "numpy_memmap": Touch(np.memmap, quoted, "u1", "w+", 0, 4),
            "numpy_fromfile": Touch(np.fromfile, quoted),
        }.items()
    ]
    text = command.encode()
    return dict(reduced) | {
        "global_opcode": b"cposix\nsystem\n(S'" + text + b"'\ntR.",
        "inst_opcode": b"(S'" + text + b"'\niposix\nsystem\n.",
        "obj_opcode": b"(cposix\nsystem\nS'" + text + b"'\no.",
        "stack_global_opcode": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c"
        + bytes([len(text)])
        + text
        + b"\x85R.",
        "dotted_name": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        "dotted_through_numpy": b"\x80\x04\x8c\x05numpy\x8c\x0fmemmap.__init__\x93.",
        "getattr": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
        "eval": b"cbuiltins\neval\n(S'1'\ntR.",
        "numpy_f2py": b"cnumpy.testing._private.utils\nrunstring\n(S'1'\n}tR.",
        "numpy_core_fromstring": b"cnumpy\nfromstring\n(S'1'\ntR.",
        "other_admitted_module_name": b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
        "persistent_id": b"Psomething\n.",
    }


ATTACKS = list(attacks(Path("x")))


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_payload_runs(tmp_path, attack):
    target = tmp_path / "touched"
    path = tmp_path / "stat.npy"
    path.write_bytes(npy_with(attacks(target)[attack]))
    with pytest.raises(RecordingError, match=r"stat\.npy: refused") as raised:
        load_npy(path)
    assert not target.exists()
    if attack.startswith("os_system"):
        assert f"{os.system.__module__}.system" in str(raised.value)


def test_the_attacks_work_where_pickles_are_trusted(tmp_path):
    # Otherwise the test above would prove nothing.
    target = tmp_path / "touched"
    payloads = attacks(target)
    for name in (
        "os_system_protocol_4",
        "open_protocol_2",
        "global_opcode",
        "numpy_save_protocol_4",
    ):
        if name == "global_opcode" and os.name == "nt":
            continue
        opened = pickle.loads(payloads[name])  # noqa: S301 the point of this test
        getattr(opened, "close", int)()
        written = [each for each in tmp_path.iterdir() if each.name.startswith("touched")]
        assert written
        for each in written:
            each.unlink()


def test_a_payload_inside_nested_object_arrays_is_refused(tmp_path):
    target = tmp_path / "touched"
    inner = np.empty(1, object)
    inner[0] = Touch(os.system, f"touch {target}")
    outer = np.empty(1, object)
    outer[0] = {"deep": [inner]}
    np.save(tmp_path / "stat.npy", outer, allow_pickle=True)
    with pytest.raises(RecordingError, match="refused"):
        load_npy(tmp_path / "stat.npy")
    assert not target.exists()


ARRAY = b"cnumpy\n_X\n".replace(b"_X", b"ndarray")
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(" + ARRAY + b"(I0\ntS'b'\ntR"
OBJECT_TYPE = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb"
FLOAT_TYPE = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"

BROKEN = {
    "empty": b"",
    "garbage": b"\x00\x01garbage",
    "cut": pickle.dumps({"a": np.ones(50)})[:-30],
    "stack_underflow": b"R.",
    "not_an_array": pickle.dumps({"a": 1}),
    "builder_left_over": ARRAY + b".",
    "call_of_ndarray": ARRAY + b"(I3\ntR.",
    "build_on_builder": b"cnumpy\ndtype\n}S'x'\nI1\nsb.",
    "object_array_without_objects": RECONSTRUCT + b"(I1\n(I9\nt" + OBJECT_TYPE + b"I0\n(ltb.",
    "floats_without_data": RECONSTRUCT + b"(I1\n(I9\nt" + FLOAT_TYPE + b"I0\nS''\ntb.",
    "negative_shape": RECONSTRUCT + b"(I1\n(I-9\nt" + FLOAT_TYPE + b"I0\nS''\ntb.",
    "absurd_shape": RECONSTRUCT + b"(I1\n(I999999999999\nt" + FLOAT_TYPE + b"I0\nS''\ntb.",
    "pointers_as_bytes": RECONSTRUCT + b"(I1\n(I1\nt" + OBJECT_TYPE + b"I0\nS'AAAAAAAA'\ntb.",
    "structured_type": b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.",
    "absurd_bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "absurd_memory_slot": b"\x80\x02K\x01r" + struct.pack("<I", 2**32 - 1) + b".",
    "deep_nesting": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
}


# Caught by our own checks, not by luck further on.
EXPECTED = {
    "builder_left_over": "function or class stands where a value",
    "call_of_ndarray": "only known as the type",
    "build_on_builder": "may not change what it is read with",
    "object_array_without_objects": "lacks its objects",
    "floats_without_data": "lacks its data",
    "negative_shape": "has shape (-9,)",
    "pointers_as_bytes": "lacks its objects",
    "structured_type": "not a plain one",
    "absurd_memory_slot": "memory slot 4294967295",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_damaged_pickles_give_our_error(tmp_path, broken):
    path = tmp_path / "stat.npy"
    path.write_bytes(npy_with(BROKEN[broken]))
    with pytest.raises(RecordingError, match=r"stat\.npy: ") as raised:
        load_npy(path)
    assert EXPECTED.get(broken, "") in str(raised.value)


def test_the_hand_made_pieces_above_are_sound(tmp_path):
    whole = RECONSTRUCT + b"(I1\n(I1\nt" + FLOAT_TYPE + b"I0\nS'" + b"A" * 8 + b"'\ntb."
    trusted = pickle.loads(whole)  # noqa: S301 made two lines above
    np.testing.assert_array_equal(trusted, np.frombuffer(b"A" * 8))
    inner = RECONSTRUCT + b"(I1\n(t" + OBJECT_TYPE + b"I0\n(l" + whole[:-1] + b"atb."
    (tmp_path / "ok.npy").write_bytes(npy_with(inner))
    np.testing.assert_array_equal(load_npy(tmp_path / "ok.npy"), np.frombuffer(b"A" * 8))


def test_a_truncated_numeric_file_says_how_much_is_missing(tmp_path, rng):
    np.save(tmp_path / "F.npy", rng.normal(size=(5, 100)))
    whole = (tmp_path / "F.npy").read_bytes()
    (tmp_path / "F.npy").write_bytes(whole[:-80])
    with pytest.raises(
        RecordingError, match=f"takes {len(whole)} bytes; found {len(whole) - 80}"
    ):
        load_npy(tmp_path / "F.npy")


def test_an_absurd_header_allocates_nothing(tmp_path):
    np.save(tmp_path / "F.npy", np.ones(4))
    content = (tmp_path / "F.npy").read_bytes()
    (tmp_path / "F.npy").write_bytes(content.replace(b"(4,)", b"(9999999999999,)", 1))
    with pytest.raises(RecordingError, match=r"F\.npy"):
        load_npy(tmp_path / "F.npy")


@pytest.mark.parametrize("content", [b"", b"hello world", b"\x93NUMPY\x01\x00\xff\xff{"])
def test_a_file_that_is_no_npy_is_named(tmp_path, content):
    (tmp_path / "F.npy").write_bytes(content)
    with pytest.raises(RecordingError, match=r"F\.npy: not a readable \.npy file"):
        load_npy(tmp_path / "F.npy")
