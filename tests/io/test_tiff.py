import gc
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from napari_calm.core.errors import RecordingError
from napari_calm.io.tiff import read_movie

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")


def write_pages(path, frames, **options):
    with tifffile.TiffWriter(path, byteorder=options.pop("byteorder", None)) as tif:
        for frame in frames:
            tif.write(
                frame, contiguous=False, metadata=None, photometric="minisblack", **options
            )


WRITERS = {
    "contiguous": lambda p, f: tifffile.imwrite(
        p, f, photometric="minisblack", metadata={"axes": "TYX"}
    ),
    "big_endian": lambda p, f: tifffile.imwrite(
        p, f, photometric="minisblack", byteorder=">", metadata={"axes": "TYX"}
    ),
    "bigtiff": lambda p, f: tifffile.imwrite(p, f, photometric="minisblack", bigtiff=True),
    "compressed": lambda p, f: tifffile.imwrite(
        p, f, photometric="minisblack", compression="zlib", metadata={"axes": "TYX"}
    ),
    "tiled": lambda p, f: tifffile.imwrite(p, f, photometric="minisblack", tile=(16, 16)),
    "imagej": lambda p, f: tifffile.imwrite(p, f, imagej=True, metadata={"axes": "TYX"}),
    "imagej_z_stack": lambda p, f: tifffile.imwrite(
        p, f, imagej=True, metadata={"axes": "ZYX"}
    ),
    "one_channel": lambda p, f: tifffile.imwrite(
        p, f[:, None], imagej=True, metadata={"axes": "TCYX"}
    ),
    "ome": lambda p, f: tifffile.imwrite(p, f, ome=True, metadata={"axes": "TYX"}),
    "ome_compressed": lambda p, f: tifffile.imwrite(
        p, f, ome=True, compression="zlib", metadata={"axes": "TYX"}
    ),
    "pages": write_pages,
    "pages_big_endian": lambda p, f: write_pages(p, f, byteorder=">"),
    "pages_compressed": lambda p, f: write_pages(p, f, compression="zlib"),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_frames_that_were_written(tmp_path, frames, layout):
    path = tmp_path / "movie.tif"
    WRITERS[layout](path, frames)
    movie = read_movie(path)
    assert movie.frames.shape == frames.shape
    np.testing.assert_array_equal(np.asarray(movie.frames), frames)
    np.testing.assert_array_equal(np.asarray(movie.frames[7:11, 3:9]), frames[7:11, 3:9])
    assert movie.frame_rate_hz is None


def test_contiguous_movies_are_mapped_and_others_chunked_by_page(tmp_path, frames):
    WRITERS["contiguous"](tmp_path / "a.tif", frames)
    WRITERS["compressed"](tmp_path / "b.tif", frames)
    assert isinstance(read_movie(tmp_path / "a.tif").frames, np.memmap)
    lazy = read_movie(tmp_path / "b.tif").frames
    assert lazy.chunks == (1, *frames.shape[1:])


@pytest.mark.parametrize("layout", ["contiguous", "compressed", "pages"])
def test_frames_can_be_read_from_several_threads(tmp_path, frames, layout):
    path = tmp_path / "movie.tif"
    WRITERS[layout](path, frames)
    movie = read_movie(path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: np.asarray(movie.frames[i]), [*range(40)] * 3))
    np.testing.assert_array_equal(found, np.concatenate([frames] * 3))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs a list of open files")
