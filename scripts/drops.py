"""Drop a file of every format on a real napari window, check the layers, take a picture.

    xvfb-run -a python scripts/drops.py --out drops [--data ../shared/data] [--only NWB Zarr]

Writes small files of every format into a temporary folder; with --data the real files of other
programs that lie there are dropped too. Every drop is a real QDropEvent on the window with the
CalM panel open. The reader is set as a user's preference, because napari would ask where
several can read a file. Layers must hold the scene, pixel for pixel, with scale, units, axis
names and feature columns; what does not is told at the end, and the status is 1 then. Look at
the pictures: they show what numbers do not.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import drops_files as scene
import napari
import numpy as np
from napari._qt.dialogs.qt_notification import NapariQtNotification
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication

from napari_calm.widgets.demo import settle
from napari_calm.widgets.layers import ACTIVITY, ROIS
from napari_calm.widgets.panel import CalmPanel

COLUMNS = {"index", "neuron", "area_px", "centroid_y_px", "centroid_x_px", "overlap_share"}
# What HDF5 and plain Zarr cannot say, and what plain TIFF does not.
WITHOUT_PIXEL_SIZE = ("HDF5", "Zarr", "TIFF without a frame rate")
WITHOUT_RATE = ("Zarr", "TIFF without a frame rate")
REAL = (
    "movie/two_photon_mouse.tif",
    "movie/two_photon_mouse_labels.tif",
    "suite2p/suite2p",
    "caiman/sample_cellset_msr_1.hdf5",
    "nwb/suite2p_2022_08_08.nwb",
    "nwb/A0634-210127.nwb",
    "minian/camap_1d",
)


def drop(viewer: napari.Viewer, paths: list[Path], *, as_one: bool = False) -> None:
    """Drop files on the window, as a mouse would; with Shift they are one movie."""
    get_settings().plugins.extension2reader = {
        f"*{path.name}*": "napari-calm" for path in paths
    }
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path.resolve())) for path in paths])
    shift, none = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(
        QPointF(300, 300),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        shift if as_one else none,
    )
    # napari asks the keyboard itself whether Shift is held.
    with patch("napari._qt.qt_viewer.QGuiApplication") as application:
        application.keyboardModifiers.return_value = event.modifiers()
        viewer.window._qt_viewer.dropEvent(event)
    settle(0.3)


def wrong_with(layer: object, scale: tuple, units: tuple, axes: tuple) -> Iterator[str]:
    """Say what of the place of a layer is not as it should be."""
    if not np.allclose(layer.scale, scale):
        yield f"{layer.name}: scale {layer.scale.tolist()}, not {scale}"
    if (found := tuple(map(str, layer.units))) != units:
        yield f"{layer.name}: units {found}, not {units}"
    if layer.axis_labels != axes:
        yield f"{layer.name}: axes {layer.axis_labels}, not {axes}"


def side(has_size: bool) -> tuple[float, str]:
    """Return side and unit of a pixel."""
    return (scene.PIXEL_UM, "micrometer") if has_size else (1.0, "pixel")


def wrong_with_movie(viewer: napari.Viewer, name: str) -> Iterator[str]:
    """Check the only layer that is shown: a movie of the scene, on top."""
    layer = viewer.layers[-1]
    if [each for each in viewer.layers if each.visible] != [layer]:
        yield f"expected one layer to be shown of {[each.name for each in viewer.layers]}"
    if len(viewer.layers) != (2 if name == "TIFF of two channels" else 1):
        yield f"found {len(viewer.layers)} layers"
    pixel, unit = side(name not in WITHOUT_PIXEL_SIZE)
    step, time_unit = (1.0, "pixel") if name in WITHOUT_RATE else (1 / scene.RATE_HZ, "second")
    axes = ("time", "y", "x")
    yield from wrong_with(layer, (step, pixel, pixel), (time_unit, unit, unit), axes)
    if not np.array_equal(np.asarray(layer.data), scene.frames()):
        yield f"{layer.name}: other pixels than the scene"


def wrong_with_rois(
    layer: object, *, has_size: bool = False, only_last: bool = False
) -> Iterator[str]:
    """Check a Labels layer: the ROIs of the scene."""
    pixel, unit = side(has_size)
    yield from wrong_with(layer, (pixel, pixel), (unit, unit), ("y", "x"))
    inside = scene.recording().footprints.label_image
    expected = inside == inside.max() if only_last else inside > 0
    if not np.array_equal(np.asarray(layer.data) > 0, expected):
        yield f"{layer.name}: ROIs at other places than in the scene"
    if missing := COLUMNS - set(layer.features):
        yield f"{layer.name}: no column {', '.join(missing)}"
    known = set(layer.features["index"])
    if not set(np.unique(layer.data)) - {0} <= known:
        yield f"{layer.name}: features of {known} do not cover the labels"


def wrong_with_recording(viewer: napari.Viewer, panel: CalmPanel) -> Iterator[str]:
    """Check the ROIs, the activity over them, and that the panel has the traces."""
    found, expected = panel.session.recording, scene.recording()
    if found is None:
        yield "the panel has no recording"
        return
    yield from wrong_with_rois(viewer.layers[ROIS])
    activity = viewer.layers[ACTIVITY]
    scale, units = (1 / scene.RATE_HZ, 1, 1), ("second", "pixel", "pixel")
    yield from wrong_with(activity, scale, units, ("time", "y", "x"))
    if not np.allclose(found.traces, expected.traces, atol=1e-5):
        yield "other traces than in the scene"


def wrong_with_raster(viewer: napari.Viewer, panel: CalmPanel) -> Iterator[str]:
    """Check traces without ROIs: neurons x time."""
    layer = viewer.layers[-1]
    step = 1 / scene.RATE_HZ
    yield from wrong_with(layer, (1, step), ("pixel", "second"), ("neuron", "time"))
    if not np.allclose(panel.session.recording.traces, scene.recording().traces, atol=1e-5):
        yield "other traces than in the scene"


def cases(
    folder: Path, names: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[list[Path]], str]]:
    """Give name, drops and kind of each case, or of `names` alone; files are written first."""
    underneath = folder / "under" / scene.MOVIES["TIFF"][0]
    underneath.parent.mkdir()
    scene.tiff(underneath)
    for kind, written in (
        ("movie", scene.MOVIES),
        ("rois", scene.ROIS),
        ("recording", scene.RECORDINGS),
        ("without rate", scene.WITHOUT_RATE),
        ("raster", scene.TRACES),
    ):
        for name, (file, write) in written.items():
            if names and name not in names:
                continue
            path = folder / file
            write(path)
            together = sorted(path.iterdir()) if name.endswith("Shift") else [path]
            drops = [together]
            if kind == "rois":
                # ROIs are drawn on a movie: they lie on the one that is open.
                drops.insert(0, [underneath])
            yield name, drops, kind


def wrong_with_case(
    viewer: napari.Viewer, panel: CalmPanel, name: str, kind: str
) -> Iterator[str]:
    """Say what is not as it should be after the drop."""
    if not len(viewer.layers):
        yield "no layer came of it"
        return
    match kind:
        case "movie":
            yield from wrong_with_movie(viewer, name)
        case "rois":
            only_last = name == "ImageJ roi"
            yield from wrong_with_rois(viewer.layers[-1], has_size=True, only_last=only_last)
        case "recording":
            yield from wrong_with_recording(viewer, panel)
        case "without rate":
            yield from wrong_with_rois(viewer.layers[-1])
        case "raster":
            yield from wrong_with_raster(viewer, panel)


def wrong_with_real(viewer: napari.Viewer) -> Iterator[str]:
    """Check what holds for any file: units and axis names everywhere, features on ROIs."""
    if not len(viewer.layers):
        yield "no layer came of it"
    for layer in viewer.layers:
        names = ("time", "y", "x")[-layer.ndim :]
        if layer.axis_labels != names:
            yield f"{layer.name}: axes {layer.axis_labels}, not {names}"
        is_labels = layer.__class__.__name__ == "Labels"
        if is_labels and (missing := COLUMNS - set(layer.features)):
            yield f"{layer.name}: no column {', '.join(missing)}"
    sizes = {layer.extent.world[1][-1] - layer.extent.world[0][-1] for layer in viewer.layers}
    if len(sizes) > 1:
        yield f"layers of different width: {sizes}"


def clear(viewer: napari.Viewer, panel: CalmPanel) -> None:
    """Begin anew: no layer, no recording, no message of the drop before."""
    panel.session.set_recording(None)
    viewer.layers.clear()
    for message in viewer.window._qt_window.findChildren(NapariQtNotification):
        message.close()
    settle(0.2)
    # Outside an event loop what Qt deletes later would stay, and be drawn over the new.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def main() -> int:
    """Drop everything, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("drops"))
    parser.add_argument("--data", type=Path, help="folder with formats/, real files")
    parser.add_argument("--only", nargs="+", help="cases whose name holds one of these")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    preferences = get_settings().plugins.extension2reader
    viewer = napari.Viewer(title="napari-calm")
    viewer.window.resize(1280, 800)
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM", area="right")
    wrong: list[str] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            todo = list(cases(Path(folder)))
            if args.data:
                real = [args.data / "formats" / each for each in REAL]
                todo += [(f"real {path.name}", [[path]], "real") for path in real]
            for name, drops, kind in todo:
                if args.only and not any(word.lower() in name.lower() for word in args.only):
                    continue
                clear(viewer, panel)
                for paths in drops:
                    drop(viewer, paths, as_one=len(paths) > 1)
                found = (
                    wrong_with_real(viewer)
                    if kind == "real"
                    else wrong_with_case(viewer, panel, name, kind)
                )
                said = [f"{name}: {each}" for each in found]
                settle(0.5)
                picture = args.out / f"{name.replace(' ', '_').replace(',', '')}.png"
                viewer.screenshot(str(picture), canvas_only=False, flash=False)
                print(
                    "WRONG" if said else "ok   ",
                    name,
                    *(f"\n      {each}" for each in said),
                    flush=True,
                )
                wrong += said
    finally:
        get_settings().plugins.extension2reader = preferences
        panel.release_once()
        viewer.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
