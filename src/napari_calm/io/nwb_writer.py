"""Recordings as NWB: into a copy of their source file, or as a new one."""

import shutil
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from ..core.atomic import replacing
from ..core.errors import CalmError
from ..core.forecast import Forecast
from ..core.recording import Recording
from ..core.token_map import TokenMap
from .nwb_rois import ROI_WEIGHTS, rois_as_arrays

MODULE = "napari_calm"
_NOT_KNOWN = datetime(1970, 1, 1, tzinfo=UTC)


def write_nwb(
    recording: Recording,
    path: str | Path,
    *,
    copy_of: str | Path | None = None,
    session_start: datetime | None = None,
    groups: np.ndarray | None = None,
    tokens: TokenMap | None = None,
    forecast: Forecast | None = None,
) -> None:
    """Write a recording, and what was made of it, as an NWB file.

    Everything lies in the processing module "napari_calm": the ROIs as a PlaneSegmentation
    (pixel masks x, y, weight; columns `roi_label`, `cluster` with `groups`, and `accepted`
    where that is known), the traces as a RoiResponseSeries (time, ROI), tokens and the
    forecast's mean as series beside it.
    A new file also gets behaviour and trials. The file is validated before it takes its
    place.

    Parameters
    ----------
    recording : Recording
    path : path
        Ends in ``.nwb``.
    copy_of : path, optional
        An NWB file whose contents come along; it stays as it is.
    session_start : datetime.datetime, optional
        Of a new file; 1970-01-01 if not given, and the description says that it is not known.
    groups : numpy.ndarray of int, (neurons,), optional
        Cluster of each neuron, -1 = none.
    tokens, forecast : optional
        Of this recording.

    Raises
    ------
    CalmError
        If pynwb is missing, the path does not end in ``.nwb``, the parts do not belong
        together, or the file does not pass pynwb's validator.
    """
    path = Path(path)
    if path.suffix.lower() != ".nwb":
        raise CalmError(f"{path}: NWB files end in .nwb; found {path.suffix!r}.")
    for what, n_neurons in (
        ("clusters", None if groups is None else len(groups)),
        ("tokens", None if tokens is None else tokens.n_neurons),
        ("forecast", None if forecast is None else forecast.n_neurons),
    ):
        if n_neurons is not None and n_neurons != recording.n_neurons:
            raise CalmError(
                f"{path}: {what} of {n_neurons} neurons for a recording of "
                f"{recording.n_neurons}. They must be of the same recording."
            )
    pynwb = _pynwb(path)
    with replacing(path) as partial:
        if copy_of is None:
            nwb = _new_file(pynwb, recording, session_start)
            _fill(pynwb, nwb, recording, groups, tokens, forecast)
            with pynwb.NWBHDF5IO(str(partial), "w") as file:
                file.write(nwb)
        else:
            shutil.copyfile(copy_of, partial)
            _add_to_copy(pynwb, partial, Path(copy_of), recording, groups, tokens, forecast)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = pynwb.validate(path=str(partial))
        if wrong:
            raise CalmError(
                f"{path}: pynwb's validator finds {len(wrong)} faults, first: {wrong[0]}. "
                "Nothing was written."
            )


def _pynwb(path: Path) -> Any:
    try:
        import pynwb
        import pynwb.behavior
        import pynwb.ophys
    except ImportError as error:
        raise CalmError(
            f"{path}: writing NWB needs the package pynwb. Install it with: {sys.executable} "
            "-m pip install 'napari-calm[nwb]'"
        ) from error
    return pynwb


def _new_file(pynwb: Any, recording: Recording, start: datetime | None) -> Any:
    said = "" if start is not None else " The start time of the session is not known."
    nwb = pynwb.NWBFile(
        session_description=f"{recording.name}, written by napari-calm.{said}",
        identifier=str(uuid4()),
        session_start_time=start or _NOT_KNOWN,
    )
    if recording.behaviour is not None:
        _add_behaviour(pynwb, nwb, recording, recording.behaviour)
    if recording.trials is not None:
        _add_trials(nwb, recording, recording.trials)
    return nwb


