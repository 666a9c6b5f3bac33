"""Small files of every format that can be dropped, all of one scene that is lopsided.

The image is wider than high and the ROIs lie unevenly, so that whatever is transposed,
mirrored or shifted shows.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import tifffile
import zarr

from napari_calm.core.footprints import Footprints
from napari_calm.core.recording import Recording
from napari_calm.io.export import export_recording
from napari_calm.io.labels import write_footprints

HEIGHT, WIDTH, N_FRAMES = 60, 96, 120
RATE_HZ, PIXEL_UM = 10.0, 2.0
_CORNERS = ((4, 6), (4, 30), (4, 58), (22, 12), (40, 8), (44, 70))


@cache
def recording() -> Recording:
    """Six neurons: three along the top, the others at the left and in one corner."""
    labels = np.zeros((HEIGHT, WIDTH), int)
    for number, (top, left) in enumerate(_CORNERS):
        labels[top : top + 8 + number, left : left + 10] = number + 1
    rng = np.random.default_rng(0)
    traces = np.abs(np.cumsum(rng.normal(size=(len(_CORNERS), N_FRAMES)), axis=1)) * 0.1
    footprints = Footprints.from_label_image(labels)
    return Recording(traces, RATE_HZ, name="scene", footprints=footprints)


@cache
def frames() -> np.ndarray:
    """The movie, uint16 (frames, height, width): brighter to the right, ROIs that flicker."""
    rng = np.random.default_rng(1)
    movie = rng.integers(80, 120, (N_FRAMES, HEIGHT, WIDTH)) + np.arange(WIDTH)
    inside = recording().footprints.label_image
    padded = np.vstack([np.zeros(N_FRAMES), recording().traces])
    return (movie + 150 * padded[inside].transpose(2, 0, 1)).astype(np.uint16)


def mean_image() -> np.ndarray:
    """Mean of the movie, float32."""
    return frames().mean(axis=0).astype(np.float32)


def tiff(path: Path, **options: object) -> None:
    """Axes, frame rate and pixel size as tifffile keeps them."""
    facts = {"axes": "TYX", "fps": RATE_HZ, "pixel_size_um": PIXEL_UM}
    tifffile.imwrite(path, frames(), photometric="minisblack", metadata=facts, **options)


def two_channels(path: Path) -> None:
    """The scene in the first channel, upside down in the second."""
    both = np.stack([frames(), frames()[:, ::-1]], axis=1)
    facts = {"axes": "TCYX", "fps": RATE_HZ, "pixel_size_um": PIXEL_UM}
    tifffile.imwrite(path, both, photometric="minisblack", metadata=facts)


def plain_tiff(path: Path) -> None:
    """Says neither its frame rate nor its pixel size."""
    tifffile.imwrite(path, frames(), photometric="minisblack", metadata=None)


def ome_tiff(path: Path) -> None:
    """OME's own names of the same."""
    facts = {
        "axes": "TYX",
        "TimeIncrement": 1 / RATE_HZ,
        "PhysicalSizeX": PIXEL_UM,
        "PhysicalSizeY": PIXEL_UM,
    }
    tifffile.imwrite(path, frames(), ome=True, metadata=facts, compression="zlib")


