"""suite2p output folders: ROIs, dF/F and the registered movie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import RecordingError
from ..core.footprints import Footprints
from ..core.movie import Movie
from ..core.progress import Progress, Steps, run
from ..core.recording import Recording, check_frame_rate, usable_traces
from ..extraction.dff import dff_steps
from ..extraction.usable import leave_out_unusable
from .finished import finished_recording
from .restricted_pickle import load_npy, npy_shape
from .suite2p_writer import UNIT_KEY

DEFAULT_NEUROPIL_COEFFICIENT = 0.7

# suite2p 0.x keeps everything in ops.npy, 1.x spreads it over the others.
_SETTINGS_FILES = ("settings.npy", "db.npy", "detect_outputs.npy", "reg_outputs.npy", "ops.npy")
# One grey value: suite2p's registered movie is int16, so no smaller step exists in it.
_LOWEST_BASELINE = 1.0


def read_suite2p_steps(
    folder: str | Path,
    *,
    frame_rate_hz: float | None = None,
    cells_only: bool = False,
    drop_unusable: bool = False,
    neuropil_coefficient: float = DEFAULT_NEUROPIL_COEFFICIENT,
) -> Steps[Recording]:
    """Read a suite2p folder (0.x or 1.x) as a recording.

    `folder` is the ``suite2p`` folder, one of its planes, or the folder that holds it. Of
    several planes the ``combined`` folder is read.

    1. ROIs come from ``stat.npy``, weighted by `lam`, overlaps kept. ROI i is known as
       label i + 1 (label 0 is the background).
    2. Neuropil is subtracted: ``Fc = F - neuropil_coefficient * Fneu``.
    3. ``dF/F = (Fc - F0(Fc)) / max(F0(F), 1)``, with F0 the running percentile of the
       seconds before each frame. The divisor is the baseline *before* the subtraction,
       because that of Fc can be near or below 0 where the neuropil is bright and would
       blow the trace up. It is at least one grey value, the smallest step in the
       registered movie.
    4. A folder of `write_suite2p_folder` holds finished traces, which stay as they are.
    5. ``data.bin``, if it lies beside and has the size that frames and image ask for,
       becomes the movie, as a memory map.

    The image size comes from the settings; where they lack it, it is the smallest image
    that holds all ROIs.

    Parameters
    ----------
    folder : path
        Where suite2p wrote.
    frame_rate_hz : float, optional
        Frames a second; goes before `fs` of the settings.
    cells_only : bool
        Keep only what ``iscell.npy`` accepts; all ROIs otherwise, and `accepted` says which
        those are.
    drop_unusable : bool
        Leave out neurons whose trace is constant or not finite, instead of raising.
    neuropil_coefficient : float
        Share of the neuropil to subtract; 0 needs no ``Fneu.npy``.

    Yields
    ------
    Progress
        Neurons done.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If files are missing, damaged or of different number of ROIs, a pickle holds more
        than plain data, an ROI lies outside the image, the frame rate is not recorded, or
        a trace is not usable.
    """
    plane = suite2p_plane(folder)
    settings = _settings(plane)
    rate = check_frame_rate(
        settings.get("fs") if frame_rate_hz is None else frame_rate_hz, source=str(plane)
    )
    rois = _load_rois(plane)
    fluorescence = _load_traces(plane / "F.npy", len(rois))
    image_shape = _image_shape(settings, rois, plane)
    footprints = _footprints(rois, image_shape, plane)
    accepted, notes = _judged(plane, len(rois))
    movie = _registered_movie(plane, fluorescence.shape[1], image_shape, rate)
    if UNIT_KEY in settings:
        if cells_only:
            cells = _accepted(plane, len(rois))
            footprints, fluorescence = footprints.select(cells), fluorescence[cells]
            accepted = None
        return _as_written(
            plane, fluorescence, footprints, settings, rate, drop_unusable, accepted, notes
        )
    corrected = fluorescence
    if neuropil_coefficient:
        neuropil = _load_traces(plane / "Fneu.npy", len(rois))
        if neuropil.shape != fluorescence.shape:
            raise RecordingError(
                f"{plane}: F.npy is {fluorescence.shape}, Fneu.npy {neuropil.shape} (ROIs, "
                "frames); both must come from the same run of suite2p."
            )
        corrected = fluorescence - np.float32(neuropil_coefficient) * neuropil
    if cells_only:
        cells = _accepted(plane, len(rois))
        footprints = footprints.select(cells)
        fluorescence, corrected = fluorescence[cells], corrected[cells]
        accepted = None
    traces = yield from dff_steps(
        corrected, rate, reference=fluorescence, lowest_reference=_LOWEST_BASELINE
    )
    kept: Footprints | None = footprints
    if drop_unusable:
        accepted = None if accepted is None else accepted[usable_traces(traces)]
        traces, kept = leave_out_unusable(traces, footprints, source=str(plane))
    return Recording(
        traces,
        rate,
        name=_name(plane),
        source=str(plane),
        footprints=kept,
        movie=movie,
        notes=notes,
        accepted=accepted,
    )


def read_suite2p(
    folder: str | Path,
    *,
    frame_rate_hz: float | None = None,
    cells_only: bool = False,
    drop_unusable: bool = False,
    neuropil_coefficient: float = DEFAULT_NEUROPIL_COEFFICIENT,
    on_progress: Callable[[Progress], None] | None = None,
) -> Recording:
    """Read a suite2p folder as a recording; see `read_suite2p_steps`."""
    return run(
        read_suite2p_steps(
            folder,
            frame_rate_hz=frame_rate_hz,
            cells_only=cells_only,
            drop_unusable=drop_unusable,
            neuropil_coefficient=neuropil_coefficient,
        ),
        on_progress,
    )


def read_suite2p_rois(folder: str | Path) -> Footprints:
    """Read the ROIs of a suite2p folder only; see `read_suite2p_steps`."""
    plane = suite2p_plane(folder)
    rois = _load_rois(plane)
    return _footprints(rois, _image_shape(_settings(plane), rois, plane), plane)


def read_suite2p_mean_image(folder: str | Path) -> np.ndarray | None:
    """Mean image of the registered movie, float32 (height, width); None if not saved."""
    image = _settings(suite2p_plane(folder)).get("meanImg")
    if not isinstance(image, np.ndarray) or image.ndim != 2:
        return None
    return image.astype(np.float32)


def describe_suite2p(folder: str | Path) -> dict[str, Any]:
    """Size, frame rate and counts of a suite2p folder, without computing traces."""
    plane = suite2p_plane(folder)
    settings = _settings(plane)
    rois = _load_rois(plane)
    shape = npy_shape(plane / "F.npy")
    height, width = _image_shape(settings, rois, plane)
    facts: dict[str, Any] = {
        "folder": str(plane),
        "n_rois": len(rois),
        "n_frames": shape[-1],
        "height_px": height,
        "width_px": width,
        "frame_rate_hz": settings.get("fs"),
        "has_movie": _registered_movie(plane, shape[-1], (height, width), None) is not None,
    }
    if (plane / "iscell.npy").is_file():
        facts["n_cells"] = int(_cells(plane, len(rois)).sum())
    return facts


def is_suite2p(folder: str | Path) -> bool:
    """Tell whether `folder` is, or directly holds, a suite2p folder."""
    folder = Path(folder)
    return any(
        (place / "stat.npy").is_file() or bool(_planes(place))
        for place in (folder, folder / "suite2p")
    )


def suite2p_plane(folder: str | Path) -> Path:
    """Find the folder with ``stat.npy``: `folder`, its ``combined`` or its only plane.

    Raises
    ------
    RecordingError
        If there is none, or there are several planes and nothing combined.
    """
    folder = Path(folder)
    if (folder / "suite2p").is_dir():
        folder = folder / "suite2p"
    for place in (folder, folder / "combined"):
        if (place / "stat.npy").is_file():
            return place
    planes = _planes(folder)
    if len(planes) == 1:
        return planes[0]
    if planes:
        raise RecordingError(
            f"{folder}: found {len(planes)} planes ({', '.join(p.name for p in planes)}) and "
            f"no 'combined' folder. Choose one plane, for instance {planes[0]}."
        )
    raise RecordingError(
        f"{folder}: no suite2p output found. Expected stat.npy here, in 'combined' or in "
        "'plane0' (run suite2p through ROI detection first)."
    )


def _planes(folder: Path) -> list[Path]:
    return sorted(stat.parent for stat in folder.glob("plane*/stat.npy"))


def _name(plane: Path) -> str:
    # <experiment>/suite2p/plane0: the experiment's folder says most.
    above = plane.resolve().parent
    experiment = above.parent.name if above.name == "suite2p" else above.name
    return f"{experiment}_{plane.name}" if len(_planes(above)) > 1 else experiment


def _settings(plane: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in _SETTINGS_FILES:
        if (plane / name).is_file():
            contents = load_npy(plane / name)
            if not isinstance(contents, dict):
                raise RecordingError(
                    f"{plane / name}: found {type(contents).__name__}; expected suite2p's "
                    "settings (a dictionary)."
                )
            settings |= contents
    rate = settings.get("fs")
    if rate is not None and not isinstance(rate, (int, float, np.number)):
        raise RecordingError(
            f"{plane}: the frame rate fs is {rate!r}; expected a number in Hz."
        )
    settings["fs"] = None if rate is None else float(rate)
    return settings


def _load_rois(plane: Path) -> list[dict[str, Any]]:
    path = plane / "stat.npy"
    rois = load_npy(path)
    if not isinstance(rois, np.ndarray) or rois.ndim != 1:
        raise RecordingError(f"{path}: expected suite2p's list of ROIs.")
    if rois.size == 0:
        raise RecordingError(f"{path}: no ROI found. Expected at least one.")
    for number, roi in enumerate(rois):
        if not isinstance(roi, dict) or not {"ypix", "xpix", "lam"} <= roi.keys():
            raise RecordingError(
                f"{path}: ROI {number} lacks ypix, xpix or lam; expected suite2p's ROI table."
            )
    return list(rois)


def _load_traces(path: Path, n_rois: int) -> np.ndarray:
    traces = load_npy(path)
    if not isinstance(traces, np.ndarray) or traces.ndim != 2 or traces.dtype.kind not in "iuf":
        raise RecordingError(f"{path}: expected numbers of shape (ROIs, frames).")
    if traces.shape[0] != n_rois:
        raise RecordingError(
            f"{path}: {traces.shape[0]} traces, but stat.npy has {n_rois} ROIs. Both must "
            "come from the same run of suite2p."
        )
    return traces.astype(np.float32, copy=False)


def _image_shape(
    settings: dict[str, Any], rois: list[dict[str, Any]], plane: Path
) -> tuple[int, int]:
    try:
        return int(settings["Ly"]), int(settings["Lx"])
    except KeyError:
        height, width = (
            1 + max((int(np.max(roi[axis], initial=0)) for roi in rois), default=0)
            for axis in ("ypix", "xpix")
        )
        return height, width
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"{plane}: the image size Ly, Lx is no number ({error})."
        ) from error


def _footprints(
    rois: list[dict[str, Any]], image_shape: tuple[int, int], plane: Path
) -> Footprints:
    # A fitted weight can come out slightly below 0, which is no share of a pixel.
    pixels = [
        (roi["ypix"], roi["xpix"], np.maximum(np.asarray(roi["lam"], np.float32), 0))
        for roi in rois
    ]
    return Footprints.from_pixels(pixels, image_shape, source=str(plane / "stat.npy"))


def _as_written(
    plane: Path,
    traces: np.ndarray,
    footprints: Footprints,
    settings: dict[str, Any],
    rate: float,
    drop_unusable: bool,
    accepted: np.ndarray | None,
    notes: tuple[str, ...],
) -> Recording:
    """Return what `write_suite2p_folder` wrote: traces that need no baseline."""
    return finished_recording(
        traces,
        rate,
        name=_name(plane),
        source=str(plane),
        footprints=footprints,
        drop_unusable=drop_unusable,
        unit=str(settings[UNIT_KEY]),
        notes=notes,
        accepted=accepted,
    )


def _judged(plane: Path, n_rois: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return what ``iscell.npy`` says, if it is there; a note where it cannot be read."""
    if not (plane / "iscell.npy").is_file():
        return None, ()
    try:
        return _cells(plane, n_rois), ()
    except RecordingError as error:
        return None, (f"All ROIs count as cells, for what suite2p accepted is lost: {error}",)


