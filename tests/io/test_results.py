from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from napari_calm.core.errors import CalmError
from napari_calm.core.forecast import Forecast
from napari_calm.core.token_map import TokenMap
from napari_calm.io.results import read_forecast, read_tokens, write_forecast, write_tokens


@pytest.fixture
def forecast(rng):
    samples = rng.normal(size=(7, 3, 5))
    levels = np.array([0.05, 0.5, 0.975])
    return Forecast(
        mean=samples.mean(0),
        quantiles=np.quantile(samples, levels, axis=0),
        quantile_levels=levels,
        samples=samples,
        start_frame=12,
        frame_rate_hz=6.0,
        centre=np.arange(3.0),
        scale=np.ones(3),
        smoothing_alpha=0.5,
        model_name="calm-mini",
        seed=4,
    )


@pytest.fixture
def token_map(rng):
    return TokenMap(
        rng.integers(0, 128, (3, 6)),
        n_codes=128,
        frames_per_token=4,
        model_rate_hz=6.0,
        frame_rate_hz=10.0,
        n_frames=40,
        start_s=0.5,
        model_name="calm-mini",
    )


@pytest.mark.parametrize(
    ("result", "write", "read"),
    [("forecast", write_forecast, read_forecast), ("token_map", write_tokens, read_tokens)],
)
def test_every_field_survives_the_archive(request, tmp_path, result, write, read):
    expected = request.getfixturevalue(result)
    write(expected, tmp_path / "out.npz")
    back = read(tmp_path / "out.npz")
    for field in fields(expected):
        value, other = getattr(back, field.name), getattr(expected, field.name)
        assert type(value) is type(other)
        np.testing.assert_array_equal(value, other)


def test_the_forecast_table_has_a_row_for_every_neuron_and_frame(tmp_path, forecast):
    write_forecast(forecast, tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert list(table) == [
        "neuron",
        "roi_label",
        "frame",
        "time_s",
        "mean_dff",
        "q05_dff",
        "q50_dff",
        "q97.5_dff",
    ]
    assert len(table) == 15
    row = table[(table["neuron"] == 2) & (table["frame"] == 15)].iloc[0]
    assert row["time_s"] == pytest.approx(2.5)
    assert row["mean_dff"] == pytest.approx(forecast.mean[2, 3], rel=1e-5)
    assert row["q97.5_dff"] == pytest.approx(forecast.quantiles[2, 2, 3], rel=1e-5)


def test_the_token_table_has_a_row_for_every_neuron_and_token(tmp_path, token_map):
    write_tokens(token_map, tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert len(table) == 18
    row = table[(table["neuron"] == 1) & (table["token_index"] == 3)].iloc[0]
    assert row["token"] == token_map.tokens[1, 3]
    assert row["time_s"] == pytest.approx(0.5 + 3 * 4 / 6)


def test_other_endings_are_refused(tmp_path, forecast):
    with pytest.raises(CalmError, match=r"\.csv or \.parquet; found the ending '\.xlsx'"):
        write_forecast(forecast, tmp_path / "out.xlsx")


def test_a_failed_write_leaves_the_old_file(tmp_path, forecast, monkeypatch):
    write_forecast(forecast, tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()

    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_forecast(forecast, tmp_path / "out.csv")
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == before


def test_another_archive_is_told(tmp_path, token_map):
    write_tokens(token_map, tmp_path / "out.npz")
    with pytest.raises(CalmError, match="not a Forecast archive; mean, quantiles"):
        read_forecast(tmp_path / "out.npz")


def test_contradicting_values_are_told_with_the_file(tmp_path, forecast):
    write_forecast(forecast, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as archive:
        arrays = dict(archive)
    arrays["mean"] = arrays["mean"][:2]
    np.savez(tmp_path / "out.npz", **arrays)
    with pytest.raises(CalmError, match=r"out\.npz: forecast: quantiles has shape"):
        read_forecast(tmp_path / "out.npz")
