import dask.array as da
import numpy as np
import pytest

from napari_calm.io.frames_on_demand import FramesOnDemand


class Counted:
    """Frames that remember which blocks were read."""

    def __init__(self, frames):
        self.frames, self.blocks = frames, []

    def read(self, start, stop):
        self.blocks.append((start, stop))
        return self.frames[start:stop]

    def on_demand(self, **options):
        return FramesOnDemand(self.frames.shape, self.frames.dtype, self.read, **options)


@pytest.fixture
def counted(frames):
    return Counted(frames)


KEYS = (
    *(3, -1, slice(None), slice(5, 17), slice(30, 2, -7), slice(4, 4), [7, 2, 2, 39]),
    *((slice(2, 9), 5), (..., 4), (6, slice(3, 9), ...), (slice(None, None, 9), ..., 3)),
    *((np.int64(4), slice(None), slice(1, 3)), (slice(1, 30, 4), slice(None), slice(2, 8))),
)


@pytest.mark.parametrize("per_chunk", [1, 8, 400])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_slices_are_those_of_numpy(counted, frames, key, per_chunk):
    found = counted.on_demand(frames_per_chunk=per_chunk)[key]
    np.testing.assert_array_equal(found, frames[key])
    assert found.shape == frames[key].shape


def test_one_frame_reads_one_frame_and_neighbours_in_a_chunk_are_read_once(counted):
    np.asarray(counted.on_demand()[7])
    assert counted.blocks == [(7, 8)]
    counted.blocks.clear()
    lazy = counted.on_demand(frames_per_chunk=8)
    for frame in range(8, 18):
        lazy[frame][:] = 0
    assert counted.blocks == [(8, 16), (16, 24)]
    # What was given away is a copy.
    assert lazy[17].any()


def test_an_image_across_time_never_holds_the_whole_movie(counted, frames, monkeypatch):
    monkeypatch.setattr("napari_calm.io.frames_on_demand._MOST_BLOCK_BYTES", frames[:4].nbytes)
    np.testing.assert_array_equal(counted.on_demand()[:, 3], frames[:, 3])
    assert max(stop - start for start, stop in counted.blocks) == 4


def test_dask_takes_it_as_it_is(counted, frames):
    lazy = counted.on_demand()
    mean = da.from_array(lazy, chunks=(10, -1, -1)).mean(axis=0)
    np.testing.assert_allclose(mean.compute(), frames.mean(axis=0))
    assert (len(lazy), lazy.size, lazy.nbytes) == (len(frames), frames.size, frames.nbytes)


def test_too_many_indices_are_refused(counted):
    with pytest.raises(IndexError, match="4 for 3 axes"):
        counted.on_demand()[0, 0, 0, 0]
