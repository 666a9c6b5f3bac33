import gc
import os

import numpy as np
import pytest
import tifffile

from napari_calm.core.errors import RecordingError
from napari_calm.io.tiff_files import read_movie_files, tiff_files_in

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")


def write(path, frames, **options):
    tifffile.imwrite(
        path, frames, photometric="minisblack", metadata={"axes": "TYX", "fps": 8.0}, **options
    )


def read(folder, **options):
    return read_movie_files(tiff_files_in(folder), name="run", source=str(folder), **options)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_parts_are_joined_in_the_order_people_count(tmp_path, frames, options):
    parts = {"run_2": frames[:15], "run_10": frames[15:39], "run_11": frames[39:]}
    for name, part in parts.items():
        write(tmp_path / f"{name}.tif", part, **options)
    (tmp_path / "notes.txt").write_text("not a movie")
    movie = read(tmp_path)
    assert movie.frames.chunks == (1, 24, 32)
    np.testing.assert_array_equal(movie.frames, frames)
    assert movie.frame_rate_hz == 8


def test_a_file_a_frame_is_a_movie(tmp_path, frames):
    for number, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"frame{number}.tif", frame)
    movie = read(tmp_path)
    np.testing.assert_array_equal(movie.frames, frames)
    np.testing.assert_array_equal(movie.frames[7:9, 3:5], frames[7:9, 3:5])


def test_an_ome_movie_over_several_files_is_not_read_twice(tmp_path, frames):
    names = ["a.ome.tif", "b.ome.tif"]
    planes = "".join(
        f'<TiffData FirstT="{t}" FirstC="0" FirstZ="0" IFD="{t % 20}" PlaneCount="1">'
        f'<UUID FileName="{names[t // 20]}">urn:uuid:{t // 20}</UUID></TiffData>'
        for t in range(40)
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:0"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        'Type="uint16" SizeX="32" SizeY="24" SizeZ="1" SizeC="1" SizeT="40">'
        f"{planes}</Pixels></Image></OME>"
    )
    for name, part in zip(names, (frames[:20], frames[20:]), strict=True):
        with tifffile.TiffWriter(tmp_path / name) as tif:
            for frame in part:
                tif.write(frame, contiguous=False, metadata=None, description=xml)
    np.testing.assert_array_equal(read(tmp_path).frames, frames)


def test_a_file_of_another_size_is_named(tmp_path, frames):
    write(tmp_path / "run_1.tif", frames)
    write(tmp_path / "run_2.tif", frames[:, :20])
    with pytest.raises(RecordingError, match=r"run_2\.tif: found frames of \(20, 32\)"):
        read(tmp_path)


def test_an_image_of_another_size_is_named_at_once_or_when_it_is_read(tmp_path, frames):
    tifffile.imwrite(tmp_path / "f1.tif", frames[0])
    tifffile.imwrite(tmp_path / "f2.tif", frames[0].T)
    movie = read(tmp_path)
    with pytest.raises(RecordingError, match=r"f2\.tif: found an image of shape \(32, 24\)"):
        np.asarray(movie.frames)
    tifffile.imwrite(tmp_path / "f2.tif", frames[0, :9])
    with pytest.raises(RecordingError, match=r"f2\.tif: found an image of shape \(9, 32\)"):
        read(tmp_path)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
def test_no_file_stays_open(tmp_path, frames):
    write(tmp_path / "run_1.tif", frames, compression="zlib")
    write(tmp_path / "run_2.tif", frames)
    movie = read(tmp_path)
    np.asarray(movie.frames[::7])
    del movie
    gc.collect()
    opened = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
    assert not [path for path in opened if path.startswith(str(tmp_path))]
