"""How good the model is on the end of this recording, beside what costs nothing."""

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from ..core.progress import Progress, retold
from .fit_frames import scored_part
from .job import Job
from .model_section import ModelSection
from .session import ADAPTED, ZERO_SHOT, Session
from .skill_text import skill_table_html


class SkillHere(QWidget):
    """A button, and a table: CalM zero-shot and adapted, copy last, AR and mean.

    Parameters
    ----------
    horizon_s : callable
        Returns how far ahead to look, in seconds.
    """

    def __init__(
        self,
        session: Session,
        job: Job,
        model: ModelSection,
        *,
        horizon_s: Callable[[], float],
    ) -> None:
        super().__init__()
        self._session, self._job, self._model = session, job, model
        self._horizon_s = horizon_s
        self.score = QPushButton("How good is it here?", objectName="calm_score")
        self.score.setToolTip(
            "Forecast from many frames of the recording's last part (after those that the "
            "model was adapted to) and compare with what happened, beside repeating the last "
            "frame (copy last), an autoregression fitted to each neuron (AR) and the mean."
        )
        self.result = QLabel(objectName="calm_skill_here")
        self.result.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.score)
        layout.addWidget(self.result)
        self.clear()
        self.score.clicked.connect(self.start)
        job.guard(self.score, model.missing_to_run)
        session.recording_changed.connect(self.clear)
        session.model_changed.connect(self._on_model)
        session.in_use_changed.connect(self._show)

    def release(self) -> None:
        """Stop following the session."""
        self._session.recording_changed.disconnect(self.clear)
        self._session.model_changed.disconnect(self._on_model)
        self._session.in_use_changed.disconnect(self._show)

    def clear(self) -> None:
        """Forget what was said of another recording or model."""
        self._scored_model, self._scored = "", np.zeros(0, bool)
        self._say("")

    def start(self) -> None:
        """Score the chosen model, zero-shot and, where there is one, adapted, in the worker."""
        session, used = self._session, self._session.in_use
        recording, kinds = used.recording, {ZERO_SHOT: None}
        if session.fitting_adaptation is not None:
            kinds[ADAPTED] = session.fitting_adaptation
        first_share, is_honest = scored_part(
            recording.n_frames, session.fitted_until_frame if ADAPTED in kinds else None
        )
        horizon_s, in_use = self._horizon_s(), session.adaptation_in_use
        horizon_frames = max(1, round(horizon_s * recording.frame_rate_hz))

        def steps(load):
            from ..analysis.skill import skill_over_starts_steps

            skills = {}
            for number, (kind, adaptation) in enumerate(kinds.items()):
                model = yield from load(adaptation)
                scoring = skill_over_starts_steps(
                    model,
                    used.part,
                    horizon_frames=horizon_frames,
                    first_share=first_share,
                )

                def of_all(progress: Progress, number: int = number) -> Progress:
                    share = (number + progress.fraction) / len(kinds)
                    return Progress(round(1000 * share), 1000, progress.stage)

                skills[kind] = yield from retold(scoring, of_all)
            return (yield from load(in_use)), skills

        def on_done(result) -> None:
            session.expect(recording)
            model, skills = result
            session.set_model(model)
            self._scored_model, self._scored = model.name, used.flags
            kind = ZERO_SHOT if in_use is None else ADAPTED
            starts = next(iter(skills.values())).n_starts
            caveat = (
                "" if is_honest else " The fit may have seen these frames: new ones are harder."
            )
            self._say(
                f"{kind.capitalize()}. {skills[kind].verdict()}{caveat}"
                f"{skill_table_html(skills)}"
                f"Mean squared error over {horizon_s:g} s from {starts} starts in the last "
                f"{(1 - first_share) * recording.duration_s:.0f} s, in units of each neuron's "
                "variance; skill against copy last (1 is perfect)."
            )

        self._job.start(self._model.in_memory(steps), title="Score forecasts", on_done=on_done)

    def _say(self, text: str) -> None:
        self._said = text
        self._show()

    def _show(self) -> None:
        """Write what was found, and where it is not of the neurons in use any more."""
        used, stale = self._session.in_use, ""
        if self._said and used is not None and self._scored.size == used.recording.n_neurons:
            stale = used.differs(self._scored, "This is", "How good is it here?")
        self.result.setText(f"{stale} {self._said}".strip())
        self.result.setVisible(bool(self._said))

    def _on_model(self) -> None:
        model = self._session.model
        if model is None or model.name != self._scored_model:
            self.clear()