@pytest.mark.parametrize("layout", ["contiguous", "compressed", "pages"])
def test_the_file_is_closed_when_the_movie_is_gone(tmp_path, frames, layout):
    path = tmp_path / "movie.tif"
    WRITERS[layout](path, frames)
    movie = read_movie(path)
    np.asarray(movie.frames[3])
    del movie
    gc.collect()
    opened = [os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")]
    assert str(path) not in opened


UNITS = {
    "imagej_interval": ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 0.05}}, 20),
    "imagej_interval_before_fps": (
        {"imagej": True, "metadata": {"axes": "TYX", "finterval": 0.05, "fps": 7.0}},
        20,
    ),
    "imagej_fps": ({"imagej": True, "metadata": {"axes": "TYX", "fps": 12.5}}, 12.5),
    "imagej_ms": (
        {"imagej": True, "metadata": {"axes": "TYX", "finterval": 40.0, "tunit": "ms"}},
        25,
    ),
    "imagej_zero": ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 0.0}}, None),
    "ome": ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 0.1}}, 10),
    "ome_ms": (
        {
            "ome": True,
            "metadata": {"axes": "TYX", "TimeIncrement": 50.0, "TimeIncrementUnit": "ms"},
        },
        20,
    ),
    "plain": ({"photometric": "minisblack", "metadata": {"axes": "TYX", "fps": 6.0}}, 6),
}


@pytest.mark.parametrize("writer", UNITS)
def test_the_frame_rate_is_taken_from_the_metadata(tmp_path, frames, writer):
    options, expected = UNITS[writer]
    tifffile.imwrite(tmp_path / "movie.tif", frames, **options)
    assert read_movie(tmp_path / "movie.tif").frame_rate_hz == pytest.approx(expected)


def test_the_given_frame_rate_goes_before_the_recorded_one(tmp_path, frames):
    tifffile.imwrite(tmp_path / "m.tif", frames, imagej=True, metadata={"fps": 6.0})
    assert read_movie(tmp_path / "m.tif", frame_rate_hz=9).frame_rate_hz == 9
    with pytest.raises(RecordingError, match="frame rate is 0"):
        read_movie(tmp_path / "m.tif", frame_rate_hz=0)


def test_the_pixel_size_is_taken_from_imagej_and_ome(tmp_path, frames):
    tifffile.imwrite(
        tmp_path / "imagej.tif",
        frames,
        imagej=True,
        resolution=(1 / 1.25, 1 / 1.25),
        metadata={"axes": "TYX", "unit": "um"},
    )
    tifffile.imwrite(
        tmp_path / "ome.tif",
        frames,
        ome=True,
        metadata={"axes": "TYX", "PhysicalSizeX": 800.0, "PhysicalSizeXUnit": "nm"},
    )
    assert read_movie(tmp_path / "imagej.tif").pixel_size_um == pytest.approx(1.25, rel=1e-4)
    assert read_movie(tmp_path / "ome.tif").pixel_size_um == pytest.approx(0.8)


@pytest.mark.parametrize("content", [b"", b"not an image at all", b"PK\x03\x04 zip"])
def test_a_file_that_is_no_tiff_is_named(tmp_path, content):
    path = tmp_path / "movie.tif"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"movie\.tif: not a TIFF file"):
        read_movie(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordingError, match="no such file"):
        read_movie(tmp_path / "movie.tif")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.6, 0.97])
@pytest.mark.parametrize(
    "layout", ["contiguous", "compressed", "imagej", "ome", "pages", "pages_compressed"]
)
def test_a_truncated_file_is_told(tmp_path, frames, layout, share):
    path = tmp_path / "movie.tif"
    WRITERS[layout](path, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(RecordingError, match=r"movie\.tif: the TIFF file is truncated"):
        read_movie(path)


def test_the_message_on_truncation_counts_frames_and_bytes(tmp_path, frames):
    path = tmp_path / "movie.tif"
    write_pages(path, frames, compression="zlib")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(
        RecordingError,
        match=rf"Expected 40 frames; found 39.*ends at byte {len(whole)}, "
        rf"the file at byte {len(whole) - 100}",
    ):
        read_movie(path)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("contiguous", "Expected at least {end} bytes for 40 frames; found {size} bytes"),
        ("imagej", r"says shape \(40, 24, 32\); found \(24, 32\)"),
    ],
)
def test_missing_data_behind_a_single_page_header_is_told(tmp_path, frames, layout, message):
    # ImageJ's way for files above 4 GB: one page header, all frames behind it.
    path = tmp_path / "movie.tif"
    WRITERS[layout](path, frames)
    with tifffile.TiffFile(path) as tif:
        end = tif.series[0].dataoffset + frames.nbytes
        first = tif.pages.first
        link = first.offset + 2 + 12 * len(first.tags)
    cut = bytearray(path.read_bytes()[: end - 1000])
    cut[link : link + 4] = bytes(4)
    path.write_bytes(cut)
    with pytest.raises(RecordingError, match=message.format(end=end, size=end - 1000)):
        read_movie(path)


