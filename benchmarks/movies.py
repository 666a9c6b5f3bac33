"""How long large movies take to open and to scrub, beside the plain libraries.

    python benchmarks/movies.py --out DIR [--gigabytes 2.2] [--formats hdf5 zarr ...]

Writes one movie after the other (noise of 512 x 512 pixels, uint16) into a temporary folder in
DIR and removes each again. A process of its own opens each movie, as often as --repeats says,
until shape and frame rate are known, makes a layer of it, and reads 30 frames at random places;
beside every step stands the plain call of tifffile, h5py or zarr for the same thing, in the
same process, in turn. The file is in the page cache, and times are those of the processor:
what is measured is work, neither the disk nor what else the machine does. Memory is how far
the process grew at most while it opened and read the 30 frames.
"""

import argparse
import importlib.util
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import tifffile
import zarr

from napari_calm.core.movie import Movie
from napari_calm.io.movies import open_movie

SIDE = 512
RATE_HZ, PIXEL_UM = 30.0, 1.5
N_RANDOM = 30
SEED = 0


def noise(n_frames: int) -> Iterator[np.ndarray]:
    """Frames that repeat every 50: what is in the pixels costs no time."""
    pixels = np.random.default_rng(SEED).integers(100, 2000, (50, SIDE, SIDE), np.uint16)
    return (pixels[frame % 50] for frame in range(n_frames))


def write_bigtiff(path: Path, n_frames: int) -> None:
    """In one piece, as most programs save."""
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(
            noise(n_frames),
            shape=(n_frames, SIDE, SIDE),
            dtype=np.uint16,
            photometric="minisblack",
            metadata={"axes": "TYX", "fps": RATE_HZ},
        )


def write_paged_tiff(path: Path, n_frames: int) -> None:
    """A page with a description of its own for each frame, as microscopes write."""
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for frame in noise(n_frames):
            file.write(frame, photometric="minisblack", contiguous=False, metadata=None)


def write_ome_tiff(path: Path, n_frames: int) -> None:
    """One OME series."""
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        file.write(
            noise(n_frames),
            shape=(n_frames, SIDE, SIDE),
            dtype=np.uint16,
            photometric="minisblack",
            metadata={
                "axes": "TYX",
                "TimeIncrement": 1 / RATE_HZ,
                "TimeIncrementUnit": "s",
                "PhysicalSizeX": PIXEL_UM,
                "PhysicalSizeY": PIXEL_UM,
            },
        )


def write_hdf5(path: Path, n_frames: int) -> None:
    """A frame a chunk."""
    with h5py.File(path, "w") as file:
        shape = (n_frames, SIDE, SIDE)
        found = file.create_dataset("mov", shape, np.uint16, chunks=(1, SIDE, SIDE))
        found.attrs["fps"] = RATE_HZ
        for number, frame in enumerate(noise(n_frames)):
            found[number] = frame


def write_nwb(path: Path, n_frames: int) -> None:
    """A OnePhotonSeries as pynwb writes it: (frames, x, y), the images transposed."""
    from datetime import UTC, datetime

    from hdmf.backends.hdf5 import H5DataIO
    from hdmf.data_utils import DataChunkIterator
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ophys import OnePhotonSeries, OpticalChannel

    nwb = NWBFile("a benchmark", "movies", datetime(2025, 1, 1, tzinfo=UTC))
    device = nwb.create_device("microscope")
    channel = OpticalChannel(name="green", description="green", emission_lambda=520.0)
    plane = nwb.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="cortex",
        device=device,
        excitation_lambda=470.0,
        indicator="GCaMP",
        location="V1",
        grid_spacing=[PIXEL_UM * 1e-6] * 2,
    )
    frames = DataChunkIterator(
        (frame.T for frame in noise(n_frames)),
        maxshape=(n_frames, SIDE, SIDE),
        dtype=np.dtype(np.uint16),
        buffer_size=1,
    )
    data = H5DataIO(frames, chunks=(1, SIDE, SIDE))
    nwb.add_acquisition(
        OnePhotonSeries(name="movie", data=data, imaging_plane=plane, unit="a.u.", rate=RATE_HZ)
    )
    with NWBHDF5IO(path, "w") as file:
        file.write(nwb)


