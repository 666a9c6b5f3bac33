"""Embeddings, selectivity, trajectories and clusters as npz archives and tables."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..core.errors import CalmError, RecordingError
from ..io.accepted_column import checked_accepted, with_accepted
from ..io.npz import open_npz, write_npz
from ..io.tables import RESULT_TABLES, write_table
from .clusters import Clusters
from .neuron_embedding import NeuronEmbedding
from .selectivity import Selectivity
from .trajectories import Trajectories

Result = TypeVar("Result", NeuronEmbedding, Selectivity, Trajectories, Clusters)

# Fields that are tuples of words; archives hold them as arrays of text.
_WORDS = {"columns", "bins", "trial_types"}


def write_embedding(
    embedding: NeuronEmbedding, path: str | Path, accepted: np.ndarray | None = None
) -> None:
    """Write as ``.npz`` (everything), ``.csv`` or ``.parquet`` (one row a neuron).

    Parameters
    ----------
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; becomes a column, in archives an array.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(embedding, path, embedding.table, accepted)


def read_embedding(path: str | Path) -> NeuronEmbedding:
    """Read the npz archive of `write_embedding`.

    Raises
    ------
    CalmError
        If the file is missing, holds something else, or is damaged.
    """
    return _read(NeuronEmbedding, path)


def write_selectivity(
    selectivity: Selectivity, path: str | Path, accepted: np.ndarray | None = None
) -> None:
    """Write as ``.npz`` (everything), ``.csv`` or ``.parquet`` (one row a neuron).

    Parameters
    ----------
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; becomes a column, in archives an array.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(selectivity, path, selectivity.table, accepted)


def read_selectivity(path: str | Path) -> Selectivity:
    """Read the npz archive of `write_selectivity`; errors as in `read_embedding`."""
    return _read(Selectivity, path)


def write_trajectories(trajectories: Trajectories, path: str | Path) -> None:
    """Write as ``.npz`` (everything), ``.csv`` or ``.parquet`` (one row a frame).

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(trajectories, path, trajectories.table)


def read_trajectories(path: str | Path) -> Trajectories:
    """Read the npz archive of `write_trajectories`; errors as in `read_embedding`."""
    return _read(Trajectories, path)


def write_clusters(
    clusters: Clusters, path: str | Path, accepted: np.ndarray | None = None
) -> None:
    """Write as ``.npz`` (everything), ``.csv`` or ``.parquet``.

    The table has one row a neuron; beside it, ``NAME.summary.csv`` (or parquet) has
    one row a cluster.

    Parameters
    ----------
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; becomes a column, in archives an array.

    Raises
    ------
    CalmError
        If the path ends in none of them.
    """
    _write(clusters, path, clusters.table, accepted)
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in RESULT_TABLES:
        write_table(clusters.summary(), path.with_suffix(f".summary{suffix}"))


def read_clusters(path: str | Path) -> Clusters:
    """Read the npz archive of `write_clusters`; errors as in `read_embedding`."""
    return _read(Clusters, path)


def _write(
    result: Result,
    path: str | Path,
    table: Callable[[], pd.DataFrame],
    accepted: np.ndarray | None = None,
) -> None:
    path = Path(path)
    n_neurons = 0 if isinstance(result, Trajectories) else result.n_neurons
    judgement = checked_accepted(accepted, n_neurons)
    match path.suffix.lower():
        case ".npz":
            arrays: dict[str, Any] = {}
            for each in fields(result):
                value = getattr(result, each.name)
                arrays[each.name] = np.array(value, np.str_) if each.name in _WORDS else value
            arrays["kind"] = np.str_(type(result).__name__)
            write_npz(path, arrays | judgement)
        case ".csv" | ".parquet":
            write_table(with_accepted(table(), accepted), path)
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
