import numpy as np
import pytest
import tifffile

from napari_calm.core.errors import RecordingError
from napari_calm.io.scanimage import parse_scanimage
from napari_calm.io.tiff import read_movie
from napari_calm.io.tiff_files import read_movie_files

PLAIN = "SI.VERSION_MAJOR = 2020\nSI.hRoiManager.scanFrameRate = 30.5\n"
TWO_CHANNELS = PLAIN + "SI.hChannels.channelSave = [2;4]\n"
# Three planes and one frame of flyback; a slice count of an earlier stack is left over.
VOLUMES = TWO_CHANNELS + (
    "SI.hStackManager.enable = true\nSI.hFastZ.enable = true\n"
    "SI.hStackManager.numSlices = 11\nSI.hStackManager.actualNumSlices = 3\n"
    "SI.hStackManager.framesPerSlice = 1\n"
    "SI.hStackManager.numFramesPerVolume = 3\n"
    "SI.hStackManager.numFramesPerVolumeWithFlyback = 4\n"
    "SI.hRoiManager.scanVolumeRate = 7.625\n"
)


def write_scanimage(path, frames, header, **options):
    with tifffile.TiffWriter(path, **options) as tif:
        for frame in frames:
            tif.write(
                frame,
                contiguous=False,
                metadata=None,
                photometric="minisblack",
                software=header,
            )
    return path


@pytest.mark.parametrize("bigtiff", [False, True])
def test_channels_take_turns_and_go_by_their_own_numbers(tmp_path, frames, bigtiff):
    path = write_scanimage(tmp_path / "m.tif", frames, TWO_CHANNELS, bigtiff=bigtiff)
    with pytest.raises(RecordingError, match=r"found 2 channels \(2, 4\).*--channel"):
        read_movie(path)
    with pytest.raises(RecordingError, match="no channel 1; found channel 2, 4"):
        read_movie(path, channel=1)
    movie = read_movie(path, channel=4)
    np.testing.assert_array_equal(movie.frames, frames[1::2])
    assert movie.frame_rate_hz == 30.5


def test_planes_take_turns_and_flyback_is_left_out(tmp_path, frames):
    # 40 pages are 5 volumes of (3 planes + 1 flyback) x 2 channels.
    path = write_scanimage(tmp_path / "m.tif", frames, VOLUMES, bigtiff=True)
    with pytest.raises(RecordingError, match=r"found 3 planes \(1, 2, 3\)"):
        read_movie(path, channel=2)
    movie = read_movie(path, channel=4, plane=3)
    np.testing.assert_array_equal(movie.frames, frames[5::8])
    assert movie.frame_rate_hz == 7.625


def test_a_volume_that_was_cut_off_gives_the_planes_that_are_there(tmp_path, frames):
    path = write_scanimage(tmp_path / "m.tif", frames[:11], VOLUMES, bigtiff=True)
    assert read_movie(path, channel=2, plane=2).n_frames == 2
    assert read_movie(path, channel=2, plane=3).n_frames == 1


def test_volumes_go_on_from_file_to_file(tmp_path, frames):
    paths = [
        write_scanimage(tmp_path / f"m_{i}.tif", part, VOLUMES, bigtiff=True)
        for i, part in enumerate((frames[:13], frames[13:]))
    ]
    movie = read_movie_files(paths, name="m", source="m", channel=2, plane=1)
    np.testing.assert_array_equal(movie.frames, frames[::8])


def test_frames_averaged_before_saving_lower_the_rate():
    assert parse_scanimage(PLAIN + "SI.hScan2D.logAverageFactor = 2").frame_rate_hz == 15.25


def test_the_rate_of_a_plane_is_that_of_the_volumes():
    without = VOLUMES.replace("scanVolumeRate", "nothing")
    assert parse_scanimage(without).frame_rate_hz == pytest.approx(30.5 / 4)


def test_a_slow_stack_has_several_frames_a_slice_and_no_even_rate():
    header = VOLUMES.replace("hFastZ.enable = true", "hFastZ.enable = false").replace(
        "framesPerSlice = 1", "framesPerSlice = 5"
    )
    found = parse_scanimage(header)
    assert (found.planes, found.frames_per_slice, found.flyback_frames) == (3, 5, 0)
    assert found.frame_rate_hz is None
    # Channel 2, plane 2: frames 5 to 9 of 15, each in two channels.
    np.testing.assert_array_equal(found.pages_of(0, 1, 0, 30), np.arange(10, 20, 2))


def test_the_pixel_size_is_the_field_of_view_over_its_pixels():
    field = "SI.hRoiManager.imagingFovUm = [-256 -200;256 -200;256 200;-256 200]\n"
    header = PLAIN + field + "SI.hRoiManager.pixelsPerLine = 512\n"
    assert parse_scanimage(header).pixel_size_um == 1.0
    assert parse_scanimage(PLAIN).pixel_size_um is None


def test_settings_of_version_3_are_read():
    found = parse_scanimage("state.acq.frameRate=15.6\rstate.acq.x=1".replace("\r", "\n"))
    assert found.frame_rate_hz == 15.6
