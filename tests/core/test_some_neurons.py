"""Results of some neurons: numbers stay, the others are not computed, files say so."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from napari_calm.analysis.skill import forecast_skill
from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.footprints import Footprints
from napari_calm.core.recording import Recording
from napari_calm.explore.cluster import cluster
from napari_calm.explore.embed import embed
from napari_calm.explore.files import (
    read_selectivity,
    write_clusters,
    write_embedding,
    write_selectivity,
)
from napari_calm.explore.selectivity import feature_table, selectivity
from napari_calm.explore.token_shapes import token_shapes
from napari_calm.io.results import read_forecast, read_tokens, write_forecast, write_tokens
from napari_calm.model.adaptation import Adaptation, load_adaptation
from napari_calm.model.calm import CalmModel

USED = np.array([0, 2, 3, 5])
LEFT_OUT = [1, 4]
ACCEPTED = np.array([True, False, True, True, False, False])


@pytest.fixture(scope="module")
def recording():
    rng = np.random.default_rng(4)
    pixels = [(np.array([1, 2]), np.array([n, n]), np.ones(2)) for n in range(6)]
    rois = Footprints.from_pixels(pixels, (8, 8), source="rois")
    return Recording(
        np.cumsum(rng.normal(size=(6, 300)), axis=1),
        6.0,
        footprints=replace(rois, label_values=np.arange(6) * 10 + 5),
        behaviour=pd.DataFrame({"speed": np.cumsum(rng.normal(size=300))}),
    )


@pytest.fixture(scope="module")
def model():
    return CalmModel.random(seed=3, context_frames=16, max_frames=64)


@pytest.fixture(scope="module")
def results(recording, model):
    """Return what is found in the part, and the same among all neurons."""
    part = recording.select(USED)
    found = {
        "tokens": model.tokenize(part),
        "forecast": model.forecast(part, start_frame=200, horizon_frames=8, samples=3),
        "selectivity": selectivity(part, "speed", draws=20),
    }
    return {name: (one, one.among(recording, USED)) for name, one in found.items()}


def test_all_but_some_are_left(recording):
    flags = recording.all_but(LEFT_OUT)
    np.testing.assert_array_equal(np.flatnonzero(flags), USED)
    np.testing.assert_array_equal(recording.select(flags).roi_labels, [5, 25, 35, 55])
    for impossible in ([6], [-1], range(6)):
        with pytest.raises(RecordingError, match=r"leave out|left out"):
            recording.all_but(impossible)


def test_numbers_stay_with_neurons_that_have_no_rois():
    bare = Recording(np.eye(5, 40), 6.0)
    part = bare.select(np.array([4, 1]))
    np.testing.assert_array_equal(part.roi_labels, [4, 1])
    np.testing.assert_array_equal(part.select(np.array([1])).roi_labels, [1])
    with pytest.raises(RecordingError, match="2 numbers of neurons"):
        Recording(np.eye(3, 40), 6.0, numbers=[1, 2])


@pytest.mark.parametrize("name", ["tokens", "forecast", "selectivity"])
def test_a_part_among_all_says_of_its_neurons_what_it_said(results, recording, name):
    part, whole = results[name]
    np.testing.assert_array_equal(np.flatnonzero(whole.known), USED)
    np.testing.assert_array_equal(whole.roi_labels, recording.roi_labels)
    by_flags = part.among(recording, recording.all_but(LEFT_OUT))
    for field in fields(part):
        alone, among = getattr(part, field.name), getattr(whole, field.name)
        np.testing.assert_array_equal(getattr(by_flags, field.name), among)
        if not isinstance(alone, np.ndarray) or field.name == "roi_labels":
            continue
        axes = [axis for axis, size in enumerate(among.shape) if size != alone.shape[axis]]
        if axes:
            np.testing.assert_array_equal(among.take(USED, axes[0]), alone)
            rest = among.take(LEFT_OUT, axes[0])
            assert np.isnan(rest).all() if rest.dtype.kind == "f" else (rest == -1).all()


def test_neurons_left_out_do_not_count(results, recording):
    tokens, among = results["tokens"]
    assert among.used_codes == tokens.used_codes
    shapes = token_shapes(recording, among)
    expected = token_shapes(recording.select(USED), tokens)
    np.testing.assert_array_equal(shapes.counts, expected.counts)
    np.testing.assert_allclose(shapes.waveforms, expected.waveforms)
    forecast, among = results["forecast"]
    np.testing.assert_allclose(
        forecast_skill(recording, among).mse,
        forecast_skill(recording.select(USED), forecast).mse,
    )
    assert forecast_skill(recording, among).coverage_90 == pytest.approx(
        forecast_skill(recording.select(USED), forecast).coverage_90
    )
    found, among = results["selectivity"]
    assert among.verdict() == found.verdict()
    assert (among.features()["speed: preferred"][LEFT_OUT] == "").all()
    np.testing.assert_array_equal(among.preferred[USED], found.preferred)


def test_a_result_of_no_neuron_or_with_holes_is_refused(results):
    tokens, forecast = results["tokens"][1], results["forecast"][1]
    with pytest.raises(CalmError, match="outside the codebook"):
        replace(tokens, tokens=np.full_like(tokens.tokens, -1))
    holes = tokens.tokens.copy()
    holes[0, 0] = -1
    with pytest.raises(CalmError, match="outside the codebook"):
        replace(tokens, tokens=holes)
    mean = forecast.mean.copy()
    mean[0, 0] = np.nan
    with pytest.raises(CalmError, match="not finite"):
        replace(forecast, mean=mean)
    with pytest.raises(CalmError, match="not finite"):
        replace(forecast, centre=np.full_like(forecast.centre, np.nan))
    with pytest.raises(CalmError, match="not finite"):
        replace(forecast, mean=np.ones_like(forecast.mean))


def test_clusters_are_not_described_by_tokens_of_some(results, recording, model):
    with pytest.raises(CalmError, match="tokens are of 4 neurons"):
        cluster(model, recording, tokens=results["tokens"][1], n_clusters=2, resamplings=2)


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("tokens", write_tokens, read_tokens),
        ("forecast", write_forecast, read_forecast),
        ("selectivity", write_selectivity, read_selectivity),
    ],
)
def test_files_keep_the_numbers_and_the_judgement(results, tmp_path, name, write, read):
    part, whole = results[name]
    write(whole, tmp_path / "out.npz", ACCEPTED)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["accepted"], ACCEPTED)
    back = read(tmp_path / "out.npz")
    for field in fields(back):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(whole, field.name))
    write(whole, tmp_path / "out.csv", ACCEPTED)
    table = pd.read_csv(tmp_path / "out.csv")
    assert list(table)[:3] == ["neuron", "roi_label", "accepted"]
    np.testing.assert_array_equal(table["accepted"], ACCEPTED[table["neuron"]])
    np.testing.assert_array_equal(table["roi_label"], table["neuron"] * 10 + 5)
    if name == "selectivity":
        assert table["speed: p"].isna().tolist() == (~whole.known).tolist()
    else:
        assert table["neuron"].unique().tolist() == USED.tolist()
        write(part, tmp_path / "part.csv")
        alone = pd.read_csv(tmp_path / "part.csv")
        pd.testing.assert_frame_equal(
            table.drop(columns=["neuron", "accepted"]), alone.drop(columns="neuron")
        )
    with pytest.raises(CalmError, match=r"3,.*for a result of 6"):
        write(whole, tmp_path / "bad.csv", np.ones(3, bool))
    assert not (tmp_path / "bad.csv").exists()


def test_embeddings_and_clusters_have_the_column_too(recording, model, tmp_path):
    embedding = embed(model, recording, source="mean", resamplings=2)
    clusters = cluster(model, recording, embedding=embedding, n_clusters=2, resamplings=2)
    for result, write in ((embedding, write_embedding), (clusters, write_clusters)):
        write(result, tmp_path / "out.csv", ACCEPTED)
        table = pd.read_csv(tmp_path / "out.csv")
        assert list(table)[2] == "accepted"
        assert table["accepted"].tolist() == ACCEPTED.tolist()
        write(result, tmp_path / "plain.csv")
        assert "accepted" not in pd.read_csv(tmp_path / "plain.csv")


def test_columns_tested_in_different_neurons_stand_in_one_table(results, recording):
    whole = selectivity(recording, "speed", draws=20)
    table = feature_table([results["selectivity"][1], replace(whole, column="again")])
    assert table["speed: p"].isna().sum() == 2
    assert table["again: p"].notna().all()


def test_an_adaptation_keeps_the_rows_of_a_part(recording, tmp_path):
    import torch

    rows = torch.arange(24.0).reshape(6, 4)
    weights = {"neuron_rows": rows, "session_row": torch.ones(4)}
    whole = Adaptation("random", "r", 100, recording.roi_labels, weights, 1.0, 0.9)
    part = whole.select(recording.select(np.array([5, 0])).roi_labels)
    np.testing.assert_array_equal(part.weights["neuron_rows"], rows[[5, 0]])
    assert part.weights["session_row"] is weights["session_row"]
    assert whole.select(recording.roi_labels) is whole
    assert part.belongs_to(recording)
    part.save(tmp_path / "part.safetensors")
    kept = load_adaptation(tmp_path / "part.safetensors")
    kept.check(recording.select(np.array([5, 0])))
    with pytest.raises(RecordingError, match=r"2 neurons of r; number 15, 25 are not among"):
        kept.select(recording.roi_labels[:3])
    assert not kept.belongs_to(Recording(np.eye(3, 60), 6.0))
