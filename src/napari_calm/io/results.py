"""Forecasts and tokens as npz archives and as tables (csv, parquet)."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..core.errors import CalmError, RecordingError
from ..core.forecast import Forecast
from ..core.token_map import TokenMap
from .npz import open_npz, write_npz
from .tables import write_table

Result = TypeVar("Result", Forecast, TokenMap)


def write_forecast(forecast: Forecast, path: str | Path) -> None:
    """Write a forecast as ``.npz`` (everything), ``.csv`` or ``.parquet`` (mean and quantiles).

    The table has one row a neuron and frame: `neuron` (from 0), `roi_label` (its number in
    the source), `frame`, `time_s`, `mean_dff`, and one column a quantile, `q05_dff` for
    the level 0.05.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(forecast, path, forecast_table)


def write_tokens(token_map: TokenMap, path: str | Path) -> None:
    """Write tokens as ``.npz`` (everything), ``.csv`` or ``.parquet``.

    The table has one row a neuron and token: `neuron` (from 0), `roi_label` (its number in
    the source), `token_index`, `time_s` (where the token begins), and `token`.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(token_map, path, token_table)


def read_forecast(path: str | Path) -> Forecast:
    """Read a forecast from the npz archive of `write_forecast`.

    Raises
    ------
    CalmError
        If the file is missing, holds no forecast or a damaged one.
    """
    return _read(Forecast, path)


def read_tokens(path: str | Path) -> TokenMap:
    """Read tokens from the npz archive of `write_tokens`.

    Raises
    ------
    CalmError
        If the file is missing, holds no tokens or damaged ones.
    """
    return _read(TokenMap, path)


def forecast_table(forecast: Forecast) -> pd.DataFrame:
    """Mean and quantiles as a long table, one row a neuron and frame."""
    n_neurons, n_frames = forecast.mean.shape
    frame = forecast.start_frame + np.arange(n_frames)
    columns: dict[str, np.ndarray] = {
        "neuron": np.repeat(np.arange(n_neurons), n_frames),
        "roi_label": np.repeat(forecast.roi_labels, n_frames),
        "frame": np.tile(frame, n_neurons),
        "time_s": np.tile(frame / forecast.frame_rate_hz, n_neurons),
        "mean_dff": forecast.mean.ravel(),
    }
    for level, values in zip(forecast.quantile_levels, forecast.quantiles, strict=True):
        columns[f"{_quantile_name(float(level))}_dff"] = values.ravel()
    return pd.DataFrame(columns)


def token_table(token_map: TokenMap) -> pd.DataFrame:
    """Tokens as a long table, one row a neuron and token."""
    n_neurons, n_tokens = token_map.tokens.shape
    index = np.arange(n_tokens)
    return pd.DataFrame(
        {
            "neuron": np.repeat(np.arange(n_neurons), n_tokens),
            "roi_label": np.repeat(token_map.roi_labels, n_tokens),
            "token_index": np.tile(index, n_neurons),
            "time_s": np.tile(
                token_map.start_s + index * token_map.token_duration_s, n_neurons
            ),
            "token": token_map.tokens.ravel(),
        }
    )


def _quantile_name(level: float) -> str:
    # Levels are float32: 0.05 is 0.0500000007.
    percent = round(level * 100, 4)
    return f"q{percent:02.0f}" if percent == round(percent) else f"q{percent:g}"


def _write(result: Result, path: str | Path, table: Callable[[Result], pd.DataFrame]) -> None:
    path = Path(path)
    match path.suffix.lower():
        case ".npz":
            write_npz(path, {each.name: getattr(result, each.name) for each in fields(result)})
        case ".csv" | ".parquet":
            write_table(table(result), path)
        case suffix:
            raise CalmError(
                f"{path}: results are written as .npz, .csv or .parquet; found the ending "
                f"{suffix!r}."
            )


def _read(kind: type[Result], path: str | Path) -> Result:
    with open_npz(path) as arrays:
        names = [each.name for each in fields(kind)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise RecordingError(
                f"{path}: not a {kind.__name__} archive; {', '.join(missing)} missing."
            )
        # Single numbers and text come back as Python's own.
        values: dict[str, Any] = {
            name: arrays[name] if arrays[name].ndim else arrays[name].item() for name in names
        }
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise CalmError(f"{path}: {error}") from error