def scanimage(path: Path) -> None:
    """A page a frame; the field of view gives the pixel size."""
    right, bottom = WIDTH * PIXEL_UM, HEIGHT * PIXEL_UM
    header = (
        f"SI.VERSION_MAJOR = 2020\nSI.hRoiManager.scanFrameRate = {RATE_HZ}\n"
        f"SI.hRoiManager.pixelsPerLine = {WIDTH}\n"
        f"SI.hRoiManager.imagingFovUm = [0 0;{right} 0;{right} {bottom};0 {bottom}]\n"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for frame in frames():
            file.write(
                frame,
                contiguous=False,
                metadata=None,
                photometric="minisblack",
                software=header,
            )


def tiff_parts(folder: Path) -> None:
    """A movie that was cut into three files."""
    folder.mkdir()
    for number, part in enumerate(np.split(frames(), 3)):
        facts = {"axes": "TYX", "fps": RATE_HZ, "pixel_size_um": PIXEL_UM}
        path = folder / f"run_{number + 8}.tif"
        tifffile.imwrite(path, part, photometric="minisblack", metadata=facts)


def hdf5(path: Path) -> None:
    """One dataset with its frame rate."""
    with h5py.File(path, "w") as file:
        file.create_dataset("mov", data=frames(), chunks=(1, HEIGHT, WIDTH)).attrs["fps"] = (
            RATE_HZ
        )


def plain_zarr(path: Path) -> None:
    """An array without any description."""
    zarr.create_array(path, data=frames(), chunks=(10, HEIGHT, WIDTH))


def ome_zarr(path: Path, version: str) -> None:
    """One image of one level."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", data=frames(), chunks=(10, HEIGHT, WIDTH))
    axes = [("t", "time", "second"), ("y", "space", "micrometer"), ("x", "space", "micrometer")]
    step = {"type": "scale", "scale": [1 / RATE_HZ, PIXEL_UM, PIXEL_UM]}
    image = {
        "axes": [{"name": name, "type": kind, "unit": unit} for name, kind, unit in axes],
        "datasets": [{"path": "0", "coordinateTransformations": [step]}],
        "version": version,
    }
    described = {"version": version, "multiscales": [image]}
    group.attrs.update(described if version == "0.4" else {"ome": described})


def nwb_movie(path: Path) -> None:
    """A OnePhotonSeries with x first, as the format has it."""
    import pynwb

    nwb = pynwb.NWBFile("a scene", path.stem, datetime(2025, 1, 1, tzinfo=UTC))
    channel = pynwb.ophys.OpticalChannel(
        name="green", description="GCaMP", emission_lambda=520.0
    )
    plane = nwb.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="V1",
        device=nwb.create_device(name="scope"),
        excitation_lambda=920.0,
        indicator="GCaMP6s",
        location="V1",
        grid_spacing=[PIXEL_UM, PIXEL_UM],
        grid_spacing_unit="micrometers",
    )
    series = pynwb.ophys.OnePhotonSeries(
        name="scene",
        data=frames().transpose(0, 2, 1),
        imaging_plane=plane,
        unit="a.u.",
        rate=RATE_HZ,
    )
    nwb.add_acquisition(series)
    with pynwb.NWBHDF5IO(path, "w") as file:
        file.write(nwb)


def caiman(path: Path) -> None:
    """Footprints in Fortran order, F_dff and a frame rate."""
    weights = recording().footprints.weights.toarray().reshape(-1, HEIGHT, WIDTH)
    with h5py.File(path, "w") as file:
        file["dims"] = np.array([HEIGHT, WIDTH])
        file["estimates/A"] = np.stack([image.ravel(order="F") for image in weights], axis=1)
        file["estimates/F_dff"] = file["estimates/C"] = recording().traces
        file["estimates/Cn"] = mean_image()
        file["params/data/fr"] = RATE_HZ


def minian(folder: Path) -> None:
    """A and C as minian saves them, and the maximum projection."""
    weights = recording().footprints.weights.toarray().reshape(-1, HEIGHT, WIDTH)
    for name, data, axes in (
        ("A", weights, ["unit_id", "height", "width"]),
        ("C", recording().traces, ["unit_id", "frame"]),
        ("max_proj", frames().max(axis=0).astype(float), ["height", "width"]),
    ):
        group = zarr.open_group(folder / f"{name}.zarr", mode="w", zarr_format=2)
        group.create_array(name, data=data, chunks=data.shape)
        group[name].attrs["_ARRAY_DIMENSIONS"] = axes
        if "unit_id" in axes:
            group.create_array("unit_id", data=np.arange(len(data)))


def extract_mat(path: Path) -> None:
    """MATLAB keeps the axes of an array the other way round."""
    weights = recording().footprints.weights.toarray().reshape(-1, HEIGHT, WIDTH)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["output/spatial_weights"] = weights.transpose(0, 2, 1)
        file["output/temporal_weights"] = recording().traces
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def cellpose(path: Path) -> None:
    """What Cellpose pickles beside the image."""
    masks = recording().footprints.label_image.astype(np.uint16)
    contents = {"masks": masks, "outlines": masks, "filename": "mean.tif"}
    np.save(path, contents, allow_pickle=True)


def label_tiff(path: Path) -> None:
    """A label image, as Cellpose's _cp_masks.tif is one."""
    tifffile.imwrite(path, recording().footprints.label_image.astype(np.uint16))


def exported(path: Path) -> None:
    """Whatever our own writers make, told by the ending."""
    export_recording(recording(), path)


def traces_alone(path: Path) -> None:
    """Traces that nobody knows the place of."""
    np.savez(path, traces=recording().traces, fps=RATE_HZ)


def imagej_roi(path: Path) -> None:
    """A single ROI of ImageJ."""
    import roifile

    top, left = _CORNERS[5]
    corners = [[left, top], [left + 10, top], [left + 10, top + 13], [left, top + 13]]
    roifile.ImagejRoi.frompoints(corners).tofile(path)


def footprints(path: Path) -> None:
    """Our own sparse ROIs."""
    write_footprints(recording().footprints, path)


MOVIES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "TIFF": ("m.tif", tiff),
    "TIFF without a frame rate": ("plain.tif", plain_tiff),
    "TIFF of two channels": ("two.tif", two_channels),
    "BigTIFF": ("big.tif", lambda path: tiff(path, bigtiff=True)),
    "OME-TIFF, compressed": ("m.ome.tif", ome_tiff),
    "ScanImage": ("si.tif", scanimage),
    "folder of TIFF files": ("parts", tiff_parts),
    "TIFF files with Shift": ("shift", tiff_parts),
    "HDF5": ("m.h5", hdf5),
    "Zarr": ("m.zarr", plain_zarr),
    "OME-Zarr 0.4": ("old.ome.zarr", lambda path: ome_zarr(path, "0.4")),
    "OME-Zarr 0.5": ("new.ome.zarr", lambda path: ome_zarr(path, "0.5")),
    "NWB movie": ("movie.nwb", nwb_movie),
}
ROIS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "ImageJ zip": ("rois.zip", exported),
    "ImageJ roi": ("one.roi", imagej_roi),
    "Cellpose seg": ("mean_seg.npy", cellpose),
    "Cellpose masks": ("mean_cp_masks.tif", label_tiff),
    "label TIFF": ("labels.tif", label_tiff),
    "footprints": ("rois.npz", footprints),
}
RECORDINGS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "NWB ophys": ("ophys.nwb", exported),
    "suite2p": ("suite2p", exported),
    "CaImAn": ("caiman.hdf5", caiman),
    "traces npz with ROIs": ("traces.npz", exported),
}
WITHOUT_RATE: dict[str, tuple[str, Callable[[Path], None]]] = {
    "minian": ("minian", minian),
    "EXTRACT": ("extract.mat", extract_mat),
}
TRACES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "traces npz": ("alone.npz", traces_alone),
    "traces parquet": ("traces.parquet", exported),
}