def test_a_stack_that_tifffile_calls_channels_is_a_movie(tmp_path, frames):
    tifffile.imwrite(tmp_path / "m.tif", frames, imagej=True, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_movie(tmp_path / "m.tif").frames, frames)
    tifffile.imwrite(tmp_path / "c.tif", frames[:3], imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(RecordingError, match="C = 3"):
        read_movie(tmp_path / "c.tif")


def test_a_single_image_is_no_movie(tmp_path, frames):
    tifffile.imwrite(tmp_path / "image.tif", frames[0])
    with pytest.raises(RecordingError, match=r"24 x 32 pixels.*not a movie"):
        read_movie(tmp_path / "image.tif")


@pytest.mark.parametrize(("axes", "what"), [("TCYX", "channel"), ("TZYX", "plane")])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_one_of_several_channels_or_planes_is_chosen(tmp_path, frames, axes, what, options):
    stack = frames.reshape(20, 2, *frames.shape[1:])
    tifffile.imwrite(
        tmp_path / "m.ome.tif", stack, ome=True, metadata={"axes": axes}, **options
    )
    with pytest.raises(RecordingError, match=rf"found 2 {what}s \(1, 2\).*--{what} NUMBER"):
        read_movie(tmp_path / "m.ome.tif")
    for number in (1, 2):
        found = read_movie(tmp_path / "m.ome.tif", **{what: number})
        np.testing.assert_array_equal(found.frames, stack[:, number - 1])
    with pytest.raises(RecordingError, match=rf"there is no {what} 3; found {what} 1, 2"):
        read_movie(tmp_path / "m.ome.tif", **{what: 3})


def test_channel_and_plane_are_chosen_together(tmp_path, frames):
    stack = frames[:36].reshape(6, 3, 2, *frames.shape[1:])
    tifffile.imwrite(tmp_path / "m.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
    found = read_movie(tmp_path / "m.tif", channel=2, plane=3)
    np.testing.assert_array_equal(found.frames, stack[:, 2, 1])
    with pytest.raises(RecordingError, match="found 3 planes"):
        read_movie(tmp_path / "m.tif", channel=2)


def test_a_choice_that_a_plain_movie_does_not_offer_is_told(tmp_path, frames):
    tifffile.imwrite(tmp_path / "m.tif", frames, photometric="minisblack")
    assert read_movie(tmp_path / "m.tif", channel=1, plane=1).n_frames == 40
    with pytest.raises(RecordingError, match="there is no channel 2; found channel 1"):
        read_movie(tmp_path / "m.tif", channel=2)


def test_unnamed_axes_are_not_guessed(tmp_path, frames):
    stack = frames.reshape(20, 2, *frames.shape[1:])
    tifffile.imwrite(tmp_path / "m.tif", stack, photometric="minisblack")
    with pytest.raises(RecordingError, match=r"Q = 20 \(unnamed\), Q = 2"):
        read_movie(tmp_path / "m.tif", channel=1)


def test_colour_movies_are_refused(tmp_path, rng):
    colour = rng.integers(0, 255, (5, 24, 32, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", colour, photometric="rgb", metadata={"axes": "TYXS"})
    with pytest.raises(RecordingError, match="S = 3"):
        read_movie(tmp_path / "m.tif")
