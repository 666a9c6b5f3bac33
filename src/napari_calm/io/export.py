"""One way out: a recording, and what was made of it, in the format of another program."""

from pathlib import Path

import numpy as np

from ..core.errors import CalmError
from ..core.forecast import Forecast
from ..core.recording import Recording
from ..core.token_map import TokenMap
from .imagej import write_imagej_rois
from .nwb_writer import write_nwb
from .suite2p_writer import write_suite2p_folder
from .trace_tables import write_traces
from .traces import write_recording

ENDINGS = (".npz", ".csv", ".parquet", ".nwb", ".zip")


def export_recording(
    recording: Recording,
    path: str | Path,
    *,
    copy_of: str | Path | None = None,
    groups: np.ndarray | None = None,
    tokens: TokenMap | None = None,
    forecast: Forecast | None = None,
) -> None:
    """Write a recording in the format that the path's ending names.

    ========== =====================================================================
    ``.npz``    everything but the movie (`write_recording`)
    ``.csv``    traces, one column a neuron (`write_traces`)
    ``.parquet``  the same
    ``.nwb``    traces, ROIs, clusters, tokens, forecast (`write_nwb`)
    ``.zip``    ROIs for ImageJ, clusters as groups (`write_imagej_rois`)
    none        a folder in suite2p's layout (`write_suite2p_folder`)
    ========== =====================================================================

    Parameters
    ----------
    recording : Recording
    path : path
        The file, or the folder for suite2p's layout.
    copy_of : path, optional
        NWB: the file whose contents come along.
    groups : numpy.ndarray of int, (neurons,), optional
        Cluster of each neuron, -1 = none.
    tokens, forecast : optional
        For NWB.

    Raises
    ------
    CalmError
        If the ending is another, the recording lacks the ROIs that the format needs, or the
        format cannot hold what was given.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix != ".nwb" and (tokens is not None or forecast is not None):
        raise CalmError(
            f"{path}: tokens and forecasts go into .nwb; write them to files of their own "
            "otherwise (napari-calm tokenize, napari-calm forecast)."
        )
    if groups is not None and suffix not in (".nwb", ".zip"):
        raise CalmError(f"{path}: clusters go into .nwb and .zip (ImageJ); found {suffix!r}.")
    match suffix:
        case ".npz":
            write_recording(recording, path)
        case ".csv" | ".parquet":
            write_traces(recording, path)
        case ".nwb":
            write_nwb(
                recording,
                path,
                copy_of=copy_of,
                groups=groups,
                tokens=tokens,
                forecast=forecast,
            )
        case ".zip":
            if recording.footprints is None:
                raise CalmError(f"{path}: {recording.name} has no ROIs to write.")
            write_imagej_rois(recording.footprints, path, groups=groups)
        case "":
            write_suite2p_folder(recording, path)
        case _:
            raise CalmError(
                f"{path}: found the ending {suffix!r}; expected {', '.join(ENDINGS)}, or a "
                "folder without ending for suite2p's layout."
            )
