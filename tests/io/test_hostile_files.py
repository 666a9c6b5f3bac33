"""Damaged and hostile files: always a RecordingError, never a crash, a hang or a pickle run.

Each reader gets files that were cut, had bits flipped or bytes replaced, at places that
hypothesis chooses; CALM_FUZZ_EXAMPLES says how many (40).
"""

import os
import shutil
import struct
import warnings
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import roifile
import scipy.sparse as sp
import tifffile
import zarr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from napari_calm.core.errors import CalmError
from napari_calm.io.behaviour import with_behaviour
from napari_calm.io.movies import open_movie
from napari_calm.io.read import describe, read_recording
from napari_calm.io.rois import read_rois
from napari_calm.io.traces import read_traces_npz

RNG = np.random.default_rng(0)
LIMITS = settings(
    max_examples=int(os.environ.get("CALM_FUZZ_EXAMPLES", "40")),
    deadline=None,
    derandomize=True,
    # Shrinking looks for the smallest file; the first one will do.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
DAMAGE = st.tuples(
    st.sampled_from(["cut", "flip", "bytes", "repeat"]),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=12),
)


def damaged(contents: bytes, damage) -> bytes:
    kind, place, value = damage
    at = int(place * (len(contents) - 1))
    match kind:
        case "cut":
            return contents[:at]
        case "flip":
            flipped = contents[at] ^ (1 << (value[0] % 8))
            return contents[:at] + bytes([flipped]) + contents[at + 1 :]
        case "bytes":
            return contents[:at] + value + contents[at + len(value) :]
        case _:
            return contents[:at] + contents[at : at + 40] * 3 + contents[at:]


def told(look, path) -> str | None:
    """What a reader says against a file; None if it takes it. Other errors pass through."""
    try:
        look(path)
    except CalmError as error:
        return str(error)
    return None


def images(n_rois=3, shape=(12, 16)):
    found = np.zeros((n_rois, *shape), np.float32)
    for roi in range(n_rois):
        found[roi, roi : roi + 4, 2 * roi : 2 * roi + 4] = RNG.uniform(0.1, 1, (4, 4))
    return found


def tiff(path):
    frames = RNG.integers(0, 900, (6, 12, 16)).astype(np.uint16)
    tifffile.imwrite(path, frames, photometric="minisblack", metadata={"fps": 5.0})


def compressed_tiff(path):
    frames = RNG.integers(0, 900, (6, 12, 16)).astype(np.uint16)
    tifffile.imwrite(path, frames, photometric="minisblack", compression="zlib")


def label_tiff(path):
    tifffile.imwrite(path, (images().argmax(0) + 1).astype(np.uint16))


