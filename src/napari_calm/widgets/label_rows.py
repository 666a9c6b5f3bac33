"""Tables of neurons in the form in which napari looks rows up."""

import numpy as np
import pandas as pd

# Beyond so many rows a neuron, labels have gaps that are not worth filling.
_MOST_ROWS_PER_NEURON = 20
_NONE_OF = {"neuron": -1, "cluster": -1}


def rows_by_label(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with one row a label from 0 (background) on, in place of one a neuron.

    napari's features table takes the position of a row for its label, its other views the
    column ``index``; in this form both mean the same.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a neuron; ``index`` is its label.

    Examples
    --------
    >>> import pandas as pd
    >>> rows_by_label(pd.DataFrame({"index": [1, 3], "area_px": [7, 9]})).area_px.tolist()
    [0, 7, 0, 9]
    """
    labels = table["index"].to_numpy()
    count = int(labels.max()) + 1
    if count > _MOST_ROWS_PER_NEURON * len(table):
        return table
    rows = {}
    for name in table:
        column = table[name]
        if pd.api.types.is_bool_dtype(column):
            none, dtype = False, bool
        elif pd.api.types.is_integer_dtype(column):
            none, dtype = _NONE_OF.get(str(name), 0), column.dtype
        elif pd.api.types.is_numeric_dtype(column):
            none, dtype = np.nan, column.dtype
        else:
            none, dtype = "", object
        values = np.full(count, none, dtype=dtype)
        values[labels] = column.to_numpy()
        rows[name] = values
    rows["index"] = np.arange(count)
    return pd.DataFrame(rows)