def _add_to_copy(
    pynwb: Any,
    partial: Path,
    source: Path,
    recording: Recording,
    groups: np.ndarray | None,
    tokens: TokenMap | None,
    forecast: Forecast | None,
) -> None:
    try:
        with (
            warnings.catch_warnings(),
            pynwb.NWBHDF5IO(str(partial), "a", load_namespaces=True) as file,
        ):
            # What pynwb holds against the source is not about what is added.
            warnings.simplefilter("ignore")
            nwb = file.read()
            if MODULE in nwb.processing:
                raise CalmError(
                    f"{source}: has results of napari-calm already (processing/{MODULE}). "
                    "Take the file without them as the source, or write a new file (--new on "
                    "the command line, no copy_of in Python)."
                )
            _fill(pynwb, nwb, recording, groups, tokens, forecast)
            file.write(nwb)
    except CalmError:
        raise
    except Exception as error:
        # pynwb and hdmf raise what they like on files that do not follow the format.
        what = str(error).split("\n")[0]
        raise CalmError(
            f"{source}: pynwb cannot add to a copy of it ({type(error).__name__}: {what}). "
            "Write a new file instead."
        ) from error


def _fill(
    pynwb: Any,
    nwb: Any,
    recording: Recording,
    groups: np.ndarray | None,
    tokens: TokenMap | None,
    forecast: Forecast | None,
) -> None:
    module = nwb.create_processing_module(
        name=MODULE, description="Traces, ROIs and results of napari-calm"
    )
    rows = {"roi_label": recording.roi_labels}
    if groups is not None:
        rows["cluster"] = np.asarray(groups)
    if recording.accepted is not None:
        rows["accepted"] = recording.accepted.astype(np.int8)
    region = None
    if recording.footprints is not None:
        region = _rois(pynwb, nwb, module, recording, rows)
    timing = _timing(recording)
    _add_series(
        pynwb,
        module,
        "traces",
        recording.traces.T,
        region,
        f"Traces of the neurons, {recording.unit}.",
        recording.unit,
        timing,
    )
    if tokens is not None:
        times = tokens.start_s + np.arange(tokens.tokens.shape[1]) * tokens.token_duration_s
        _add_series(
            pynwb,
            module,
            "tokens",
            tokens.tokens.T.astype(np.int32),
            region,
            f"Token of each neuron, one of {tokens.n_codes}, by {tokens.model_name}.",
            "code",
            {"timestamps": recording.frame_times_s[0] + times},
        )
    if forecast is not None:
        start = recording.frame_times_s[0] + forecast.start_s
        _add_series(
            pynwb,
            module,
            "forecast",
            forecast.mean.T,
            region,
            f"Mean of what {forecast.model_name} expects from frame {forecast.start_frame} on.",
            recording.unit,
            {"starting_time": float(start), "rate": float(forecast.frame_rate_hz)},
        )


def _rois(pynwb: Any, nwb: Any, module: Any, recording: Recording, rows: Any) -> Any:
    footprints = recording.footprints
    assert footprints is not None
    planes = list(nwb.imaging_planes.values())
    plane = planes[0] if len(planes) == 1 else _imaging_plane(pynwb, nwb, recording)
    segmentation = pynwb.ophys.ImageSegmentation(name="ImageSegmentation")
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation",
        description="ROIs of the traces; pixel masks hold x (column), y (row) and weight",
        imaging_plane=plane,
    )
    for mask in rois_as_arrays(footprints):
        table.add_roi(pixel_mask=mask)
    said = {
        "roi_label": "number of the ROI in its source",
        "cluster": "functional cluster, 0 the largest, -1 none",
        "accepted": "1 for what is taken for a cell, 0 for what is not",
    }
    for name, values in rows.items():
        table.add_column(name=name, description=said[name], data=np.asarray(values, np.int64))
    height, width = footprints.image_shape
    still = np.zeros((height, width), np.float32)
    np.add.at(still.ravel(), footprints.weights.indices, footprints.weights.data)
    # Without an image nobody could tell how large the field of view is.
    image = pynwb.image.GrayscaleImage(
        name=ROI_WEIGHTS, data=still, description="sum of the weights of all ROIs (y, x)"
    )
    module.add(pynwb.base.Images(name="images", images=[image]))
    return table.create_roi_table_region(
        description="the neurons", region=list(range(footprints.n_neurons))
    )


