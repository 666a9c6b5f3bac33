"""Reading ``.npy`` files that hold Python objects without running anything in them.

suite2p saves its ROI table and settings as pickled dictionaries. A pickle is a program:
the usual way of reading one imports and calls whatever it names. Here

1. every name that a pickle may ask for stands in one table, `_ADMITTED`; any other is
   refused before it is imported;
2. the admitted names lead not to numpy's own unpickling functions, which trust their
   input, but to small builders below that check sizes and types;
3. arrays are rebuilt with numpy's public functions when everything has been read.

Both the names of numpy 1.x (``numpy.core.multiarray``) and of numpy 2.x
(``numpy._core.multiarray``) are known.
"""

import datetime
import io
import math
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from tokenize import TokenError
from typing import Any

import numpy as np

from ..core.errors import RecordingError
from .pickle_check import check_pickle

# numpy reads the header as Python source.
_BAD_HEADER = (
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    TypeError,
    LookupError,
    RecursionError,
    TokenError,
)
_PLAIN_DTYPE = re.compile(r"[<>=|]?(?:[biufc]\d{0,2}|\?|[SU]\d+|O8?)")


def load_npy(path: str | Path) -> Any:
    """Load an ``.npy`` file; pickled contents only as plain data.

    Parameters
    ----------
    path : path
        A file as `numpy.save` writes it.

    Returns
    -------
    numpy.ndarray or object
        The array. A pickled zero-dimensional array gives the object in it (suite2p's
        settings: a dict), a pickled one-dimensional array (suite2p's ROIs: dicts) an
        object array.

    Raises
    ------
    RecordingError
        If the file is missing, cut short or no npy file, or if its pickle asks for
        anything but numpy arrays, scalars, dtypes, dates, paths and plain containers; the
        message names the file and what was refused. Nothing of it has then been run.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"{path}: there is no such file.")
    try:
        with path.open("rb") as file:
            shape, dtype = _read_header(file)
            if dtype.hasobject:
                value = _load_objects(file.read(), shape, path)
                return value[()] if shape == () else value
            expected = file.tell() + math.prod(shape) * dtype.itemsize
        found = path.stat().st_size
        if expected > found:
            raise RecordingError(
                f"{path}: the file is truncated. Its header says {dtype} of shape {shape}, "
                f"which takes {expected} bytes; found {found}. Copy it again from its source."
            )
        return np.load(path, allow_pickle=False)
    except RecordingError:
        raise
    except (*_BAD_HEADER, MemoryError) as error:
        raise RecordingError(
            f"{path}: not a readable .npy file ({type(error).__name__}: {error})."
        ) from error


def npy_shape(path: str | Path) -> tuple[int, ...]:
    """Shape of the array in an ``.npy`` file, from its header only."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read_header(file)[0]
    except _BAD_HEADER as error:
        raise RecordingError(
            f"{path}: not a readable .npy file ({type(error).__name__}: {error})."
        ) from error


def _read_header(file: io.BufferedReader) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"npy version {version} is not known")
    if any(side < 0 for side in shape):
        raise ValueError(f"shape {shape} is negative")
    return shape, dtype


def _load_objects(data: bytes, shape: tuple[int, ...], path: Path) -> np.ndarray:
    try:
        check_pickle(data)
        value = _plain(_RestrictedUnpickler(io.BytesIO(data), path).load(), {})
    except RecordingError:
        raise
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        # The pickle machine answers garbage with any of these.
        raise RecordingError(
            f"{path}: the pickled contents are damaged ({type(error).__name__}: {error}). "
            "Copy the file again from its source."
        ) from error
    if not isinstance(value, np.ndarray) or value.shape != shape:
        raise RecordingError(
            f"{path}: the header says an array of shape {shape}; found "
            f"{getattr(value, 'shape', type(value).__name__)}."
        )
    return value


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, path: Path) -> None:
        # Python 2 pickles (old suite2p) hold bytes as latin-1 text.
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        admitted = _ADMITTED.get((module, name))
        if admitted is None:
            raise RecordingError(
                f"{self._path}: refused to load {module}.{name}. The file is a pickle, and "
                "only numpy arrays and plain containers are read from pickles, because "
                "anything else could run code. Nothing of it was run. If you trust the "
                "file, load it where it was made and save its values as plain arrays."
            )
        return admitted

    def persistent_load(self, pid: Any) -> Any:
        raise RecordingError(
            f"{self._path}: refused a reference to an outside object ({str(pid)[:80]})."
        )


