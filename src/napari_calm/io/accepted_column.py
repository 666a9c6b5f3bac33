"""The judgement of the cells beside results: a column of tables, an array of archives."""

import numpy as np
import pandas as pd

from ..core.errors import CalmError

ACCEPTED = "accepted"
# What `--leave-out` calls those that the file does not accept as cells.
REJECTED = "rejected"


def with_accepted(table: pd.DataFrame, accepted: np.ndarray | None) -> pd.DataFrame:
    """Return a table of neurons with the column `accepted` behind the numbers of the ROIs.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns `neuron` (from 0) and `roi_label`.
    accepted : numpy.ndarray of bool, (neurons,), optional
        Which neurons are accepted as cells; without it the table stays as it is.
    """
    if accepted is None:
        return table
    widened = table.copy()
    flags = np.asarray(accepted, bool)[table["neuron"].to_numpy()]
    widened.insert(list(table.columns).index("roi_label") + 1, ACCEPTED, flags)
    return widened


def checked_accepted(accepted: np.ndarray | None, n_neurons: int) -> dict[str, np.ndarray]:
    """Return the judgement as an array of an archive, or nothing where there is none.

    Raises
    ------
    CalmError
        If it is of another number of neurons.
    """
    if accepted is None:
        return {}
    flags = np.asarray(accepted, bool)
    if flags.shape != (n_neurons,):
        raise CalmError(
            f"accepted cells: found flags of shape {flags.shape} for a result of {n_neurons} "
            "neurons; expected one a neuron."
        )
    return {ACCEPTED: flags}
