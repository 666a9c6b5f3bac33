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
from .accepted_column import checked_accepted, with_accepted
from .npz import open_npz, write_npz
from .tables import write_table

Result = TypeVar("Result", Forecast, TokenMap)


def write_forecast(
    forecast: Forecast, path: str | Path, accepted: np.ndarray | None = None
) -> None:
    """Write a forecast as ``.npz`` (everything), ``.csv`` or ``.parquet`` (mean and quantiles).

    The table has one row a neuron and frame: `neuron` (from 0), `roi_label` (its number in
    the source), `accepted` if that is given, `frame`, `time_s`, `mean_dff`, and one column a
    quantile, `q05_dff` for the level 0.05. Neurons that were left out have no rows.

    Parameters
    ----------
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; archives hold it beside the forecast.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(forecast, path, forecast_table, accepted)


def write_tokens(
    token_map: TokenMap, path: str | Path, accepted: np.ndarray | None = None
) -> None:
    """Write tokens as ``.npz`` (everything), ``.csv`` or ``.parquet``.

    The table has one row a neuron and token: `neuron` (from 0), `roi_label` (its number in
    the source), `accepted` if that is given, `token_index`, `time_s` (where the token
    begins), and `token`. Neurons that were left out have no rows.

    Parameters
    ----------
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; archives hold it beside the tokens.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(token_map, path, token_table, accepted)


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
    known, n_frames = np.flatnonzero(forecast.known), forecast.horizon_frames
    frame = forecast.start_frame + np.arange(n_frames)
    columns: dict[str, np.ndarray] = {
        "neuron": np.repeat(known, n_frames),
        "roi_label": np.repeat(forecast.roi_labels[known], n_frames),
        "frame": np.tile(frame, known.size),
        "time_s": np.tile(frame / forecast.frame_rate_hz, known.size),
        "mean_dff": forecast.mean[known].ravel(),
    }
    for level, values in zip(forecast.quantile_levels, forecast.quantiles, strict=True):
        columns[f"{_quantile_name(float(level))}_dff"] = values[known].ravel()
    return pd.DataFrame(columns)


def token_table(token_map: TokenMap) -> pd.DataFrame:
    """Tokens as a long table, one row a neuron and token."""
    known, n_tokens = np.flatnonzero(token_map.known), token_map.tokens.shape[1]
    index = np.arange(n_tokens)
    return pd.DataFrame(
        {
            "neuron": np.repeat(known, n_tokens),
            "roi_label": np.repeat(token_map.roi_labels[known], n_tokens),
            "token_index": np.tile(index, known.size),
            "time_s": np.tile(
                token_map.start_s + index * token_map.token_duration_s, known.size
            ),
            "token": token_map.tokens[known].ravel(),
        }
    )


def _quantile_name(level: float) -> str:
    # Levels are float32: 0.05 is 0.0500000007.
    percent = round(level * 100, 4)
    return f"q{percent:02.0f}" if percent == round(percent) else f"q{percent:g}"


def _write(
    result: Result,
    path: str | Path,
    table: Callable[[Result], pd.DataFrame],
    accepted: np.ndarray | None,
) -> None:
    path = Path(path)
    judgement = checked_accepted(accepted, result.n_neurons)
    match path.suffix.lower():
        case ".npz":
            arrays = {each.name: getattr(result, each.name) for each in fields(result)}
            write_npz(path, arrays | judgement)
        case ".csv" | ".parquet":
            write_table(with_accepted(table(result), accepted), path)
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