class _Builder:
    """What an admitted name stands for: callable, and nothing about it can be changed."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build

    def __call__(self, *arguments: Any) -> Any:
        return self._build(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise ValueError("a pickle may not change what it is read with")


class _Dtype:
    """A number type under construction: kind and size first, then the byte order."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, spec: Any, *_flags: Any) -> None:
        if not isinstance(spec, str) or not _PLAIN_DTYPE.fullmatch(spec):
            raise ValueError(f"number type {str(spec)[:40]!r} is not a plain one")
        self.value = np.dtype(spec)

    def __setstate__(self, state: Any) -> None:
        _, order, subarray, names, fields, *_ = state
        if subarray is not None or names is not None or fields is not None:
            raise ValueError("structured number types are not read from pickles")
        if order not in ("<", ">", "=", "|"):
            raise ValueError(f"byte order {order!r} is not known")
        if order != "|":
            self.value = self.value.newbyteorder(order)


class _Array:
    """An array under construction; `_plain` replaces it by what it stands for."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, subtype: Any, *_shape_and_kind: Any) -> None:
        if subtype is not _NDARRAY:
            raise ValueError("only plain numpy arrays are read from pickles")
        self.value: np.ndarray = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(shape, tuple) or not isinstance(dtype, _Dtype):
            raise TypeError("the shape or number type of an array is missing")
        if any(not isinstance(side, int) or side < 0 for side in shape):
            raise ValueError(f"an array has shape {shape}")
        size = math.prod(shape)
        if size and not dtype.value.itemsize:
            raise ValueError(f"an array of shape {shape} has elements of no size")
        if dtype.value.hasobject:
            if not isinstance(data, list) or len(data) != size:
                raise ValueError(f"an object array of shape {shape} lacks its objects")
            flat = np.empty(size, dtype=object)
            for index, item in enumerate(data):
                flat[index] = item
        else:
            if isinstance(data, str):
                data = data.encode("latin1")
            if not isinstance(data, bytes) or len(data) != size * dtype.value.itemsize:
                raise ValueError(f"an array of {dtype.value} and shape {shape} lacks its data")
            # `frombuffer` refuses empty data and gives arrays that cannot be written to.
            flat = (
                np.frombuffer(data, dtype.value).copy() if data else np.empty(size, dtype.value)
            )
        self.value = flat.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if not isinstance(dtype, _Dtype) or dtype.value.hasobject:
        raise TypeError("the number type of a scalar is missing")
    if isinstance(data, str):
        data = data.encode("latin1")
    if not isinstance(data, bytes) or len(data) != dtype.value.itemsize:
        raise ValueError(f"a scalar of {dtype.value} lacks its data")
    return np.frombuffer(data, dtype.value)[0] if data else dtype.value.type()


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    # Protocols 0 to 2 write bytes as a call of codecs.encode.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text encoding {str(encoding)[:40]!r} is not read from pickles")
    return text.encode("latin1")


def _refuse_call(*_arguments: Any) -> Any:
    raise ValueError("numpy.ndarray is only known as the type of a pickled array")


_NDARRAY = _Builder(_refuse_call)
_RECONSTRUCT, _SCALAR = _Builder(_Array), _Builder(_scalar)
_POSIX_PATH = _Builder(lambda *parts: str(PurePosixPath(*parts)))
_WINDOWS_PATH = _Builder(lambda *parts: str(PureWindowsPath(*parts)))
_ADMITTED = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Builder(_Dtype),
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("builtins", "set"): _Builder(set),
    ("builtins", "frozenset"): _Builder(frozenset),
    ("builtins", "complex"): _Builder(complex),
    ("builtins", "slice"): _Builder(slice),
    ("collections", "OrderedDict"): _Builder(dict),
    ("_codecs", "encode"): _Builder(_latin1),
    ("datetime", "datetime"): _Builder(datetime.datetime),
    ("datetime", "date"): _Builder(datetime.date),
    ("datetime", "timedelta"): _Builder(datetime.timedelta),
    **{
        (module, name): path
        for module in ("pathlib", "pathlib._local")
        for name, path in (
            ("PosixPath", _POSIX_PATH),
            ("PurePosixPath", _POSIX_PATH),
            ("WindowsPath", _WINDOWS_PATH),
            ("PureWindowsPath", _WINDOWS_PATH),
        )
    },
}


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Replace the constructions in `value` by arrays; `done` ends loops and sharing."""
    if id(value) in done:
        return done[id(value)]
    match value:
        case _Array(value=array):
            done[id(value)] = array
            if array.dtype.hasobject:
                flat = array.reshape(-1)
                for index, item in enumerate(flat):
                    flat[index] = _plain(item, done)
            return array
        case _Dtype():
            return value.value
        case _Builder():
            raise TypeError("a function or class stands where a value was expected")
        case dict():
            done[id(value)] = value
            for key, item in value.items():
                value[key] = _plain(item, done)
            return value
        case list():
            done[id(value)] = value
            value[:] = [_plain(item, done) for item in value]
            return value
        case tuple():
            done[id(value)] = plain = tuple(_plain(item, done) for item in value)
            return plain
        case _:
            return value
