"""From layers or a suite2p folder to traces."""

from dataclasses import asdict, replace
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFileDialog, QHBoxLayout, QPushButton

from ..core.movie import Movie
from ..core.recording import Recording
from .behaviour_row import BehaviourRow
from .extraction_choices import ExtractionChoices
from .geometry import Geometry, apply, known_frame_rate_hz, known_pixel_size_um
from .job import Job
from .layer_combo import LayerCombo
from .layer_sources import is_movie, is_roi_source, place_of, rate_in_file, rois_of
from .layers import ROIS, role_of
from .origin import Origin
from .recording_columns import columns_of
from .recording_layers import (
    BEHAVIOUR_KEY,
    CHOSEN_KEY,
    ORIGIN_KEY,
    RECORDING_KEY,
    OpenedFolder,
    layers_of_folder,
    open_movie_steps,
    open_recording_steps,
    open_rois_steps,
    origin_of,
    path_of,
    sentences,
)
from .section import Section
from .session import Session
from .use_row import UseRow

SAMPLE = ("napari-calm", "y_maze")


class RecordingSection(Section):
    """Chooses movie and ROIs, and extracts; or opens what is extracted already."""

    def __init__(self, viewer, session: Session, job: Job) -> None:
        super().__init__("Recording")
        self._viewer, self._session, self._job = viewer, session, job
        self._rate_is_typed = False
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
        self.open_movie = QPushButton("Open...", objectName="calm_open_movie")
        self.open_movie.setToolTip(
            "Open a movie: TIFF, HDF5 or NWB; drop a Zarr folder on the window. Frames are "
            "read when they are shown, so size does not matter."
        )
        self.open_rois = QPushButton("Open...", objectName="calm_open_rois")
        self.open_rois.setToolTip(
            "Open ROIs: a label image (TIFF or PNG, 0 = background), footprints (npz), ImageJ "
            "ROIs (zip or roi) or Cellpose's _seg.npy."
        )
        self.open_sample = QPushButton("Open sample", objectName="calm_open_sample")
        self.open_sample.setToolTip("Open a small simulated Y-maze session with known ROIs.")
        self.movie = LayerCombo(viewer, is_movie, empty_text="no movie open")
        self.rois = LayerCombo(viewer, is_roi_source, empty_text="no ROIs open")
        self.frame_rate = QDoubleSpinBox(objectName="calm_frame_rate")
        self.frame_rate.setRange(0.0, 10_000.0)
        self.frame_rate.setDecimals(3)
        self.frame_rate.setSuffix(" Hz")
        self.frame_rate.setSpecialValueText("not known")
        self.frame_rate.setToolTip(
            "Frames a second. Filled in where the movie's file says it; never guessed. "
            "Everything in seconds depends on it, and so does the model."
        )
        self.drop_unusable = QCheckBox(
            "Leave out unusable traces", objectName="calm_drop_unusable"
        )
        self.drop_unusable.setToolTip(
            "Neurons whose trace is constant or holds NaN are left out, instead of stopping."
        )
        self.choices = ExtractionChoices()
        self.cells_only = QCheckBox("Open accepted cells only", objectName="calm_cells_only")
        self.cells_only.setToolTip(
            "Read only the ROIs that suite2p, CaImAn or the NWB file's table accepts as cells. "
            "The others are not there at all then; to see them and still leave them out of "
            "results, open all and choose 'Use: accepted cells' below."
        )
        self.extract = QPushButton("Extract traces", objectName="calm_extract")
        self.extract.setToolTip(
            "Average the movie under each ROI in one pass over it, "
            "and express it as dF/F over a running baseline of the seconds before."
        )
        self.show_traces = QPushButton("Show traces", objectName="calm_show_traces")
        self.show_traces.setToolTip("Open the panel with the traces below the canvas.")
        self.exchange = QPushButton("Exchange axes", objectName="calm_exchange_axes")
        self.exchange.setToolTip(
            "Read the file again with the other order of axes: of the ROIs and images of an "
            "NWB file (x and y), or of a table of traces (neurons and frames). Offered where "
            "the file does not show which is right."
        )
        self.behaviour = BehaviourRow(session, job)
        self.use = UseRow(session)
        self._lay_out()
        self.open_suite2p.clicked.connect(self._ask_for_suite2p)
        self.open_file.clicked.connect(self._ask_for_file)
        self.open_movie.clicked.connect(self._ask_for_movie)
        self.open_rois.clicked.connect(self._ask_for_rois)
        self.open_sample.clicked.connect(self._open_sample)
        self.exchange.clicked.connect(self._exchange_axes)
        self.extract.clicked.connect(self.start_extraction)
        self.movie.layer_changed.connect(self._on_movie_layer)
        self.rois.layer_changed.connect(self._say_state)
        self.frame_rate.lineEdit().textEdited.connect(self._on_rate_typed)
        self.frame_rate.valueChanged.connect(self._say_state)
        for opener in (
            self.open_suite2p,
            self.open_file,
            self.open_sample,
            self.open_movie,
            self.open_rois,
        ):
            job.guard(opener, lambda: "")
        job.guard(self.exchange, lambda: "")
        job.guard(self.extract, self._missing)
        job.guard(self.show_traces, self._no_traces)
        session.recording_changed.connect(self._on_recording)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._on_movie_layer()
        self._on_recording()

    def _lay_out(self) -> None:
        openers = QHBoxLayout()
        for opener in (self.open_suite2p, self.open_file, self.open_sample):
            openers.addWidget(opener)
        self.form.addRow(openers)
        self.form.addRow(self.cells_only)
        for name, combo, button in (
            ("Movie", self.movie, self.open_movie),
            ("ROIs", self.rois, self.open_rois),
        ):
            row = QHBoxLayout()
            row.addWidget(combo, 1)
            row.addWidget(button)
            self.form.addRow(name, row)
        self.form.addRow("Frame rate", self.frame_rate)
        self.form.addRow(self.drop_unusable)
        self.form.addRow(self.choices)
        buttons = QHBoxLayout()
        buttons.addWidget(self.extract, 3)
        buttons.addWidget(self.show_traces, 2)
        self.form.addRow(buttons)
        self.form.addRow(self.exchange)
        self.form.addRow("Behaviour", self.behaviour)
        self.add_result_line()
        self.form.addRow("Use", self.use)

    def release(self) -> None:
        """Stop following viewer and session."""
        self.behaviour.release()
        self.use.release()
        self.movie.close_connections()
        self.rois.close_connections()
        self._session.recording_changed.disconnect(self._on_recording)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)

    @property
    def frame_rate_hz(self) -> float | None:
        """What the field says; None where it says "not known"."""
        return self.frame_rate.value() or None

    def set_frame_rate_hz(self, frame_rate_hz: float | None) -> None:
        """Fill the field in from a source that knows."""
        self._rate_is_typed = False
        self.frame_rate.setValue(frame_rate_hz or 0.0)

    def start_extraction(self) -> None:
        """Extract traces from the chosen layers in the worker."""
        movie_layer, roi_layer = self.movie.layer, self.rois.layer
        pixel_size_um = known_pixel_size_um(movie_layer) or known_pixel_size_um(roi_layer)
        movie_data, movie_name = movie_layer.data, movie_layer.name
        image_shape = tuple(movie_data.shape[-2:])
        make_footprints = rois_of(roi_layer, image_shape)
        known = movie_layer.metadata.get(BEHAVIOUR_KEY, {})
        chosen = movie_layer.metadata.get(CHOSEN_KEY, {})
        frame_rate_hz, drop = self.frame_rate_hz, self.drop_unusable.isChecked()
        options = self.choices.options()
        movie_path, rois_path = path_of(movie_layer), path_of(roi_layer)

        def steps():
            from ..extraction.extract import extract_steps

            movie = Movie(
                movie_data, frame_rate_hz, pixel_size_um, movie_name, f"layer '{movie_name}'"
            )
            footprints = make_footprints()
            extracted = yield from extract_steps(
                movie,
                footprints,
                frame_rate_hz=frame_rate_hz,
                drop_unusable=drop,
                **asdict(options),
            )
            recording = replace(extracted, **known) if known else extracted
            columns_of(recording)
            origin = origin_of(
                movie_path,
                rois_path,
                chosen=chosen,
                movie_shape=tuple(movie_data.shape),
                labels=footprints.label_image,
                frame_rate_hz=frame_rate_hz,
                drop_unusable=drop,
                extraction=options.changed(),
            )
            return recording, origin

        def on_done(result: tuple[Recording, Origin | None]) -> None:
            recording, origin = result
            self._adopt(
                movie_layer, roi_layer, Geometry(recording.frame_rate_hz, pixel_size_um)
            )
            self._note = ""
            self._session.set_recording(recording, pixel_size_um=pixel_size_um, origin=origin)

        self._job.start(steps(), title="Extract traces", on_done=on_done)

    def start_opening_movie(self, path: str | Path) -> None:
        """Open a movie in the worker, show it and choose it."""
        self._job.start(
            open_movie_steps(path),
            title="Open movie",
            on_done=lambda layers: [self.movie.choose(self._add(*each)) for each in layers],
        )

    def start_opening_rois(self, path: str | Path) -> None:
        """Open ROIs in the worker, show them and choose them."""
        self._job.start(
            open_rois_steps(path, **place_of(self.movie.layer)),
            title="Open ROIs",
            on_done=lambda layer: self.rois.choose(self._add(*layer)),
        )

    def _add(self, data, arguments: dict, kind: str):
        layer = getattr(self._viewer, f"add_{kind}")(data, **arguments)
        self._viewer.reset_view()
        return layer

    def start_opening(self, path: str | Path) -> None:
        """Read a folder or file that holds a recording in the worker and show it."""
        typed_hz = self.frame_rate_hz if self._rate_is_typed else None
        steps = open_recording_steps(
            path,
            frame_rate_hz=typed_hz,
            drop_unusable=self.drop_unusable.isChecked(),
            cells_only=self.cells_only.isChecked(),
        )
        self._job.start(steps, title="Open recording", on_done=self.show_opened)

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

    def show_opened(self, opened: OpenedFolder) -> None:
        """Show what was opened; it becomes the session's recording."""
        for layer in self._viewer.layers:
            if not role_of(layer):
                # Another recording's movie would shine through.
                layer.visible = False
        for layer in layers_of_folder(opened):
            self._add(*layer)
        self._note = opened.note
        self._say_state()
        # Not the ROIs, whose controls are for painting.
        self._viewer.layers.selection.active = self._viewer.layers[0]

    def _ask_for_movie(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open movie", "", "Movies (*.tif *.tiff *.btf *.h5 *.hdf5 *.nwb)"
        )
        if path:
            self.start_opening_movie(path)

    def _ask_for_rois(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open ROIs", "", "ROIs (*.tif *.tiff *.png *.npz *.zip *.roi *_seg.npy)"
        )
        if path:
            self.start_opening_rois(path)

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

    def _on_inserted(self, event) -> None:
        layer, chosen = event.value, self.movie.layer
        if is_movie(layer) and layer.visible and chosen is not None and not chosen.visible:
            # What is shown is meant, not what is hidden.
            self.movie.choose(layer)
        self.take_over(layer)

    def take_over(self, layer) -> None:
        """Use the recording that a reader brought along with `layer`, if it did."""
        recording = layer.metadata.get(RECORDING_KEY)
        if recording is not None and recording is not self._session.recording:
            self._note = sentences(recording.notes)
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

    def _on_movie_layer(self) -> None:
        layer = self.movie.layer
        if layer is not None:
            # A rate typed for another movie says nothing about this one.
            self.set_frame_rate_hz(known_frame_rate_hz(layer) or rate_in_file(layer))
        self._say_state()

    def _on_rate_typed(self) -> None:
        self._rate_is_typed = True

    def _on_recording(self) -> None:
        # With a movie chosen the field is about that movie, which may be another one.
        if self._session.recording is not None and self.movie.layer is None:
            self.set_frame_rate_hz(self._session.recording.frame_rate_hz)
        self._say_state()

    def _say_state(self, _value: float = 0.0) -> None:
        recording = self._session.recording
        if recording is None:
            self.say(self._missing())
        else:
            self.say(
                f"{recording.name}: {recording.n_neurons} neurons, "
                f"{recording.n_frames} frames, {recording.duration_s:.0f} s "
                f"at {recording.frame_rate_hz:g} Hz. {self._note}".strip()
            )
        self.exchange.setVisible(self._may_exchange())
        self.form.setRowVisible(self.use, recording is not None)
        self._job.refresh_buttons()

    def _may_exchange(self) -> bool:
        """Tell whether the file left open which axis is which, or it was decided here."""
        recording, origin = self._session.recording, self._session.origin
        if recording is None or origin is None:
            return False
        asked = any("'Exchange axes'" in note for note in recording.notes)
        return asked or origin.transpose is not None

    def _no_traces(self) -> str:
        return "" if self._session.recording else "There are no traces yet."

    def _missing(self) -> str:
        if self.movie.layer is None:
            return "Open a movie first: an image layer with three axes (time, y, x)."
        if self.rois.layer is None:
            return "Open or draw ROIs first: a Labels or Shapes layer over one image (y, x)."
        if self.frame_rate_hz is None:
            return "Give the frame rate first, in Hz: the movie's file does not say it."
        return ""

    def _adopt(self, movie_layer, roi_layer, geometry: Geometry) -> None:
        """Give the user's own layers the units of ours; one without switches all off."""
        layers = list(self._viewer.layers)
        if movie_layer in layers:
            # The slider keeps its frame while frames turn into seconds.
            steps = self._viewer.dims.current_step
            apply(movie_layer, geometry.of_frames())
            self._viewer.dims.current_step = steps
        if roi_layer in layers:
            apply(roi_layer, geometry.of_image())
            # Our outlines show the same ROIs without covering the movie.
            roi_layer.visible = False
            if movie_layer in layers and self._viewer.layers.selection.active == roi_layer:
                self._viewer.layers.selection.active = movie_layer
