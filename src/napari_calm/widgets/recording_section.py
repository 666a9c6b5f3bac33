"""The recording: movie and ROIs to extract it from, or opened, and what is known of it."""

from dataclasses import asdict, replace
from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFileDialog, QHBoxLayout, QPushButton

from ..core.movie import Movie
from ..core.recording import Recording
from .behaviour_row import BehaviourRow
from .extraction_choices import ExtractionChoices
from .geometry import Geometry, apply, known_frame_rate_hz, known_pixel_size_um
from .job import Job
from .layer_combo import LayerCombo
from .layer_sources import is_movie, is_roi_source, place_of, rate_in_file, rois_of
from .origin import Origin
from .recording_columns import columns_of
from .recording_layers import (
    BEHAVIOUR_KEY,
    CHOSEN_KEY,
    open_movie_steps,
    open_rois_steps,
    origin_of,
    path_of,
)
from .recording_opener import RecordingOpener
from .section import Section
from .session import Session
from .turns import Turns
from .use_row import UseRow


class RecordingSection(Section):
    """Chooses movie and ROIs, and extracts; `opener` opens what is extracted already."""

    def __init__(self, viewer, session: Session, job: Job, turns: Turns) -> None:
        super().__init__("Recording")
        self._viewer, self._session, self._job, self._turns = viewer, session, job, turns
        self._rate_is_typed = False
        self.opener = RecordingOpener(viewer, session, job, turns, self._how_to_read)
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
        self.extract = QPushButton("Extract traces", objectName="calm_extract")
        self.extract.setToolTip(
            "Average the movie under each ROI in one pass over it, "
            "and express it as dF/F over a running baseline of the seconds before."
        )
        self.show_traces = QPushButton("Show traces", objectName="calm_show_traces")
        self.show_traces.setToolTip("Open the panel with the traces below the canvas.")
        self.behaviour = BehaviourRow(session, job)
        self.use = UseRow(session)
        self._lay_out()
        self.opener.told.connect(self._say_state)
        self.open_movie.clicked.connect(self._ask_for_movie)
        self.open_rois.clicked.connect(self._ask_for_rois)
        self.extract.clicked.connect(self.start_extraction)
        self.movie.layer_changed.connect(self._on_movie_layer)
        self.rois.layer_changed.connect(self._say_state)
        self.frame_rate.lineEdit().textEdited.connect(self._on_rate_typed)
        self.frame_rate.valueChanged.connect(self._say_state)
        for button in (self.open_movie, self.open_rois):
            job.guard(button, lambda: "")
        job.guard(self.extract, self._missing)
        job.guard(self.show_traces, self._no_traces)
        session.recording_changed.connect(self._on_recording)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._on_movie_layer()
        self._on_recording()

    def _lay_out(self) -> None:
        self.form.addRow(self.opener)
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
        self.form.addRow(self.opener.exchange)
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
            geometry = Geometry(recording.frame_rate_hz, pixel_size_um)
            self.opener.tell("")
            self._turns.take(lambda: self._adopt(movie_layer, roi_layer, geometry))
            self._turns.take(
                lambda: self._session.set_recording(
                    recording, pixel_size_um=pixel_size_um, origin=origin
                )
            )

        self._job.start(steps(), title="Extract traces", on_done=on_done)

    def start_opening_movie(self, path: str | Path) -> None:
        """Open a movie in the worker, show it and choose it."""
        self._job.start(
            open_movie_steps(path),
            title="Open movie",
            on_done=self._show_movies,
        )

    def _show_movies(self, layers: list[tuple]) -> None:
        for layer in layers:
            self._turns.take(lambda layer=layer: self.movie.choose(self.opener.add(*layer)))

    def start_opening_rois(self, path: str | Path) -> None:
        """Open ROIs in the worker, show them and choose them."""
        self._job.start(
            open_rois_steps(path, **place_of(self.movie.layer)),
            title="Open ROIs",
            on_done=lambda layer: self.rois.choose(self.opener.add(*layer)),
        )

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

    def _on_inserted(self, event) -> None:
        layer, chosen = event.value, self.movie.layer
        if is_movie(layer) and layer.visible and chosen is not None and not chosen.visible:
            # What is shown is meant, not what is hidden.
            self.movie.choose(layer)
        self.opener.take_over(layer)

    def _on_movie_layer(self) -> None:
        layer = self.movie.layer
        if layer is not None:
            # A rate typed for another movie says nothing about this one.
            self.set_frame_rate_hz(known_frame_rate_hz(layer) or rate_in_file(layer))
        self._say_state()

    def _how_to_read(self) -> dict:
        return {
            "frame_rate_hz": self.frame_rate_hz if self._rate_is_typed else None,
            "drop_unusable": self.drop_unusable.isChecked(),
        }

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
                f"at {recording.frame_rate_hz:g} Hz. {self.opener.note}".strip()
            )
        self.opener.exchange.setVisible(self.opener.may_exchange())
        self.form.setRowVisible(self.use, recording is not None)
        self._job.refresh_buttons()

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
