from pathlib import Path

import pytest

from napari_calm.core.errors import RecordingError
from napari_calm.io.address import several_files, split_address


def test_a_dataset_is_named_behind_two_colons(tmp_path):
    assert split_address("a/b.h5::/mov/data") == (Path("a/b.h5"), "/mov/data")
    assert split_address("a/b.h5") == (Path("a/b.h5"), None)
    assert split_address("a/b.h5", "mov") == (Path("a/b.h5"), "mov")
    odd = tmp_path / "odd::name.h5"
    odd.touch()
    assert split_address(odd) == (odd, None)


def test_two_different_datasets_are_refused():
    assert split_address("b.h5::/mov", "mov")[1] == "/mov"
    with pytest.raises(RecordingError, match="names the dataset '/mov', but 'raw'"):
        split_address("b.h5::/mov", "raw")


def test_patterns_and_lists_come_in_natural_order(tmp_path):
    names = ["run_10.tif", "run_9.tif", "run_1.tif", "other.tif"]
    for name in names:
        (tmp_path / name).touch()
    ordered = [tmp_path / f"run_{number}.tif" for number in (1, 9, 10)]
    assert several_files(tmp_path / "run_*.tif") == ordered
    assert several_files([tmp_path / name for name in names[:3]]) == ordered
    with pytest.raises(RecordingError, match="no file has such a name"):
        several_files(tmp_path / "walk_*.tif")
    with pytest.raises(RecordingError, match="empty list"):
        several_files([])


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    path = tmp_path / "run[1].tif"
    path.touch()
    assert several_files(path) == [path]
