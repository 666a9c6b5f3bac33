"""Decodings and decoded values as npz archives and CSV tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.atomic import replacing
from ..core.errors import CalmError
from ..io.accepted_column import checked_accepted, with_accepted
from ..io.npz import write_npz
from .decoded import Decoded
from .decoding import Decoding
from .target import Target


def write_decoding(
    decoding: Decoding, path: str | Path, accepted: np.ndarray | None = None
) -> list[Path]:
    """Write as ``.npz`` (everything) or ``.csv`` (one row a held-out frame or trial).

    Beside the CSV, ``NAME.summary.csv`` has scores, reference and null, ``NAME.neurons.csv``
    the share of each neuron, and for classes ``NAME.confusion.csv`` the confusion matrix.

    Parameters
    ----------
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; a column of the neurons, in archives an array.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    CalmError
        If the path ends in neither.
    """
    path = Path(path)
    target = decoding.target
    judgement = checked_accepted(accepted, decoding.roi_labels.size)
    if path.suffix.lower() == ".npz":
        arrays: dict[str, Any] = {
            "name": np.str_(target.name),
            "kind": np.str_(target.kind),
            "per": np.str_(target.per),
            "classes": np.array(target.classes, np.str_),
            "measure": np.str_(decoding.measure),
            "head": np.str_(decoding.head),
            "model_name": np.str_(decoding.model_name),
            "verdict": np.str_(decoding.verdict()),
            "looks_at": np.str_(decoding.looks_at),
            "number": decoding.number,
            "start_frame": decoding.start_frame,
            "fold": decoding.fold,
            "truth": decoding.truth,
            "outputs": decoding.outputs,
            "reference_outputs": decoding.reference_outputs,
            "fold_scores": decoding.fold_scores(decoding.outputs),
            "reference_fold_scores": decoding.fold_scores(decoding.reference_outputs),
            "null": decoding.null,
            "p_value": decoding.p_value,
            "neuron_weights": decoding.neuron_weights,
            "roi_labels": decoding.roi_labels,
            "frame_rate_hz": decoding.frame_rate_hz,
        }
        for name in ("score", "reference", "gain"):
            found = getattr(decoding, name)
            arrays[name] = np.array([found.mean, found.low, found.high])
        write_npz(path, arrays | judgement)
        return [path]
    tables = {
        "": decoding.table(),
        ".summary": decoding.summary(),
        ".neurons": with_accepted(decoding.neuron_table(), accepted),
    }
    if target.kind == "classes":
        tables[".confusion"] = decoding.confusion().rename_axis("true").reset_index()
    return [_write_table(table, path, beside) for beside, table in tables.items()]


def write_decoded(decoded: Decoded, path: str | Path, truth: Target | None = None) -> Path:
    """Write what a decoder says of a recording as ``.csv``, one row a frame or trial.

    Parameters
    ----------
    truth : Target, optional
        The variable itself, where the recording has it.

    Raises
    ------
    CalmError
        If the path does not end in ``.csv``.
    """
    return _write_table(decoded.table(truth), Path(path), "")


def _write_table(table: pd.DataFrame, path: Path, beside: str) -> Path:
    if path.suffix.lower() != ".csv":
        raise CalmError(f"{path}: tables are written as .csv; found {path.suffix!r}.")
    path = path.with_name(path.stem + beside + path.suffix)
    with replacing(path) as partial:
        table.to_csv(partial, index=False)
    return path