def write_zarr(path: Path, n_frames: int) -> None:
    """A plain array, a frame a chunk."""
    shape, chunks = (n_frames, SIDE, SIDE), (1, SIDE, SIDE)
    array = zarr.create_array(path, shape=shape, dtype=np.uint16, chunks=chunks)
    for number, frame in enumerate(noise(n_frames)):
        array[number] = frame


def write_ome_zarr(path: Path, n_frames: int) -> None:
    """OME-Zarr 0.5 of one level."""
    group = zarr.open_group(path, mode="w")
    shape, chunks = (n_frames, SIDE, SIDE), (1, SIDE, SIDE)
    array = group.create_array("0", shape=shape, dtype=np.uint16, chunks=chunks)
    for number, frame in enumerate(noise(n_frames)):
        array[number] = frame
    axes = [("t", "time", "second"), ("y", "space", "micrometer"), ("x", "space", "micrometer")]
    step = {"type": "scale", "scale": [1 / RATE_HZ, PIXEL_UM, PIXEL_UM]}
    image = {
        "axes": [{"name": name, "type": kind, "unit": unit} for name, kind, unit in axes],
        "datasets": [{"path": "0", "coordinateTransformations": [step]}],
    }
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}


def plain_tiff(path: Path) -> Callable[[int], np.ndarray]:
    """Open with tifffile alone, and return a function that reads one frame."""
    tif = tifffile.TiffFile(path)
    assert tif.series[0].shape
    return lambda frame: tif.asarray(key=frame)


def plain_hdf5(path: Path, name: str = "mov") -> Callable[[int], np.ndarray]:
    """Open with h5py alone."""
    found = h5py.File(path, "r")[name]
    assert found.shape
    return lambda frame: found[frame]


def plain_nwb(path: Path) -> Callable[[int], np.ndarray]:
    """Open with h5py, which is what pynwb itself reads with."""
    read = plain_hdf5(path, "acquisition/movie/data")
    return lambda frame: read(frame).T


def plain_zarr(path: Path, name: str = "") -> Callable[[int], np.ndarray]:
    """Open with zarr alone."""
    found = zarr.open(path, mode="r")
    array = found[name] if name else found
    assert array.shape
    return lambda frame: np.asarray(array[frame])


FORMATS = {
    "bigtiff": ("BigTIFF, in one piece", "m.btf", write_bigtiff, plain_tiff),
    "paged": ("BigTIFF, a page a frame", "m.tif", write_paged_tiff, plain_tiff),
    "ome-tiff": ("OME-TIFF", "m.ome.tif", write_ome_tiff, plain_tiff),
    "hdf5": ("HDF5", "m.h5", write_hdf5, plain_hdf5),
    "zarr": ("Zarr 3", "m.zarr", write_zarr, plain_zarr),
    "ome-zarr": ("OME-Zarr 0.5", "m.ome.zarr", write_ome_zarr, lambda p: plain_zarr(p, "0")),
    "nwb": ("NWB", "m.nwb", write_nwb, plain_nwb),
}


