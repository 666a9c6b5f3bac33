"""Recordings in the layout of a suite2p plane folder."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import CalmError
from ..core.footprints import Footprints
from ..core.recording import Recording

# Tells readers that F.npy needs no baseline and no neuropil subtraction.
UNIT_KEY = "napari_calm_unit"


def write_suite2p_folder(recording: Recording, folder: str | Path) -> None:
    """Write traces and ROIs as suite2p lays them out.

    ``F.npy`` holds the traces as they are (dF/F), ``Fneu.npy`` and ``spks.npy`` zeros;
    ``ops.npy`` says so under ``napari_calm_unit``, and keeps fs, Ly, Lx, nframes and a
    neuropil coefficient of 0. ``iscell.npy`` marks the accepted
    ROIs, or all where the recording does not say. ``stat.npy`` and ``ops.npy`` are
    pickles, as suite2p's programs expect.

    Parameters
    ----------
    recording : Recording
        With ROIs.
    folder : path
        Must not exist yet, or be empty; appears whole or not at all.

    Raises
    ------
    CalmError
        If the recording has no ROIs, or the folder holds something.
    """
    folder = Path(folder)
    if recording.footprints is None:
        raise CalmError(f"{folder}: suite2p's layout needs ROIs; {recording.name} has none.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CalmError(f"{folder}: exists already. Give a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
    try:
        _write_files(recording, recording.footprints, partial)
        partial.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_files(recording: Recording, footprints: Footprints, folder: Path) -> None:
    height, width = footprints.image_shape
    stat = np.empty(footprints.n_neurons, dtype=object)
    covered = np.bincount(footprints.weights.indices, minlength=height * width)
    for row in range(footprints.n_neurons):
        stat[row] = _roi(footprints, row, covered)
    settings: dict[str, Any] = {
        "fs": float(recording.frame_rate_hz),
        "Ly": height,
        "Lx": width,
        "nframes": recording.n_frames,
        "nplanes": 1,
        "neucoeff": 0.0,
        UNIT_KEY: recording.unit,
    }
    if recording.movie is not None:
        some = recording.movie.frames[:: max(1, recording.n_frames // 100)]
        settings["meanImg"] = np.asarray(some).mean(axis=0, dtype=np.float64).astype(np.float32)
    zeros = np.zeros_like(recording.traces)
    accepted = np.ones((footprints.n_neurons, 2), np.float32)
    if recording.accepted is not None:
        accepted[~recording.accepted] = 0
    for name, array in (
        ("F", recording.traces),
        ("Fneu", zeros),
        ("spks", zeros),
        ("iscell", accepted),
    ):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    for name, contents in (("stat", stat), ("ops", np.array(settings, dtype=object))):
        np.save(folder / f"{name}.npy", contents, allow_pickle=True)


def _roi(footprints: Footprints, row: int, covered: np.ndarray) -> dict[str, Any]:
    part = slice(*footprints.weights.indptr[row : row + 2])
    pixels = footprints.weights.indices[part]
    y, x = np.divmod(pixels, footprints.image_shape[1])
    return {
        "ypix": y.astype(np.int32),
        "xpix": x.astype(np.int32),
        "lam": footprints.weights.data[part].astype(np.float32),
        "med": [int(np.median(y)), int(np.median(x))],
        "npix": int(pixels.size),
        "overlap": covered[pixels] > 1,
        "soma_crop": np.ones(pixels.size, bool),
        "radius": float(np.sqrt(pixels.size / np.pi)),
        "compact": 1.0,
        "footprint": 1.0,
        "aspect_ratio": 1.0,
        "skew": 0.0,
        "std": 0.0,
    }
