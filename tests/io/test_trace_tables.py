import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.io.read import describe, read_recording
from napari_calm.io.trace_tables import trace_table, write_traces


@pytest.fixture
def table(recording):
    return trace_table(recording)


def test_a_table_of_traces_comes_back(tmp_path, recording):
    write_traces(recording, tmp_path / "t.csv")
    found = read_recording(tmp_path / "t.csv")
    np.testing.assert_allclose(found.traces, recording.traces, rtol=1e-6)
    assert found.frame_rate_hz == pytest.approx(7.5)
    assert found.timestamps_s is None
    assert list(pd.read_csv(tmp_path / "t.csv").columns) == [
        "time_s",
        "neuron_3",
        "neuron_7",
        "neuron_9",
    ]


def test_parquet_too(tmp_path, recording):
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow (napari-calm[parquet])")
    write_traces(recording, tmp_path / "t.parquet")
    found = read_recording(tmp_path / "t.parquet")
    np.testing.assert_array_equal(found.traces, recording.traces)
    assert describe(tmp_path / "t.parquet")["n_rows"] == 40


def test_tabs_frame_numbers_and_a_column_without_name_are_no_neurons(tmp_path, table):
    table.insert(0, "frame", np.arange(40))
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=True)
    assert read_recording(tmp_path / "t.tsv").n_neurons == 3


def test_irregular_times_are_kept(tmp_path, table):
    table.loc[20:, "time_s"] += 3
    table.to_csv(tmp_path / "t.csv", index=False)
    found = read_recording(tmp_path / "t.csv")
    np.testing.assert_allclose(found.timestamps_s, table["time_s"])
    assert "1 gaps" in found.notes[0]


def test_without_times_the_rate_is_asked_for(tmp_path, table):
    table.drop(columns="time_s").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(RecordingError, match="frame rate is not recorded"):
        read_recording(tmp_path / "t.csv")
    assert read_recording(tmp_path / "t.csv", frame_rate_hz=5).n_frames == 40


def test_an_array_is_neurons_by_frames_unless_it_is_said_otherwise(tmp_path, recording):
    np.save(tmp_path / "t.npy", recording.traces)
    np.save(tmp_path / "tt.npy", recording.traces.T)
    found = read_recording(tmp_path / "t.npy", frame_rate_hz=7.5)
    np.testing.assert_array_equal(found.traces, recording.traces)
    turned = read_recording(tmp_path / "tt.npy", frame_rate_hz=7.5, transpose=True)
    np.testing.assert_array_equal(turned.traces, recording.traces)
    doubtful = read_recording(tmp_path / "tt.npy", frame_rate_hz=7.5)
    assert "more neurons than frames" in doubtful.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("start_frame,stop_frame,cue\n0,5,a\n", "holds results or trials"),
        ("neuron,frame,mean_dff\n0,1,0.5\n", "holds results or trials"),
        ("a,b\n1,x\n2,y\n", "the columns b hold text"),
        ("time_s,a\n2,1\n1,2\n", "must be finite and ascend; frame 1"),
        ("", "not a readable CSV"),
        ("time_s\n1\n2\n", "found nothing"),
    ],
)
def test_other_tables_are_told(tmp_path, content, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(RecordingError, match=message):
        read_recording(tmp_path / "t.csv", frame_rate_hz=None)


def test_other_endings_are_refused(tmp_path, recording):
    with pytest.raises(CalmError, match=r"\.csv or \.parquet"):
        write_traces(recording, tmp_path / "t.xlsx")