def hdf5_movie(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("mov", data=RNG.integers(0, 99, (8, 12, 16)), compression="gzip")


def caiman(path):
    flat = sp.csc_array(np.stack([image.ravel(order="F") for image in images()], axis=1))
    with h5py.File(path, "w") as file:
        file["dims"] = np.array([12, 16])
        for name in ("data", "indices", "indptr", "shape"):
            file[f"estimates/A/{name}"] = np.asarray(getattr(flat, name))
        file["estimates/C"] = RNG.normal(size=(3, 20))
        file["params/data/fr"] = 30.0


def extract(path):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["output/spatial_weights"] = images().transpose(0, 2, 1)
        file["output/temporal_weights"] = RNG.normal(size=(3, 20))


def nwb(path):
    """As small as an NWB file of traces can be."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        table = file.create_group("processing/ophys/seg/PlaneSegmentation")
        table.attrs["neurodata_type"] = "PlaneSegmentation"
        table["id"] = np.arange(3)
        table["image_mask"] = images().transpose(0, 2, 1)
        series = file.create_group("processing/ophys/DfOverF/traces")
        series.attrs["neurodata_type"] = "RoiResponseSeries"
        series.parent.attrs["neurodata_type"] = "DfOverF"
        series["data"] = RNG.normal(size=(20, 3))
        series["timestamps"] = np.arange(20) / 10
        rois = series.create_dataset("rois", data=np.arange(3))
        rois.attrs["table"] = table.ref


def imagej(path):
    rois = [roifile.ImagejRoi.frompoints([[1, 1], [6, 1], [6, 7], [i, 7]]) for i in range(3)]
    roifile.roiwrite(path, rois, name=["a", "b", "c"], mode="w")


def cellpose(path):
    contents = {"masks": images().argmax(0).astype(np.int32), "filename": "mean.tif"}
    np.save(path, contents, allow_pickle=True)


def traces(path):
    np.savez(path, traces=RNG.normal(size=(3, 20)), fps=5.0, speed=np.arange(20.0))


def array(path):
    np.save(path, RNG.normal(size=(3, 20)))


def table(path):
    lines = [",".join(["time_s", "a", "b"])]
    lines += [",".join(map(str, (i / 5, *RNG.normal(size=2)))) for i in range(20)]
    path.write_text("\n".join(lines))


def ome_tiff(path):
    frames = RNG.integers(0, 900, (6, 12, 16)).astype(np.uint16)
    facts = {"axes": "TYX", "TimeIncrement": 0.2, "PhysicalSizeX": 1.5, "PhysicalSizeY": 1.5}
    tifffile.imwrite(path, frames, ome=True, metadata=facts)


def nwb_movie(path):
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        series = file.create_group("acquisition/movie")
        series.attrs["neurodata_type"] = "OnePhotonSeries"
        series["data"] = RNG.integers(0, 99, (8, 16, 12))
        series["starting_time"] = 0.0
        series["starting_time"].attrs["rate"] = 10.0


def parquet(path):
    pd.DataFrame(RNG.normal(size=(20, 3)), columns=["a", "b", "c"]).to_parquet(path)


RECORDING = lambda path: read_recording(path, frame_rate_hz=5.0)  # noqa: E731
CASES = {
    "tiff": ("m.tif", tiff, lambda p: np.asarray(open_movie(p).frames)),
    "compressed tiff": ("m.tif", compressed_tiff, open_movie),
    "label image": ("l.tif", label_tiff, read_rois),
    "hdf5 movie": ("m.h5", hdf5_movie, open_movie),
    "caiman": ("c.hdf5", caiman, RECORDING),
    "extract": ("e.mat", extract, RECORDING),
    "nwb": ("n.nwb", nwb, RECORDING),
    "ome tiff": ("m.ome.tif", ome_tiff, open_movie),
    "nwb movie": ("m.nwb", nwb_movie, open_movie),
    "imagej": ("r.zip", imagej, read_rois),
    "cellpose": ("m_seg.npy", cellpose, read_rois),
    "traces": ("t.npz", traces, RECORDING),
    "array": ("t.npy", array, RECORDING),
    "table": ("t.csv", table, RECORDING),
    "parquet": ("t.parquet", parquet, RECORDING),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One sound file of each kind, and its bytes."""
    folder = tmp_path_factory.mktemp("whole")
    contents = {}
    for name, (file, write, read) in CASES.items():
        place = folder / name
        place.mkdir()
        write(place / file)
        read(place / file)
        contents[name] = (place / file).read_bytes()
    return contents


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_is_told_or_read_as_what_it_still_is(name, whole, tmp_path):
    file, _, read = CASES[name]
    path = tmp_path / file

    @LIMITS
    @given(DAMAGE)
    def check(damage):
        path.write_bytes(damaged(whole[name], damage))
        for look in (read, describe):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # A flipped bit of a pixel or a name leaves a sound file.
                said = told(look, path)
            assert said is None or str(path) in said
        path.unlink()

    opened = count_open_files()
    check()
    assert count_open_files() <= opened + 2


def count_open_files() -> int:
    """Open files of this process; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@LIMITS
@given(st.binary(max_size=400), st.sampled_from([case[0] for case in CASES.values()]))
def test_noise_of_any_name_is_refused(tmp_path_factory, contents, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(contents)
    with pytest.raises(CalmError):
        read_recording(path)


@LIMITS
@given(DAMAGE, st.sampled_from([".zarray", ".zattrs", "0.0.0", ".zgroup"]))
def test_a_damaged_zarr_folder_is_told(tmp_path_factory, damage, name):
    folder = tmp_path_factory.mktemp("zarr") / "m.zarr"
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    group.create_array("mov", data=RNG.integers(0, 9, (4, 8, 8)), chunks=(4, 8, 8))
    for path in folder.rglob(name):
        path.write_bytes(damaged(path.read_bytes(), damage))
    # Opening decodes the first frame: what does not fit is told at once.
    told(lambda path: np.asarray(open_movie(path).frames[0]), folder)


@pytest.fixture
def minian_results(tmp_path):
    folder = tmp_path / "minian"
    arrays = {"A": images(), "C": RNG.normal(size=(3, 20))}
    for name, data in arrays.items():
        group = zarr.open_group(folder / f"{name}.zarr", mode="w", zarr_format=2)
        group.create_array(name, data=data, chunks=(3, *data.shape[1:]))
        group.create_array("unit_id", data=np.arange(3))
        axes = ["height", "width"] if name == "A" else ["frame"]
        group[name].attrs["_ARRAY_DIMENSIONS"] = ["unit_id", *axes]
    return folder


@LIMITS
@given(DAMAGE, st.floats(0, 0.999))
def test_a_damaged_suite2p_folder_is_told(tmp_path_factory, suite2p_plane, damage, which):
    check_folder(tmp_path_factory.mktemp("s"), suite2p_plane, damage, which)


@LIMITS
@given(DAMAGE, st.floats(0, 0.999))
def test_a_damaged_minian_folder_is_told(tmp_path_factory, minian_results, damage, which):
    check_folder(tmp_path_factory.mktemp("m"), minian_results, damage, which)


def check_folder(place, whole_folder, damage, which):
    """Damage one file of a folder and read it."""
    folder = place / whole_folder.name
    shutil.copytree(whole_folder, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hurt = files[int(which * len(files))]
    hurt.write_bytes(damaged(hurt.read_bytes(), damage))
    for look in (RECORDING, describe):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = told(look, folder)
        assert said is None or str(folder) in said
    shutil.rmtree(place)


def test_an_npy_header_that_announces_more_than_memory_is_refused(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    padded = header.ljust(117) + "\n"
    path = tmp_path / "t.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode())
    with pytest.raises(CalmError, match="truncated"):
        read_recording(path, frame_rate_hz=5)


def test_pickles_in_any_place_of_a_recording_are_refused(tmp_path, recording):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    hostile = np.array([Payload()], dtype=object)
    np.savez(tmp_path / "t.npz", traces=hostile, fps=5.0)
    np.save(tmp_path / "t.npy", hostile, allow_pickle=True)
    np.savez(tmp_path / "b.npz", speed=hostile)
    for read in (
        lambda: read_traces_npz(tmp_path / "t.npz"),
        lambda: read_recording(tmp_path / "t.npy", frame_rate_hz=5),
        lambda: with_behaviour(recording, tmp_path / "b.npz"),
    ):
        with pytest.raises(CalmError):
            read()
    assert not (tmp_path / "ran").exists()


EVERY_WAY = (
    describe,
    lambda path: read_recording(path, frame_rate_hz=5),
    open_movie,
    read_rois,
)


def refused(path, match):
    """Check that every way in says what is wrong with a path, and names it."""
    for look in EVERY_WAY:
        with pytest.raises(CalmError, match=match) as caught:
            look(path)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["m.tif", "m.h5", "t.npz", "t.csv", "r.zip", "m.nwb"])
def test_pipes_are_refused_and_nobody_waits_for_them(tmp_path, name, recording):
    os.mkfifo(tmp_path / name)
    refused(tmp_path / name, f"{name}: is neither a file nor a folder but a pipe or a device")
    with pytest.raises(CalmError, match="a pipe or a device"):
        with_behaviour(recording, tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("name", ["m.tif", "m.zarr", "suite2p", "t.npz"])
def test_links_that_lead_nowhere_are_told(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / name)
    refused(tmp_path / name, "symbolic links")
    (tmp_path / f"dead_{name}").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / f"dead_{name}", "no such file")


def test_names_that_no_file_can_have_are_told(tmp_path):
    refused(tmp_path / ("n" * 300 + ".tif"), "cannot be read|no such file")
    refused(tmp_path / "a\0b.tif", "cannot be read")


def test_files_that_may_not_be_read_are_told(tmp_path, monkeypatch):
    path = tmp_path / "m.tif"
    tiff(path)

    def forbidden(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", forbidden)
    refused(path, r"cannot be read \(Permission denied\).*rights")


@pytest.mark.parametrize("suffix", ["tif", "nwb", "h5", "npz", "csv", "zip", "npy", "zarr"])
def test_an_empty_folder_with_the_name_of_a_file_is_told(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    path.mkdir()
    refused(path, "folder")


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((10, 10**6, 10**6), (1, 100, 100)), ((10**13, 4, 4), (1, 4, 4)), ((0, 4, 4), (1, 4, 4))],
)
def test_zarr_arrays_of_any_announced_size_take_no_memory(tmp_path, shape, chunks):
    zarr.create_array(tmp_path / "m.zarr", shape=shape, dtype="u2", chunks=chunks)
    said = told(open_movie, tmp_path / "m.zarr")
    assert said is None or str(tmp_path) in said
    # 10^13 empty frames of 4 x 4 are a sound file, and nothing of it is read.
    assert (said is None) == (shape[0] == 10**13)


@pytest.mark.parametrize("shape", [(10**4, 10**4, 10**4), (10**12, 2, 2), (4, 10**6, 10**6)])
@pytest.mark.parametrize("in_chunks", [True, False])
def test_hdf5_numbers_that_are_announced_but_not_there_are_told(tmp_path, shape, in_chunks):
    chunks = tuple(min(side, 100) for side in shape) if in_chunks else None
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("mov", shape, "u2", chunks=chunks)
    with pytest.raises(CalmError, match=r"m\.h5.*announces"):
        open_movie(tmp_path / "m.h5")


def test_what_an_archive_calls_an_array_must_be_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("traces.npy", b"PK\x03\x04")
    with pytest.raises(CalmError, match=r"t\.npz.*traces in it is no array"):
        read_recording(tmp_path / "t.npz")


def test_an_archive_with_a_password_says_so(tmp_path):
    path = tmp_path / "locked.npz"
    np.savez(path, traces=np.ones((2, 50)), frame_rate_hz=5.0, speed=np.ones(50))
    content = bytearray(path.read_bytes())
    # The flag of the last entry in the table of contents.
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(CalmError, match=r"locked\.npz.*'speed\.npy'.*needs a password"):
        read_recording(path)


def test_zip_archives_that_would_fill_the_memory_are_not_opened(tmp_path):
    for name, member in (("t.npz", "traces.npy"), ("r.zip", "a.roi")):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            info = zipfile.ZipInfo(member)
            archive.writestr(info, b"Iout" + bytes(1000), zipfile.ZIP_DEFLATED)
        contents = (tmp_path / name).read_bytes()
        # The table of contents announces 3 GB, as a bomb's does, for the same bytes.
        announced = contents.replace(struct.pack("<I", 1004), struct.pack("<I", 3 * 2**30))
        (tmp_path / name).write_bytes(announced)
        with pytest.raises(CalmError, match=f"{name}.*would become 3221225472"):
            describe(tmp_path / name)
