from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.explore.cluster import cluster
from napari_calm.explore.embed import embed
from napari_calm.explore.files import (
    read_clusters,
    read_embedding,
    read_selectivity,
    read_trajectories,
    write_clusters,
    write_embedding,
    write_selectivity,
    write_trajectories,
)
from napari_calm.explore.selectivity import selectivity
from napari_calm.explore.trajectories import trajectories
from napari_calm.io.describe import describe


@pytest.fixture(scope="module")
def results(model, task):
    return {
        "embedding": embed(model, task, source="task", resamplings=2),
        "selectivity": selectivity(task, "cue", draws=20),
        "trajectories": trajectories(model, task, by="cue"),
        "plain trajectories": trajectories(model, task),
        "clusters": cluster(model, task, n_clusters=3, resamplings=2),
    }


FILES = {
    "embedding": (write_embedding, read_embedding),
    "selectivity": (write_selectivity, read_selectivity),
    "trajectories": (write_trajectories, read_trajectories),
    "plain trajectories": (write_trajectories, read_trajectories),
    "clusters": (write_clusters, read_clusters),
}


@pytest.mark.parametrize("name", FILES)
def test_every_field_survives_the_archive(results, tmp_path, name):
    write, read = FILES[name]
    write(results[name], tmp_path / "out.npz")
    back = read(tmp_path / "out.npz")
    for field in fields(back):
        value, other = getattr(back, field.name), getattr(results[name], field.name)
        assert type(value) is type(other), field.name
        np.testing.assert_array_equal(value, other, err_msg=field.name)


@pytest.mark.parametrize("name", FILES)
def test_the_table_has_a_row_for_each_neuron_or_frame(results, tmp_path, name, task):
    FILES[name][0](results[name], tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert len(table) == (task.n_frames if "trajectories" in name else 12)


def test_clusters_as_csv_bring_a_summary(results, tmp_path):
    write_clusters(results["clusters"], tmp_path / "out.csv")
    summary = pd.read_csv(tmp_path / "out.summary.csv")
    assert summary["neurons"].tolist() == results["clusters"].sizes.tolist()


@pytest.mark.parametrize(
    ("name", "kind", "fact"),
    [
        ("embedding", "neuron embedding", ("n_dimensions", 10)),
        ("selectivity", "selectivity", ("bins", ["left", "right"])),
        ("trajectories", "population trajectories", ("trial_types", ["left", "right"])),
        ("clusters", "clusters", ("n_clusters", 3)),
    ],
)
def test_the_archives_are_described(results, tmp_path, name, kind, fact):
    FILES[name][0](results[name], tmp_path / "out.npz")
    facts = describe(tmp_path / "out.npz")
    assert facts["kind"] == kind
    assert facts[fact[0]] == fact[1]


def test_other_archives_and_endings_are_told(results, tmp_path):
    write_embedding(results["embedding"], tmp_path / "out.npz")
    with pytest.raises(CalmError, match="not a Clusters archive; labels"):
        read_clusters(tmp_path / "out.npz")
    with pytest.raises(CalmError, match=r"\.npz or \.csv; found the ending '\.xlsx'"):
        write_clusters(results["clusters"], tmp_path / "out.xlsx")
