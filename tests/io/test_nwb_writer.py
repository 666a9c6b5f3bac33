import shutil
from dataclasses import replace
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.core.forecast import Forecast
from napari_calm.core.token_map import TokenMap
from napari_calm.io.nwb_writer import write_nwb
from napari_calm.io.read import read_recording

pynwb = pytest.importorskip("pynwb", reason="writing NWB needs pynwb (napari-calm[nwb])")


@pytest.fixture
def made(recording):
    """Tokens and a forecast of the recording."""
    zeros = np.zeros((3, 4))
    forecast = Forecast(
        zeros + 1, zeros[None], [0.5], zeros[None], 20, 7.5, zeros[:, 0], zeros[:, 0] + 1
    )
    tokens = TokenMap(np.arange(30).reshape(3, 10) % 16, 16, 4, 7.5, 7.5, 40)
    return {"tokens": tokens, "forecast": forecast, "groups": np.array([1, 0, -1])}


def test_a_recording_comes_back_whole(tmp_path, recording):
    write_nwb(recording, tmp_path / "r.nwb")
    found = read_recording(tmp_path / "r.nwb")
    np.testing.assert_array_equal(found.traces, recording.traces)
    np.testing.assert_allclose(
        found.footprints.weights.toarray(), recording.footprints.weights.toarray()
    )
    assert found.footprints.image_shape == recording.footprints.image_shape
    assert (found.frame_rate_hz, found.unit, found.timestamps_s) == (7.5, "dF/F", None)
    np.testing.assert_allclose(
        found.behaviour["velocity_mm_per_s"], recording.behaviour["velocity_mm_per_s"]
    )
    assert list(found.trials["cue"]) == ["left", "right"]
    assert list(found.trials["stop_frame"]) == [20, 40]


def test_pynwb_reads_what_was_written(tmp_path, recording, made):
    write_nwb(
        recording, tmp_path / "r.nwb", session_start=datetime(2025, 3, 1, tzinfo=UTC), **made
    )
    assert not pynwb.validate(path=str(tmp_path / "r.nwb"))
    with pynwb.NWBHDF5IO(tmp_path / "r.nwb", "r") as file:
        nwb = file.read()
        module = nwb.processing["napari_calm"]
        series = module["DfOverF"]["traces"]
        np.testing.assert_array_equal(series.data[:], recording.traces.T)
        table = series.rois.table
        assert list(table["cluster"][:]) == [1, 0, -1]
        assert list(table["roi_label"][:]) == [3, 7, 9]
        np.testing.assert_array_equal(
            module["tokens_of_neurons"]["tokens"].data[:], made["tokens"].tokens.T
        )
        forecast = module["forecast_of_neurons"]["forecast"]
        assert forecast.starting_time == pytest.approx(20 / 7.5)
        np.testing.assert_array_equal(forecast.data[:], 1)
        assert nwb.session_start_time == datetime(2025, 3, 1, tzinfo=UTC)
    again = read_recording(tmp_path / "r.nwb")
    np.testing.assert_array_equal(again.traces, recording.traces)


def test_a_copy_keeps_its_source_and_the_source_stays_as_it_is(tmp_path, recording, made):
    write_nwb(recording, tmp_path / "source.nwb")
    shutil.copy(tmp_path / "source.nwb", tmp_path / "before.nwb")
    with h5py.File(tmp_path / "source.nwb", "r+") as file:
        # As if another program had written it.
        file.move("processing/napari_calm", "processing/ophys")
        table = file["processing/ophys/ImageSegmentation/PlaneSegmentation"]
        file["processing/ophys/DfOverF/traces/rois"].attrs["table"] = table.ref
    before = (tmp_path / "source.nwb").read_bytes()
    write_nwb(recording, tmp_path / "copy.nwb", copy_of=tmp_path / "source.nwb", **made)
    assert (tmp_path / "source.nwb").read_bytes() == before
    with h5py.File(tmp_path / "copy.nwb") as file:
        np.testing.assert_array_equal(
            file["processing/ophys/DfOverF/traces/data"],
            file["processing/napari_calm/DfOverF/traces/data"],
        )
        assert "intervals/trials" in file


def test_timestamps_are_kept(tmp_path, recording):
    times = 5 + np.arange(40) / 7.5
    times[30:] += 1
    write_nwb(replace(recording, timestamps_s=times), tmp_path / "r.nwb")
    np.testing.assert_allclose(read_recording(tmp_path / "r.nwb").timestamps_s, times)


def test_traces_without_rois_or_of_another_unit_are_written(tmp_path, recording):
    write_nwb(replace(recording, footprints=None), tmp_path / "bare.nwb")
    with h5py.File(tmp_path / "bare.nwb") as file:
        series = file["processing/napari_calm/traces"]
        np.testing.assert_array_equal(series["data"], recording.traces.T)
    write_nwb(replace(recording, unit="a.u."), tmp_path / "raw.nwb")
    found = read_recording(tmp_path / "raw.nwb")
    np.testing.assert_array_equal(found.traces, recording.traces)
    assert found.unit == "a.u."


def test_a_failure_leaves_the_old_file(tmp_path, recording):
    (tmp_path / "r.nwb").write_text("old")
    (tmp_path / "bad.nwb").write_text("no NWB")
    with pytest.raises(CalmError, match=r"bad\.nwb: pynwb cannot add to a copy of it"):
        write_nwb(recording, tmp_path / "r.nwb", copy_of=tmp_path / "bad.nwb")
    assert (tmp_path / "r.nwb").read_text() == "old"
    assert not list(tmp_path.glob(".partial-*"))


def test_parts_of_another_recording_are_refused(tmp_path, recording):
    with pytest.raises(CalmError, match="clusters of 2 neurons for a recording of 3"):
        write_nwb(recording, tmp_path / "r.nwb", groups=np.array([0, 1]))
    with pytest.raises(CalmError, match=r"end in \.nwb"):
        write_nwb(recording, tmp_path / "r.h5")