def _imaging_plane(pynwb: Any, nwb: Any, recording: Recording) -> Any:
    channel = pynwb.ophys.OpticalChannel(
        name="channel", description="not known", emission_lambda=float("nan")
    )
    size_um = None if recording.movie is None else recording.movie.pixel_size_um
    spacing: dict[str, Any] = {}
    if size_um is not None:
        spacing = {"grid_spacing": [size_um, size_um], "grid_spacing_unit": "micrometers"}
    return nwb.create_imaging_plane(
        name="napari_calm_plane",
        optical_channel=channel,
        description="the plane that the traces were recorded in",
        device=nwb.create_device(name="microscope", description="not known"),
        excitation_lambda=float("nan"),
        indicator="not known",
        location="not known",
        imaging_rate=float(recording.frame_rate_hz),
        **spacing,
    )


def _timing(recording: Recording) -> dict[str, Any]:
    if recording.timestamps_s is not None:
        return {"timestamps": recording.timestamps_s}
    return {"starting_time": 0.0, "rate": float(recording.frame_rate_hz)}


def _add_series(
    pynwb: Any,
    module: Any,
    name: str,
    data: np.ndarray,
    region: Any,
    description: str,
    unit: str,
    timing: dict[str, Any],
) -> None:
    if region is None:
        module.add(
            pynwb.TimeSeries(name=name, data=data, unit=unit, description=description, **timing)
        )
        return
    is_dff = name == "traces" and unit == "dF/F"
    holder = (pynwb.ophys.DfOverF if is_dff else pynwb.ophys.Fluorescence)(
        name="DfOverF" if is_dff else f"{name}_of_neurons"
    )
    module.add(holder)
    # Each series needs a reference of its own.
    own = region.table.create_roi_table_region(
        description="the neurons", region=list(range(len(region.table)))
    )
    holder.create_roi_response_series(
        name=name, data=data, rois=own, unit=unit, description=description, **timing
    )


def _add_behaviour(pynwb: Any, nwb: Any, recording: Recording, table: pd.DataFrame) -> None:
    module = nwb.create_processing_module(
        name="behavior", description="Behaviour, one value a frame"
    )
    for name in table:
        column = table[name]
        if not pd.api.types.is_numeric_dtype(column):
            # Series hold numbers; the classes are in the description.
            codes, classes = pd.factorize(column, sort=True)
            values = codes.astype(np.float64)
            said = "; ".join(f"{code} = {each}" for code, each in enumerate(classes))
        else:
            values, said = column.to_numpy(dtype=float, na_value=np.nan), "as recorded"
        module.add(
            pynwb.TimeSeries(
                name=str(name).replace("/", "_per_"),
                data=values,
                unit="n.a.",
                description=said,
                **_timing(recording),
            )
        )


def _add_trials(nwb: Any, recording: Recording, trials: pd.DataFrame) -> None:
    times = recording.frame_times_s
    after = times[-1] + 1 / recording.frame_rate_hz
    ends = np.append(times, after)
    limits = ("start_frame", "stop_frame")
    labels = [str(name) for name in trials if name not in (*limits, "start_s", "stop_s")]
    for name in labels:
        nwb.add_trial_column(name=name, description=f"{name} of the trial")
    for _, trial in trials.iterrows():
        start, stop = (int(np.clip(trial[limit], 0, times.size)) for limit in limits)
        values = {name: _plain(trial[name]) for name in labels}
        nwb.add_trial(start_time=float(ends[start]), stop_time=float(ends[stop]), **values)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
