import numpy as np
import pytest
import tifffile

from napari_calm.core.errors import CalmError
from napari_calm.core.progress import run
from napari_calm.extraction.extract import extract
from napari_calm.extraction.options import ExtractionOptions
from napari_calm.io.batch import extract_many_steps, jobs_for
from napari_calm.io.labels import write_footprints
from napari_calm.io.movies import open_movie
from napari_calm.io.read import read_recording

NEUROPIL = ExtractionOptions(neuropil_coefficient=0.5)


@pytest.fixture
def movies(tmp_path, frames, footprints):
    """Three movies, the second cut short, each with ROIs of its own name."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"mouse{number}.tif")
        shifted = np.roll(frames, number, axis=0)
        tifffile.imwrite(paths[-1], shifted, photometric="minisblack", metadata={"fps": 7.5})
        write_footprints(footprints, tmp_path / f"mouse{number}_rois.npz")
    paths[1].write_bytes(paths[1].read_bytes()[:5000])
    return paths


def check(made, tmp_path, footprints, movies):
    assert [bool(each.error) for each in made] == [False, True, False]
    assert "mouse1.tif" in made[1].error
    assert "truncated" in made[1].error
    for number in (0, 2):
        expected = extract(open_movie(movies[number]), footprints, neuropil_coefficient=0.5)
        found = read_recording(tmp_path / "out" / f"mouse{number}.npz")
        np.testing.assert_array_equal(found.traces, expected.traces)
    assert not (tmp_path / "out" / "mouse1.npz").exists()


def test_local_processes_extract_all_but_the_damaged_movie(tmp_path, movies, footprints):
    rois = str(tmp_path / "{name}_rois.npz")
    jobs = jobs_for(movies, rois, tmp_path / "out", extraction=NEUROPIL)
    made = run(extract_many_steps(jobs, workers=2))
    check(made, tmp_path, footprints, movies)


@pytest.mark.filterwarnings("ignore")
def test_two_workers_of_a_dask_cluster_do_the_same(tmp_path, movies, footprints):
    distributed = pytest.importorskip(
        "distributed", reason="needs distributed (napari-calm[cluster])"
    )
    jobs = jobs_for(
        movies, str(tmp_path / "{name}_rois.npz"), tmp_path / "out", extraction=NEUROPIL
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        made = run(extract_many_steps(jobs, scheduler=cluster.scheduler_address))
    check(made, tmp_path, footprints, movies)


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_does_not_answer_is_told(movies, tmp_path):
    pytest.importorskip("distributed", reason="needs distributed (napari-calm[cluster])")
    jobs = jobs_for(movies, "r.npz", tmp_path)
    with pytest.raises(CalmError, match="no Dask scheduler answers there"):
        run(extract_many_steps(jobs, scheduler="nonsense"))


def test_movies_of_one_name_are_refused(tmp_path):
    with pytest.raises(CalmError, match=r"1 names \(run\)"):
        jobs_for([tmp_path / "a" / "run.tif", tmp_path / "b" / "run.tif"], "r.npz", tmp_path)
