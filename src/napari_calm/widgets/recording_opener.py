"""Opens recordings whose traces are extracted already, and shows them."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .geometry import known_pixel_size_um
from .job import Job
from .layers import ROIS, role_of
from .recording_layers import (
    ORIGIN_KEY,
    RECORDING_KEY,
    OpenedFolder,
    layers_of_folder,
    open_recording_steps,
    sentences,
)
from .session import Session
from .turns import Turns

SAMPLE = ("napari-calm", "y_maze")


class RecordingOpener(QWidget):
    """Buttons that open a recording; it becomes the session's, and its layers are added.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    job : Job
        In which files are read.
    turns : Turns
        In which the layers of what was read are added.
    how : callable
        Returns what the user says of reading: `frame_rate_hz`, None where the file is to say
        it, and `drop_unusable`.

    Signals
    -------
    told
        `note` is another one.
    """

    told = Signal()

    def __init__(
        self, viewer, session: Session, job: Job, turns: Turns, how: Callable[[], dict]
    ) -> None:
        super().__init__()
        self._viewer, self._session, self._job, self._how = viewer, session, job, how
        self._turns = turns
        self._note = ""
        self.open_suite2p = QPushButton("Open folder...", objectName="calm_open_suite2p")
        self.open_suite2p.setToolTip(
            "Open the results of suite2p (the folder with stat.npy and F.npy; its traces, less "
            "0.7 of the neuropil, become dF/F), of minian (A.zarr and C.zarr) or a session "
            "folder. Nothing needs to be extracted."
        )
        self.open_file = QPushButton("Open file...", objectName="calm_open_file")
        self.open_file.setToolTip(
            "Open traces with their ROIs: NWB, CaImAn (hdf5), EXTRACT (mat), or traces as npz, "
            "npy, csv or parquet. Where the file has no frame rate, give it below first."
        )
        self.open_sample = QPushButton("Open sample", objectName="calm_open_sample")
        self.open_sample.setToolTip("Open a small simulated Y-maze session with known ROIs.")
        self.cells_only = QCheckBox("Open accepted cells only", objectName="calm_cells_only")
        self.cells_only.setToolTip(
            "Read only the ROIs that suite2p, CaImAn or the NWB file's table accepts as cells. "
            "The others are not there at all then; to see them and still leave them out of "
            "results, open all and choose 'Use: accepted cells' below."
        )
        # Not among the others: it stands where the recording is told.
        self.exchange = QPushButton("Exchange axes", objectName="calm_exchange_axes")
        self.exchange.setToolTip(
            "Read the file again with the other order of axes: of the ROIs and images of an "
            "NWB file (x and y), or of a table of traces (neurons and frames). Offered where "
            "the file does not show which is right."
        )
        openers = QHBoxLayout()
        for opener, act in (
            (self.open_suite2p, self._ask_for_suite2p),
            (self.open_file, self._ask_for_file),
            (self.open_sample, self._open_sample),
            (self.exchange, self._exchange_axes),
        ):
            opener.clicked.connect(act)
            job.guard(opener, lambda: "")
            if opener is not self.exchange:
                openers.addWidget(opener)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(openers)
        layout.addWidget(self.cells_only)

    @property
    def note(self) -> str:
        """What is to be known of the recording that was opened; empty for nothing."""
        return self._note

    def tell(self, note: str) -> None:
        """Take another note; an empty one for a recording that was not opened here."""
        self._note = note
        self.told.emit()

    def may_exchange(self) -> bool:
        """Tell whether the file left open which axis is which, or it was decided here."""
        recording, origin = self._session.recording, self._session.origin
        if recording is None or origin is None:
            return False
        asked = any("'Exchange axes'" in note for note in recording.notes)
        return asked or origin.transpose is not None

    def start_opening(self, path: str | Path) -> None:
        """Read a folder or file that holds a recording in the worker and show it."""
        steps = open_recording_steps(
            path, cells_only=self.cells_only.isChecked(), **self._how()
        )
        self._job.start(steps, title="Open recording", on_done=self.show_opened)

    def show_opened(self, opened: OpenedFolder) -> None:
        """Show what was opened; it becomes the session's recording."""
        for layer in self._viewer.layers:
            if not role_of(layer):
                # Another recording's movie would shine through.
                layer.visible = False
        for layer in layers_of_folder(opened):
            self._turns.take(partial(self.add, *layer))
        self._turns.take(partial(self._show_note, opened.note))

    def _show_note(self, note: str) -> None:
        self.tell(note)
        # Not the ROIs, whose controls are for painting.
        if self._viewer.layers:
            self._viewer.layers.selection.active = self._viewer.layers[0]

    def add(self, data, arguments: dict, kind: str):
        """Add a layer of `kind`, and look at it whole; return it."""
        layer = getattr(self._viewer, f"add_{kind}")(data, **arguments)
        self._viewer.reset_view()
        return layer

    def take_over(self, layer) -> None:
        """Use the recording that a reader brought along with `layer`, if it did."""
        recording = layer.metadata.get(RECORDING_KEY)
        if recording is not None and recording is not self._session.recording:
            self.tell(sentences(recording.notes))
            self._session.set_recording(
                recording,
                pixel_size_um=known_pixel_size_um(layer),
                origin=layer.metadata.get(ORIGIN_KEY),
            )
            # Not now: napari is still busy adding the new layer.
            QTimer.singleShot(0, lambda: self._remove_other_rois(layer))

    def _remove_other_rois(self, layer) -> None:
        """Take away the ROIs of the recording before this one."""
        for other in list(self._viewer.layers):
            if role_of(other) == ROIS and other is not layer and layer in self._viewer.layers:
                self._viewer.layers.remove(other)

    def _exchange_axes(self) -> None:
        origin = self._session.origin
        if origin is None:
            return
        options = asdict(origin)
        # Where nothing was said NWB files were read as the format has it, x first.
        by_format = Path(origin.path).suffix.lower() == ".nwb"
        was = by_format if origin.transpose is None else origin.transpose
        steps = open_recording_steps(
            options.pop("path"),
            pixel_size_um=self._session.pixel_size_um,
            **{**options, "transpose": not was},
        )
        self._job.start(steps, title="Exchange axes", on_done=self.show_opened)

    def _ask_for_suite2p(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of suite2p or minian")
        if folder:
            self.start_opening(folder)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self,
            "Open recording",
            "",
            "Recordings (*.nwb *.hdf5 *.h5 *.mat *.npz *.npy *.csv *.tsv *.parquet)",
        )
        if path:
            self.start_opening(path)

    def _open_sample(self) -> None:
        self._viewer.open_sample(*SAMPLE)
