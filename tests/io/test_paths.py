import os
import shutil

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_calm.io.export import export_recording
from napari_calm.io.labels import write_footprints
from napari_calm.io.movies import open_movie
from napari_calm.io.read import read_recording
from napari_calm.io.rois import read_rois
from napari_calm.io.traces import write_recording


@pytest.fixture
def folder(tmp_path, frames, recording, footprints):
    """One file of many kinds."""
    folder = tmp_path / "plain"
    folder.mkdir()
    tifffile.imwrite(folder / "m.tif", frames, photometric="minisblack")
    with h5py.File(folder / "m.h5", "w") as file:
        file["mov"] = frames
    zarr.create_array(folder / "m.zarr", data=frames)
    write_recording(recording, folder / "t.npz")
    write_footprints(footprints, folder / "r.npz")
    export_recording(recording, folder / "t.csv")
    export_recording(recording, folder / "r.zip")
    export_recording(recording, folder / "s2p")
    return folder


def read_all(folder, frames, recording):
    for name in ("m.tif", "m.h5", "m.zarr"):
        np.testing.assert_array_equal(np.asarray(open_movie(folder / name).frames), frames)
    for name in ("t.npz", "t.csv", "s2p"):
        found = read_recording(folder / name)
        np.testing.assert_allclose(found.traces, recording.traces, rtol=1e-6)
    assert read_rois(folder / "r.npz").n_neurons == 3
    assert read_rois(folder / "r.zip", image_shape=(24, 32)).n_neurons == 3


@pytest.mark.parametrize(
    "name", ["mäuse 実験 №7", "a" * 120, "with [brackets] and * stars", "pct%20 'quote'"]
)
def test_folders_of_any_name(folder, frames, recording, name):
    if os.name == "nt" and "*" in name:
        pytest.skip("Windows knows no such name")
    read_all(folder.rename(folder.parent / name), frames, recording)


def test_very_long_paths(folder, frames, recording):
    deep = folder.parent
    for _ in range(9):
        deep = deep / ("d" * 60)
    deep.mkdir(parents=True)
    shutil.move(folder, deep / "plain")
    read_all(deep / "plain", frames, recording)


def test_symbolic_links(folder, frames, recording):
    links = folder.parent / "links"
    links.mkdir()
    for path in folder.iterdir():
        (links / path.name).symlink_to(path, target_is_directory=path.is_dir())
    read_all(links, frames, recording)


def test_read_only_files_in_a_read_only_folder(folder, frames, recording):
    every = [folder, *folder.rglob("*")]
    for path in every:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        read_all(folder, frames, recording)
    finally:
        for path in every:
            path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="two slashes name a server on Windows")
def test_paths_like_those_of_network_shares(folder, frames, recording):
    from pathlib import Path

    read_all(Path(f"/{folder}"), frames, recording)
    read_all(folder / ".." / folder.name, frames, recording)
