import json

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_calm.cli import main
from napari_calm.core.footprints import Footprints
from napari_calm.core.recording import Recording
from napari_calm.io.labels import write_footprints
from napari_calm.io.read import read_recording
from napari_calm.io.traces import write_recording


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line; returns exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["napari-calm", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def footprints():
    labels = np.zeros((24, 32), int)
    labels[2:6, 3:8], labels[12:18, 20:26] = 1, 5
    return Footprints.from_label_image(labels)


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(50, 900, (30, 24, 32)).astype(np.uint16)


@pytest.fixture
def traces(tmp_path, footprints):
    values = np.random.default_rng(1).normal(size=(2, 60))
    write_recording(
        Recording(values, 6.0, name="r", footprints=footprints), tmp_path / "traces.npz"
    )
    return tmp_path / "traces.npz"


def test_info_tells_of_a_dataset_in_a_file_for_people_and_programs(run, tmp_path, frames):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["green"], file["red"] = frames, frames[:20]
    status, _, err = run("info", tmp_path / "m.h5")
    assert status == 1
    assert "/green, /red" in err
    status, out, _ = run("info", f"{tmp_path / 'm.h5'}::/red", "--json", "--frame-rate", 5)
    facts = json.loads(out)
    assert (facts["kind"], facts["n_frames"], facts["duration_s"]) == ("movie", 20, 4)
    status, out, _ = run("info", tmp_path / "m.h5", "--dataset", "green")
    assert status == 0
    assert "30" in out


def test_info_of_channels(run, tmp_path, frames):
    stack = np.stack([frames, frames], axis=1)
    tifffile.imwrite(tmp_path / "m.tif", stack, imagej=True, metadata={"axes": "TCYX"})
    status, _, err = run("info", tmp_path / "m.tif")
    assert (status, "--channel" in err) == (1, True)
    assert run("info", tmp_path / "m.tif", "--channel", 2)[0] == 0


def test_many_movies_are_extracted_into_a_folder_and_failures_are_told(
    run, tmp_path, frames, footprints
):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"day{number}.tif", frames, photometric="minisblack")
    (tmp_path / "day1.tif").write_bytes(b"II*\0broken")
    write_footprints(footprints, tmp_path / "rois.npz")
    status, out, err = run(
        "extract",
        tmp_path / "day*.tif",
        "--rois",
        tmp_path / "rois.npz",
        "--frame-rate",
        10,
        "--neuropil",
        0.7,
        "--workers",
        1,
        "--out",
        tmp_path / "out",
    )
    assert status == 1
    assert "1 of 3 movies could not be extracted" in err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["day0.npz", "day2.npz"]
    assert out.count("2 neurons x 30 frames at 10 Hz") == 2


def test_files_of_one_movie_are_joined(run, tmp_path, frames, footprints):
    for number, part in enumerate((frames[:9], frames[9:])):
        tifffile.imwrite(tmp_path / f"run_{number}.tif", part, photometric="minisblack")
    write_footprints(footprints, tmp_path / "rois.npz")
    arguments = ["extract", tmp_path / "run_*.tif", "--rois", tmp_path / "rois.npz"]
    arguments += ["--frame-rate", 10, "--out", tmp_path / "t.npz"]
    status, _, err = run(*arguments)
    assert (status, "--join" in err) == (1, True)
    assert run(*arguments, "--join")[0] == 0
    assert read_recording(tmp_path / "t.npz").n_frames == 30


def test_export_writes_what_the_name_asks_for(run, traces, tmp_path):
    pd.DataFrame({"speed": np.arange(60)}).to_csv(tmp_path / "b.csv", index=False)
    for name in ("t.csv", "r.zip", "s2p"):
        status, out, err = run("export", traces, "--out", tmp_path / name)
        assert (status, err.strip()) == (0, "")
        assert "2 neurons x 60 frames" in out
        assert (tmp_path / name).exists()
    run("export", traces, "--behaviour", tmp_path / "b.csv", "--out", tmp_path / "with.npz")
    assert list(read_recording(tmp_path / "with.npz").behaviour["speed"]) == list(range(60))
    status, _, err = run("export", traces, "--out", tmp_path / "t.docx")
    assert (status, "'.docx'" in err) == (1, True)


def test_what_a_reader_decided_is_said(run, tmp_path, traces):
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal(size=(50, 20)))
    arguments = ["export", tmp_path / "t.npy", "--frame-rate", 5, "--out", tmp_path / "t.csv"]
    assert "note: 50 neurons x 20 frames" in run(*arguments)[2]
    assert run(*arguments, "--transpose")[2].strip() == ""


def test_every_command_that_opens_a_recording_lets_its_axes_be_exchanged(run):
    for command in (
        *("info", "extract", "export", "tokenize", "forecast", "adapt"),
        *("embed", "cluster", "selectivity", "decode"),
    ):
        assert run(command, "--help")[0] == 0
        options = {
            name for each in app_command(command).params for name in getattr(each, "opts", ())
        }
        assert {"--transpose", "--channel", "--plane"} <= options, command


def app_command(name):
    """The click command behind a name."""
    import typer

    from napari_calm.cli.app import app

    return typer.main.get_command(app).commands[name]


def test_a_table_of_frames_by_neurons_is_read_either_way(run, tmp_path):
    values = np.random.default_rng(2).normal(size=(40, 3))
    np.save(tmp_path / "t.npy", values)
    arguments = ["--frame-rate", 5, "--column", "x", "--out", tmp_path / "s.csv"]
    status, _, err = run("selectivity", tmp_path / "t.npy", *arguments)
    assert status == 1
    assert "give --transpose" in err
    status, _, err = run("selectivity", tmp_path / "t.npy", "--transpose", *arguments)
    assert status == 1
    assert "give --transpose" not in err