def _accepted(plane: Path, n_rois: int) -> np.ndarray:
    accepted = _cells(plane, n_rois)
    if not accepted.any():
        raise RecordingError(
            f"{plane / 'iscell.npy'}: none of the {n_rois} ROIs is accepted as a cell."
        )
    return accepted


def _cells(plane: Path, n_rois: int) -> np.ndarray:
    path = plane / "iscell.npy"
    flags = load_npy(path)
    if not isinstance(flags, np.ndarray) or flags.shape != (n_rois, 2):
        raise RecordingError(
            f"{path}: expected {n_rois} rows of accepted (0 or 1) and probability; found "
            f"shape {getattr(flags, 'shape', None)}."
        )
    if flags.dtype.kind not in "biuf":
        raise RecordingError(f"{path}: holds {flags.dtype}; expected numbers.")
    accepted: np.ndarray = flags[:, 0] > 0
    return accepted


def _registered_movie(
    plane: Path, n_frames: int, image_shape: tuple[int, int], rate: float | None
) -> Movie | None:
    path = plane / "data.bin"
    shape = (n_frames, *image_shape)
    if not path.is_file() or path.stat().st_size != 2 * np.prod(shape, dtype=np.int64):
        return None
    frames = np.memmap(path, np.dtype("<i2"), "r", shape=shape)
    return Movie(frames, rate, name=_name(plane), source=str(path))
