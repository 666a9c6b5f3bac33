"""Figures that tell good traces from poor ones."""

import numpy as np
import pandas as pd
from scipy.stats import skew

from ..core.footprints import Footprints

# Median absolute deviation of a normal distribution.
_MAD_OF_NORMAL = 0.6745


def trace_quality(
    traces: np.ndarray, footprints: Footprints | None, baseline: np.ndarray | None = None
) -> pd.DataFrame:
    """Quality of each neuron's trace and ROI.

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
        dF/F.
    footprints : Footprints, optional
        ROIs of the neurons.
    baseline : numpy.ndarray, (neurons,), optional
        Mean baseline fluorescence of each.

    Returns
    -------
    pandas.DataFrame
        One row a neuron: `snr` (99th percentile above the median, over the noise: the median
        absolute step between frames over 0.6745 and the root of 2), `skewness`, `baseline`
        (the movie's units), `area_px`, `overlap_share` (share of pixels that another ROI
        covers too).
    """
    steps = np.abs(np.diff(traces, axis=1))
    noise = np.median(steps, axis=1) / _MAD_OF_NORMAL / np.sqrt(2) if steps.size else np.nan
    high, middle = np.percentile(traces, (99, 50), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "snr": (high - middle) / noise,
            "skewness": skew(traces.astype(np.float64), axis=1),
        }
    if baseline is not None:
        columns["baseline"] = np.asarray(baseline)
    if footprints is not None:
        columns["area_px"] = footprints.areas_px
        columns["overlap_share"] = footprints.overlap_share
    return pd.DataFrame(columns)
