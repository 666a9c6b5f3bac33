"""Embeddings, selectivity, trajectories and clusters as npz archives and CSV tables."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..core.atomic import replacing
from ..core.errors import CalmError, RecordingError
from ..io.npz import open_npz, write_npz
from .clusters import Clusters
from .neuron_embedding import NeuronEmbedding
from .selectivity import Selectivity
from .trajectories import Trajectories

Result = TypeVar("Result", NeuronEmbedding, Selectivity, Trajectories, Clusters)

# Fields that are tuples of words; archives hold them as arrays of text.
_WORDS = {"columns", "bins", "trial_types"}


def write_embedding(embedding: NeuronEmbedding, path: str | Path) -> None:
    """Write as ``.npz`` (everything) or ``.csv`` (one row a neuron).

    Raises
    ------
    CalmError
        If the path ends in neither.
    """
    _write(embedding, path, embedding.table)


def read_embedding(path: str | Path) -> NeuronEmbedding:
    """Read the npz archive of `write_embedding`.

    Raises
    ------
    CalmError
        If the file is missing, holds something else, or is damaged.
    """
    return _read(NeuronEmbedding, path)


def write_selectivity(selectivity: Selectivity, path: str | Path) -> None:
    """Write as ``.npz`` (everything) or ``.csv`` (one row a neuron, with tuning curve).

    Raises
    ------
    CalmError
        If the path ends in neither.
    """
    _write(selectivity, path, selectivity.table)


def read_selectivity(path: str | Path) -> Selectivity:
    """Read the npz archive of `write_selectivity`; errors as in `read_embedding`."""
    return _read(Selectivity, path)


def write_trajectories(trajectories: Trajectories, path: str | Path) -> None:
    """Write as ``.npz`` (everything) or ``.csv`` (one row a frame).

    Raises
    ------
    CalmError
        If the path ends in neither.
    """
    _write(trajectories, path, trajectories.table)


def read_trajectories(path: str | Path) -> Trajectories:
    """Read the npz archive of `write_trajectories`; errors as in `read_embedding`."""
    return _read(Trajectories, path)


def write_clusters(clusters: Clusters, path: str | Path) -> None:
    """Write as ``.npz`` (everything) or ``.csv``.

    The CSV has one row a neuron; beside it, ``NAME.summary.csv`` has one row a cluster.

    Raises
    ------
    CalmError
        If the path ends in neither.
    """
    _write(clusters, path, clusters.table)
    path = Path(path)
    if path.suffix.lower() == ".csv":
        with replacing(path.with_suffix(".summary.csv")) as partial:
            clusters.summary().to_csv(partial, index=False)


def read_clusters(path: str | Path) -> Clusters:
    """Read the npz archive of `write_clusters`; errors as in `read_embedding`."""
    return _read(Clusters, path)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV; it appears whole or not at all."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def _write(result: Result, path: str | Path, table: Callable[[], pd.DataFrame]) -> None:
    path = Path(path)
    match path.suffix.lower():
        case ".npz":
            arrays: dict[str, Any] = {}
            for each in fields(result):
                value = getattr(result, each.name)
                arrays[each.name] = np.array(value, np.str_) if each.name in _WORDS else value
            arrays["kind"] = np.str_(type(result).__name__)
            write_npz(path, arrays)
        case ".csv":
            write_table(table(), path)
        case suffix:
            raise CalmError(
                f"{path}: results are written as .npz or .csv; found the ending {suffix!r}."
            )


def _read(kind: type[Result], path: str | Path) -> Result:
    with open_npz(path) as arrays:
        names = [each.name for each in fields(kind)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise RecordingError(
                f"{path}: not a {kind.__name__} archive; {', '.join(missing)} missing."
            )
        values: dict[str, Any] = {}
        for name in names:
            array = arrays[name]
            # Single numbers and text come back as Python's own.
            values[name] = array if array.ndim else array.item()
            if name in _WORDS:
                values[name] = tuple(array.tolist())
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise CalmError(f"{path}: {error}") from error
