"""Forecasting from a frame on, and saying how good it was."""

from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
)

from ..core.errors import CalmError
from ..core.progress import Progress
from .following_forecast import FollowingForecast
from .job import Job
from .made_with import Request
from .model_section import ModelSection
from .palette import overlay_words
from .samples_field import SamplesField, samples_for
from .section import Section
from .session import Session, kind_of
from .skill_here import SkillHere
from .skill_text import skill_in_words


class ForecastSection(Section):
    """Start, horizon, samples and seed; the forecast, its skill, and saving it."""

    def __init__(self, session: Session, job: Job, model: ModelSection) -> None:
        super().__init__("Forecast")
        self._session, self._job, self._model = session, job, model
        self.start_frame = QSpinBox(objectName="calm_start_frame")
        self.start_frame.setRange(0, 0)
        self.start_frame.setToolTip(
            "First forecast frame. The model sees nothing from this frame on; it may be the "
            "end of the recording."
        )
        self.follow = QCheckBox("at the slider", objectName="calm_at_slider")
        self.follow.setChecked(True)
        self.follow.setToolTip("Start where napari's time slider stands.")
        self.start_time = QLabel()
        self.start_time.setWordWrap(True)
        self.horizon = QDoubleSpinBox(objectName="calm_horizon")
        self.horizon.setRange(0.1, 600.0)
        self.horizon.setDecimals(1)
        self.horizon.setValue(5.0)
        self.horizon.setSuffix(" s")
        self.horizon.setToolTip("How far to look ahead.")
        self.samples = SamplesField()
        self.seed = QSpinBox(objectName="calm_seed")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setToolTip("The same seed gives the same forecast.")
        self.forecast = QPushButton("Forecast", objectName="calm_forecast")
        self.forecast.setToolTip(
            "Let the model say what every neuron will do from the start frame on, and "
            "compare with what it did."
        )
        self.save = QPushButton("Save...", objectName="calm_save_forecast")
        self.save.setToolTip("Save the forecast as npz (all of it) or csv (one row a value).")
        self.error_map = QCheckBox("Error map", objectName="calm_error_map")
        self.error_map.setToolTip(
            "Add a layer with how far the forecast was off, |forecast - measured| in dF/F, "
            "where the recording says what happened."
        )
        self.follow_slider = QCheckBox("Follow the slider", objectName="calm_follow_slider")
        self.follow_slider.setToolTip(
            "Make the forecast anew whenever the time slider has come to rest, while nothing "
            "else runs. Moving on cancels it."
        )
        self.following = FollowingForecast(
            session, job, self.follow_slider, start=self.start, is_due=self._is_due
        )
        self.here = SkillHere(session, job, model, horizon_s=self.horizon.value)
        self._lay_out()
        self.forecast.clicked.connect(self.start)
        self.save.clicked.connect(self._ask_where_to_save)
        self.follow.toggled.connect(self._on_follow)
        self.follow_slider.toggled.connect(lambda on: on and self.follow.setChecked(True))
        self.start_frame.valueChanged.connect(self._on_start_frame)
        job.guard(self.forecast, self._missing)
        job.guard(self.save, lambda: "" if session.forecast else "Make a forecast first.")
        self._connect()
        self._on_recording()
        self._on_forecast()
        self._on_follow(True)

    def _lay_out(self) -> None:
        start = QHBoxLayout()
        start.addWidget(self.start_frame, 1)
        start.addWidget(self.follow)
        self.form.addRow("Start frame", start)
        self.form.addRow("", self.start_time)
        self.form.addRow("Horizon", self.horizon)
        draws = QHBoxLayout()
        draws.addWidget(self.samples, 1)
        draws.addWidget(QLabel("Seed"))
        draws.addWidget(self.seed, 1)
        self.form.addRow("Samples", draws)
        switches = QHBoxLayout()
        switches.addWidget(self.error_map)
        switches.addWidget(self.follow_slider)
        self.form.addRow(switches)
        buttons = QHBoxLayout()
        buttons.addWidget(self.forecast, 3)
        buttons.addWidget(self.save, 1)
        self.form.addRow(buttons)
        self.add_result_line()
        self.form.addRow(self.here)

    def _connect(self) -> None:
        session = self._session
        session.recording_changed.connect(self._on_recording)
        session.forecast_changed.connect(self._on_forecast)
        session.model_changed.connect(self._on_start_frame)
        session.time_changed.connect(self._on_time)
        session.palette_changed.connect(self._on_forecast)
        session.in_use_changed.connect(self._on_forecast)

    def release(self) -> None:
        """Stop following the session."""
        session = self._session
        session.recording_changed.disconnect(self._on_recording)
        session.forecast_changed.disconnect(self._on_forecast)
        session.model_changed.disconnect(self._on_start_frame)
        session.time_changed.disconnect(self._on_time)
        session.palette_changed.disconnect(self._on_forecast)
        session.in_use_changed.disconnect(self._on_forecast)
        self.following.release()
        self.here.release()

    def start(self) -> bool:
        """Forecast the session's recording in the worker; False if another job runs."""
        used, adaptation = self._session.in_use, self._session.adaptation_in_use
        recording, wanted_samples = used.recording, self.samples.value()
        model_used = self._model.used()
        request = {
            "start_frame": self.start_frame.value(),
            "horizon_frames": max(1, round(self.horizon.value() * recording.frame_rate_hz)),
            "seed": self.seed.value(),
        }

        def steps(load):
            model = yield from load(adaptation)
            forecast = yield from model.forecast_steps(
                used.part, samples=samples_for(model, wanted_samples), **request
            )
            yield Progress(0, 1, "comparing with simple methods")
            from ..analysis.skill import forecast_skill

            return model, used.among(forecast), forecast_skill(used.part, forecast)

        def on_done(result) -> None:
            self._session.expect(recording)
            model, forecast, skill = result
            self._session.set_model(model)
            options = {**request, "samples": samples_for(model, wanted_samples)}
            options |= used.options()
            self._session.requests["forecast"] = Request(model_used, options)
            self._session.set_forecast(forecast, skill, kind=kind_of(model))

        work = self._model.in_memory(steps)
        return self._job.start(work, title="Forecast", on_done=on_done)

    def save_to(self, path: str | Path) -> None:
        """Write the forecast to `path`; its ending says how."""
        from ..io.results import write_forecast

        try:
            write_forecast(self._session.forecast, path, self._session.judgement)
        except (CalmError, OSError) as error:
            self.say(f"Not saved: {error}")
        else:
            self.say(f"{self._skill_text()} Saved to {path}.".strip())

    def _ask_where_to_save(self) -> None:
        path, kind = QFileDialog.getSaveFileName(
            self, "Save forecast", "forecast.npz", "Arrays (*.npz);;Table (*.csv)"
        )
        if path:
            if Path(path).suffix.lower() not in (".npz", ".csv"):
                path += ".csv" if "csv" in kind else ".npz"
            self.save_to(path)

    def _missing(self) -> str:
        recording, model = self._session.recording, self._session.model
        if recording is not None and model is not None:
            needed = model.context_frames_of(recording.frame_rate_hz)
            if needed <= recording.n_frames and self.start_frame.value() < needed:
                needed_s = needed / recording.frame_rate_hz
                return (
                    f"The model needs {needed} frames ({needed_s:.1f} s) before the start: "
                    "move the slider there or further."
                )
        return self._model.missing_to_run()

    def _on_recording(self) -> None:
        recording = self._session.recording
        self.start_frame.setRange(0, 0 if recording is None else recording.n_frames)
        self._on_time()
        self._on_start_frame()

    def _is_due(self) -> bool:
        """Tell whether a forecast from the start frame can be made and is not there."""
        forecast = self._session.forecast
        is_there = (
            forecast is not None
            and forecast.start_frame == self.start_frame.value()
            and not self._stale()
        )
        return not is_there and not self._missing()

    def _on_follow(self, follow: bool) -> None:
        if not follow:
            self.follow_slider.setChecked(False)
        self.start_frame.setEnabled(not follow)
        self._on_time()

    def _on_time(self) -> None:
        recording = self._session.recording
        if recording is not None and self.follow.isChecked():
            self.start_frame.setValue(round(self._session.time_s * recording.frame_rate_hz))

    def _on_start_frame(self, _value: int = 0) -> None:
        recording = self._session.recording
        text = ""
        if recording is not None:
            start_s = self.start_frame.value() / recording.frame_rate_hz
            text = f"{start_s:.1f} of {recording.duration_s:.1f} s"
            reason = self._missing() if self._session.model is not None else ""
            text += f". {reason}" if reason else ""
        self.start_time.setText(text)
        self._job.refresh_buttons()

    def _on_forecast(self) -> None:
        self.say(self._skill_text() or (self._missing() if not self._session.recording else ""))
        self._job.refresh_buttons()

    def _skill_text(self) -> str:
        forecast = self._session.forecast
        if forecast is None:
            return ""
        words = skill_in_words(
            self._session.skill, forecast.horizon_frames, self._session.forecast_kind
        )
        told = "; ".join(filter(None, overlay_words(self._session.forecast_kind)))
        return f"{self._stale()} {words} On the movie: {told}.".strip()

    def _stale(self) -> str:
        """Say where the forecast is not of the neurons in use."""
        known = self._session.forecast.known
        return self._session.in_use.differs(known, "The forecast is", "Forecast")
