"""Reading behaviour from the population: which variable, how well, and keeping the decoder."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QSizePolicy

from ..core.errors import CalmError, RecordingError
from .decode_choices import DecodeChoices
from .eliding import ElidingCombo
from .followed_column import ALL, NO_COLUMN
from .job import Job
from .made_with import Request, decoding_of
from .model_section import ModelSection
from .more import More
from .reading import part_of
from .recording_columns import columns_of
from .section import Section
from .session import ADAPTED, ZERO_SHOT, Session

_FILES = "Decoders (*.safetensors)"


class DecodeSection(Section):
    """Variable, Decode, the verdict, and saving or applying a decoder."""

    def __init__(self, session: Session, job: Job, model: ModelSection) -> None:
        super().__init__("Decode")
        self._session, self._job, self._model = session, job, model
        self._shown = self._shown_for = None
        self.variable = ElidingCombo(objectName="calm_variable")
        self.variable.setMinimumContentsLength(8)
        self.variable.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.variable.setToolTip(
            "What to read from the population: a behaviour column (one value a frame) or a "
            "trial column (one value a trial)."
        )
        self.decode = QPushButton("Decode", objectName="calm_decode")
        self.decode.setToolTip(
            "Hold out parts of the recording in turn, fit a decoder to the rest, and compare "
            "what it says with ridge or logistic regression on the traces and with shifted "
            "behaviour."
        )
        self.save = QPushButton("Save...", objectName="calm_save_decoding")
        self.save.setToolTip(
            "Save what was decoded as csv (one row a frame or trial; scores, neurons and "
            "confusion in files beside it) or npz."
        )
        self.save_decoder = QPushButton("Save decoder...", objectName="calm_save_decoder")
        self.save_decoder.setToolTip(
            "Keep the decoder, fitted to the whole recording, to apply it to another one."
        )
        self.apply = QPushButton("Apply decoder...", objectName="calm_apply_decoder")
        self.apply.setToolTip(
            "Apply a kept decoder to this recording: of the same neurons, or, with the heads "
            "'pooled' and 'attention', of any. Nothing is fitted."
        )
        self.more = More(name="calm_more_decode")
        self.choices = DecodeChoices()
        self._lay_out()
        self._connect()
        self._fill()

    def _lay_out(self) -> None:
        self.form.addRow("Variable", self.variable)
        buttons = QHBoxLayout()
        buttons.addWidget(self.decode, 3)
        buttons.addWidget(self.save, 1)
        self.form.addRow(buttons)
        self.add_result_line()
        files = QHBoxLayout()
        files.addWidget(self.save_decoder, 1)
        files.addWidget(self.apply, 1)
        self.form.addRow(files)
        self.choices.add_rows(self.more.form)
        self.form.addRow(self.more)

    def _connect(self) -> None:
        self.decode.clicked.connect(self.start)
        self.save.clicked.connect(self._ask_where_to_save)
        self.save_decoder.clicked.connect(self._ask_where_to_keep)
        self.apply.clicked.connect(self._ask_for_decoder)
        session = self._session
        self._job.guard(self.decode, self._missing)
        self._job.guard(self.save, lambda: "" if session.decoding else "Press Decode first.")
        self._job.guard(
            self.save_decoder, lambda: "" if session.decoding else "Press Decode first."
        )
        self._job.guard(self.apply, self._model.missing_to_run)
        self._job.changed.connect(self._on_job)
        session.recording_changed.connect(self._fill)
        session.behaviour_changed.connect(self._fill)
        session.decoding_changed.connect(self._say_state)
        session.in_use_changed.connect(self._say_state)

    def release(self) -> None:
        """Stop following the session."""
        session = self._session
        session.recording_changed.disconnect(self._fill)
        session.behaviour_changed.disconnect(self._fill)
        session.decoding_changed.disconnect(self._say_state)
        session.in_use_changed.disconnect(self._say_state)

    def start(self) -> None:
        """Decode the chosen variable, or all, in the worker."""
        try:
            settings = self.choices.settings()
        except CalmError as error:
            self.say(str(error))
            return
        session, used = self._session, self._session.in_use
        adaptation, chosen = session.adaptation_in_use, self._names()
        kind, states_of = self.choices.kind.currentText(), session.states_of
        model_used = self._model.used()
        request = Request(model_used, {"kind": kind, **asdict(settings), **used.options()})

        def steps(load):
            model = yield from load(adaptation)
            from ..decoding.decode import decode_steps
            from ..decoding.prepare import prepare
            from ..decoding.states import represent_frames_steps
            from ..decoding.target import read_target

            part = used.part
            names, refused = list(chosen), []
            for name in chosen:
                try:
                    prepare(part, read_target(part, name, kind=kind), settings, None)
                except CalmError as error:
                    # Of all columns, one that cannot be decoded does not hold up the others.
                    refused.append(str(error))
                    names.remove(name)
            if not names:
                raise CalmError(" ".join(refused))
            states = states_of(model, part)
            if states is None:
                reading = represent_frames_steps(model, part)
                states = yield from part_of(reading, 0, len(names) + 1)
            found = {}
            for number, name in enumerate(names):
                decoding = decode_steps(
                    model, part, name, kind=kind, settings=settings, states=states
                )
                made = yield from part_of(decoding, number + 1, len(names) + 1)
                found[name] = used.among(made)
            return model, states, found, refused

        def on_done(result) -> None:
            session.expect(used.recording)
            model, states, found, refused = result
            session.set_model(model)
            session.set_frame_states(model, used.part, states)
            session.requests |= {decoding_of(name): request for name in found}
            session.set_decodings(found)
            self.say(" ".join([*(one.verdict() for one in found.values()), *refused]))

        self._job.start(self._model.in_memory(steps), title="Decode", on_done=on_done)

    def start_applying(self, path: str | Path) -> None:
        """Apply a kept decoder to the recording in the worker."""
        session, used = self._session, self._session.in_use
        adaptation, states_of = session.adaptation_in_use, session.states_of

        def steps(load):
            model = yield from load(adaptation)
            from ..decoding.applied import Applied
            from ..decoding.decoder_file import load_decoder
            from ..decoding.states import represent_frames_steps

            decoder, part = load_decoder(path), used.part
            try:
                decoder.check(model, part)
            except RecordingError as error:
                if used.neurons is None:
                    raise
                raise RecordingError(
                    f"{error} Of {used.recording.n_neurons} neurons {used.count} are in use: "
                    "'Use' in Recording chooses all of them, K and R accept and reject."
                ) from error
            states = states_of(model, part)
            if states is None:
                states = yield from represent_frames_steps(model, part)
            return model, states, used.among(Applied.of(decoder, part, states))

        def on_done(result) -> None:
            session.expect(used.recording)
            model, states, applied = result
            session.set_model(model)
            session.set_frame_states(model, used.part, states)
            said = f"{applied.said} By {Path(path).name}."
            session.set_applied(replace(applied, said=said))

        self._job.start(self._model.in_memory(steps), title="Apply decoder", on_done=on_done)

    def save_to(self, path: str | Path) -> None:
        """Write what was decoded to `path`; its ending says how."""
        from ..decoding.decoding_file import write_decoding

        session = self._session
        self._tell_saving(
            lambda: write_decoding(session.decoding, path, session.judgement), path
        )

    def keep_decoder(self, path: str | Path) -> None:
        """Write the decoder to `path`."""
        from ..decoding.decoder_file import save_decoder

        self._tell_saving(lambda: save_decoder(self._session.decoder, path), path)

    def _tell_saving(self, write, path: str | Path) -> None:
        try:
            write()
        except (CalmError, OSError) as error:
            self.say(f"Not saved: {error}")
        else:
            self.say(f"{self._verdict()} Saved to {path}.")

    def _ask_where_to_save(self) -> None:
        name = self._session.decoding.target.name
        path, kind = QFileDialog.getSaveFileName(
            self, "Save what was decoded", f"{name}.csv", "Tables (*.csv);;Arrays (*.npz)"
        )
        if path:
            if Path(path).suffix.lower() not in (".npz", ".csv"):
                path += ".npz" if "npz" in kind else ".csv"
            self.save_to(path)

    def _ask_where_to_keep(self) -> None:
        name = self._session.decoding.target.name
        path, _ = QFileDialog.getSaveFileName(
            self, "Save decoder", f"{name}.safetensors", _FILES
        )
        if path:
            self.keep_decoder(path if path.endswith(".safetensors") else f"{path}.safetensors")

    def _ask_for_decoder(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Apply decoder", "", _FILES)
        if path:
            self.start_applying(path)

    def _names(self) -> list[str]:
        chosen = self.variable.currentText()
        if chosen != ALL:
            return [chosen] if self.variable.isEnabled() else []
        return [self.variable.itemText(row) for row in range(self.variable.count() - 1)]

    def _missing(self) -> str:
        reason = self._model.missing_to_run()
        if reason:
            return reason
        return "" if columns_of(self._session.recording) else NO_COLUMN

    def _on_job(self) -> None:
        self.variable.setEnabled(
            not self._job.running and bool(columns_of(self._session.recording))
        )

    def _fill(self) -> None:
        chosen, names = self.variable.currentText(), list(columns_of(self._session.recording))
        self.variable.clear()
        self.variable.addItems(names or ["no behaviour, no trials"])
        if len(names) > 1:
            self.variable.addItem(ALL)
        self.variable.setEnabled(bool(names) and not self._job.running)
        self.variable.setCurrentIndex(max(0, self.variable.findText(chosen)))
        self._say_state()

    def _say_state(self) -> None:
        session = self._session
        dropped, dropped_for = self._shown, self._shown_for
        self._shown, self._shown_for = session.decoded, session.recording
        if session.decoded is not None:
            self.say(self._verdict())
        elif dropped is not None and dropped_for is session.recording:
            kind = ZERO_SHOT if session.adaptation_in_use is None else ADAPTED
            self.say(f"Decoding dropped: the {kind} model is in use now. Press Decode again.")
        else:
            self.say(self._missing())
        self._job.refresh_buttons()

    def _verdict(self) -> str:
        found = self._session.decoding
        if found is None:
            return self._said_of_applied()
        known = ~np.isnan(found.neuron_weights)
        left_out = int((~known).sum())
        among = f" {left_out} rejected neurons left out." if left_out else ""
        stale = self._session.in_use.differs(known, "This is", "Decode")
        return f"{stale} {found.verdict()}{among} Looks at {found.looks_at}.".strip()

    def _said_of_applied(self) -> str:
        applied, used = self._session.applied, self._session.in_use
        if applied is None:
            return ""
        if applied.weights is None:
            return applied.said
        known = ~np.isnan(applied.weights)
        stale = used.differs(known, "This is", "Apply decoder")
        return f"{stale} {applied.said}".strip()