def main() -> int:
    """Write, measure and remove one movie after the other; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=2.2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measure(options.measure, options.formats[0], options.repeats)))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    n_frames = round(options.gigabytes * 2**30 / (SIDE * SIDE * 2))
    found = {}
    for name in options.formats:
        if name == "nwb" and importlib.util.find_spec("pynwb") is None:
            print("nwb: left out; pynwb, which writes the movie, is not installed.")
            continue
        found[name] = in_its_own_process(name, n_frames, options)
        print(f"{name}: opened in {found[name]['open_ms']:.0f} ms", file=sys.stderr)
    result = {
        "gigabytes": options.gigabytes,
        "frames": n_frames,
        "formats": found,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "libraries": {each.__name__: each.__version__ for each in (tifffile, h5py, zarr, np)},
        "seed": SEED,
    }
    (options.out / "movies.json").write_text(json.dumps(result, indent=2) + "\n")
    (options.out / "movies.md").write_text(table(result))
    print(table(result))
    return 0


def in_its_own_process(
    name: str, n_frames: int, options: argparse.Namespace
) -> dict[str, float]:
    """Write one movie and measure it where nothing else was read before."""
    folder = Path(tempfile.mkdtemp(prefix="movies-", dir=options.out))
    try:
        path = folder / FORMATS[name][1]
        FORMATS[name][2](path, n_frames)
        command = [sys.executable, __file__, "--out", str(options.out), "--formats", name]
        command += ["--repeats", str(options.repeats), "--measure", str(path)]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
        return found
    finally:
        shutil.rmtree(folder)


def measure(path: Path, name: str, repeats: int) -> dict[str, float]:
    """Open one movie and read frames of it, ours and plain in turn."""
    from napari_calm.widgets.recording_layers import movie_layer

    plain = FORMATS[name][3]
    before = memory_kilobytes("VmRSS")
    # From here on the peak is counted anew.
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    movie = open_movie(path)
    _known(movie)
    first_ms = (time.process_time() - start) * 1000
    frames = np.random.default_rng(SEED).integers(0, movie.n_frames, N_RANDOM)
    for frame in frames:
        np.asarray(movie.frames[int(frame)])
    grown = (memory_kilobytes("VmHWM") - before) / 1024
    read = plain(path)
    ours: dict[str, list[float]] = {"open": [], "frame": [], "layer": []}
    theirs: dict[str, list[float]] = {"open": [], "frame": []}
    for _ in range(repeats):
        theirs["open"].append(timed(lambda: plain(path)))
        ours["open"].append(timed(lambda: _known(open_movie(path))))
        ours["layer"].append(timed(lambda: movie_layer(open_movie(path))))
    for frame in map(int, frames):
        expected = np.asarray(read(frame))
        theirs["frame"].append(timed(lambda frame=frame: np.array(read(frame))))
        ours["frame"].append(timed(lambda frame=frame: np.array(movie.frames[frame])))
        assert np.array_equal(np.asarray(movie.frames[frame]), expected)
    middle = statistics.median
    return {
        "first_open_ms": first_ms,
        "open_ms": middle(ours["open"]),
        "plain_open_ms": middle(theirs["open"]),
        "layer_ms": middle(ours["layer"]),
        "frame_ms": middle(ours["frame"]),
        "longest_frame_ms": max(ours["frame"]),
        "plain_frame_ms": middle(theirs["frame"]),
        "longest_plain_frame_ms": max(theirs["frame"]),
        "memory_megabytes": grown,
        "frame_rate_hz": movie.frame_rate_hz or 0.0,
    }


def _known(movie: Movie) -> None:
    assert movie.n_frames
    assert movie.frame_rate_hz is None or movie.frame_rate_hz > 0


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of the processor that `work` takes."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def memory_kilobytes(what: str) -> int:
    """Memory of this process as Linux tells it: VmRSS now, VmHWM at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


def table(result: dict[str, object]) -> str:
    """Return the figures as Markdown."""
    formats = result["formats"]
    assert isinstance(formats, dict)
    lines = [
        f"{result['gigabytes']:g} GB, {result['frames']} frames of {SIDE} x {SIDE}, uint16, in "
        f"the page cache; processor time, medians, and the longest of {N_RANDOM} frames",
        "",
        "| movie | first open, ms | open, ms | plain | as a layer, ms | a frame, ms (longest) "
        "| plain (longest) | ratio | memory, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in formats.items():
        lines.append(
            f"| {FORMATS[name][0]} | {found['first_open_ms']:.0f} | {found['open_ms']:.1f} "
            f"| {found['plain_open_ms']:.1f} | {found['layer_ms']:.0f} "
            f"| {found['frame_ms']:.2f} ({found['longest_frame_ms']:.1f}) "
            f"| {found['plain_frame_ms']:.2f} ({found['longest_plain_frame_ms']:.1f}) "
            f"| {found['frame_ms'] / found['plain_frame_ms']:.1f} "
            f"| {found['memory_megabytes']:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
