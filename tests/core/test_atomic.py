"""A file is replaced whole or not at all, and what the system refuses is said in words."""

import errno
import os

import pytest

from napari_calm.core.atomic import replacing
from napari_calm.core.errors import CalmError, NotWritten


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "kept.npz"
    path.write_text("before")
    return path


def refused(path, number):
    with replacing(path) as partial:
        partial.write_text("half")
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, r"the disk is full \(.*\)\. Make room"),
        (errno.EFBIG, "the disk is full"),
        (errno.EACCES, r"this is not allowed \(.*\)\. Choose another folder"),
        (errno.EIO, "Input/output error. Try again"),
    ],
)
def test_what_the_system_refuses_names_the_file_and_what_to_do(kept, number, said):
    with pytest.raises(NotWritten, match=rf"kept\.npz: not written: {said}") as raised:
        refused(kept, number)
    assert isinstance(raised.value, CalmError)
    assert isinstance(raised.value, OSError)
    assert kept.read_text() == "before"
    assert list(kept.parent.iterdir()) == [kept]


def test_a_file_that_is_read_meanwhile_and_fails_is_not_said_to_be_unwritten(kept):
    with pytest.raises(FileNotFoundError), replacing(kept):
        open("/elsewhere/movie.tif").close()
    assert kept.read_text() == "before"


def test_a_file_in_the_place_of_its_folder_is_told(kept):
    with (
        pytest.raises(NotWritten, match=r"below\.npz: not written"),
        replacing(kept / "folder" / "below.npz"),
    ):
        pass


def test_an_error_of_ours_stays_as_it_is(kept):
    with pytest.raises(CalmError, match=r"^no such neuron$"), replacing(kept):
        raise CalmError("no such neuron")
    assert kept.read_text() == "before"
