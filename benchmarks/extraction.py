"""How long extraction takes, and how much memory, beside reading and summing the movie.

    python benchmarks/extraction.py --out DIR [--gigabytes 4] [--rois 200] [--repeats 3]

Writes a movie of 512 x 512 pixels (uint16, uncompressed BigTIFF) into DIR and removes it at
the end. In turn, in one process: a plain sequential read and sum of all pixels, our pass over
the movie, the same with neuropil rings, and a loop over ROIs with a mask each in numpy (as
suite2p extracts). All read the file through a memory map in the same blocks: first from memory
(the system's page cache), where seconds are those of the processor, which other work on the
machine disturbs less; then from the disk, as a user meets a movie, in seconds by the clock.
Peak memory is that of a process of its own, beyond what it holds once everything is imported
and the movie is open.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_calm.core.footprints import Footprints
from napari_calm.core.movie import Movie
from napari_calm.core.progress import run
from napari_calm.extraction.extract import extract
from napari_calm.extraction.fluorescence import fluorescence_steps
from napari_calm.extraction.neuropil import neuropil_rings
from napari_calm.io.tiff import read_movie

SIDE, BLOCK_FRAMES = 512, 16
SEED = 0


def main() -> int:
    """Time the four, measure the peak, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--rois", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of is not None:
        print(peak_megabytes(options.peak_of, options.rois))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "movie.tif"
    try:
        n_frames = round(options.gigabytes * 2**30 / (SIDE * SIDE * 2))
        write_movie(path, n_frames)
        result = measure(path, options, n_frames)
    finally:
        path.unlink(missing_ok=True)
    (options.out / "extraction.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.out / "extraction.md").write_text(table(result))
    print(table(result))
    return 0


def write_movie(path: Path, n_frames: int) -> None:
    """Noise that repeats every 50 frames: what is in the pixels costs no time."""
    noise = np.random.default_rng(SEED).integers(100, 2000, (50, SIDE, SIDE)).astype(np.uint16)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(
            (noise[frame % 50] for frame in range(n_frames)),
            shape=(n_frames, SIDE, SIDE),
            dtype=np.uint16,
            photometric="minisblack",
        )


def discs(n_rois: int) -> Footprints:
    """Round ROIs of about 110 pixels at random places, some overlapping."""
    rng = np.random.default_rng(SEED)
    rows, columns = np.mgrid[-6:7, -6:7]
    inside = rows**2 + columns**2 < 36
    pixels = []
    for y, x in rng.integers(8, SIDE - 8, (n_rois, 2)):
        pixels.append((rows[inside] + y, columns[inside] + x, np.ones(inside.sum())))
    return Footprints.from_pixels(pixels, (SIDE, SIDE))


def measure(path: Path, options: argparse.Namespace, n_frames: int) -> dict[str, Any]:
    """Run all ways in turn, so that a busy machine slows all of them."""
    command = [sys.executable, __file__, "--out", str(options.out), "--rois"]
    command += [str(options.rois), "--peak-of", str(path)]
    peak = subprocess.run(command, capture_output=True, text=True, check=True)
    footprints = discs(options.rois)
    rings = neuropil_rings(footprints)
    ways: dict[str, Callable[[Movie], object]] = {
        "read_and_sum": read_and_sum,
        "extraction": lambda movie: run(fluorescence_steps(movie, footprints)),
        "with_rings": lambda movie: run(fluorescence_steps(movie, footprints, rings=rings)),
        "mask_loop": lambda movie: mask_loop(movie, footprints),
    }
    read_and_sum(read_movie(path, frame_rate_hz=30))
    seconds = timed(ways, path, options.repeats)
    from_disk = timed(ways, path, options.repeats, from_disk=True)
    return {
        "gigabytes": options.gigabytes,
        "frames": n_frames,
        "rois": options.rois,
        "covered_pixels": int(np.unique(footprints.weights.indices).size),
        "covered_pixels_with_rings": int(
            np.unique(np.concatenate([footprints.weights.indices, rings.indices])).size
        ),
        "seconds": seconds,
        "ratio_to_read_and_sum": ratios(seconds),
        "seconds_from_disk": from_disk,
        "ratio_to_read_and_sum_from_disk": ratios(from_disk),
        "peak_megabytes_beyond_imports": float(peak.stdout),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": SEED,
    }


def timed(
    ways: dict[str, Callable[[Movie], object]],
    path: Path,
    repeats: int,
    *,
    from_disk: bool = False,
) -> dict[str, list[float]]:
    """Seconds of each way, which take turns: of the processor, or by the clock `from_disk`."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    clock = time.perf_counter if from_disk else time.process_time
    for _ in range(repeats):
        for name, way in ways.items():
            if from_disk:
                forget(path)
            # Opened anew: what a process has mapped cannot be forgotten.
            movie = read_movie(path, frame_rate_hz=30)
            start = clock()
            way(movie)
            seconds[name].append(clock() - start)
            del movie
    return seconds


def forget(path: Path) -> None:
    """Make the system drop what it holds of the file, so that it is read from the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Medians over the repeats of seconds beside those of reading and summing."""
    return {
        name: statistics.median(
            ours / read for ours, read in zip(taken, seconds["read_and_sum"], strict=True)
        )
        for name, taken in seconds.items()
    }


def read_and_sum(movie: Movie) -> int:
    """Read every frame once and add up all pixels: the limit."""
    total = 0
    for start in range(0, movie.n_frames, BLOCK_FRAMES):
        total += int(np.asarray(movie.frames[start : start + BLOCK_FRAMES]).sum())
    return total


def mask_loop(movie: Movie, footprints: Footprints) -> np.ndarray:
    """Average under one ROI after the other, block by block."""
    weights = footprints.weights
    traces = np.empty((footprints.n_neurons, movie.n_frames), np.float32)
    for start in range(0, movie.n_frames, BLOCK_FRAMES):
        block = np.asarray(movie.frames[start : start + BLOCK_FRAMES])
        block = block.reshape(len(block), -1)
        for roi in range(footprints.n_neurons):
            part = slice(weights.indptr[roi], weights.indptr[roi + 1])
            share = weights.data[part] / weights.data[part].sum()
            traces[roi, start : start + len(block)] = block[:, weights.indices[part]] @ share
    return traces


def peak_megabytes(path: Path, n_rois: int) -> float:
    """Peak memory of a whole extraction with rings, beyond what is held before it."""
    movie, footprints = read_movie(path, frame_rate_hz=30), discs(n_rois)
    # Imports and first calls of libraries are not the extraction's.
    extract(Movie(np.asarray(movie.frames[:40]), 30), footprints, neuropil_coefficient=0.7)
    before = memory_kilobytes("VmRSS")
    # From here on the peak is counted anew.
    Path("/proc/self/clear_refs").write_text("5")
    extract(movie, footprints, neuropil_coefficient=0.7)
    return (memory_kilobytes("VmHWM") - before) / 1024


def memory_kilobytes(what: str) -> int:
    """Memory of this process as Linux tells it: VmRSS now, VmHWM at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


def table(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    names = {
        "read_and_sum": "read and sum (the limit)",
        "extraction": "extraction",
        "with_rings": "extraction with neuropil rings",
        "mask_loop": "loop over ROIs in numpy",
    }
    lines = [
        f"{result['gigabytes']:g} GB, {result['frames']} frames of {SIDE} x {SIDE}, "
        f"{result['rois']} ROIs; peak memory beyond imports "
        f"{result['peak_megabytes_beyond_imports']:.0f} MB",
        "",
        "| way | of the processor (s) | times the limit | from disk (s) | times the limit |",
        "|---|---|---|---|---|",
    ]
    for name, shown in names.items():
        figures = [
            f"{statistics.median(result['seconds' + kind][name]):.2f} | "
            f"{result['ratio_to_read_and_sum' + kind][name]:.2f}"
            for kind in ("", "_from_disk")
        ]
        lines.append(f"| {shown} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
