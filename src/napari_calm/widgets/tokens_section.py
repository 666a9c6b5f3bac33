"""Turning traces into tokens."""

from qtpy.QtWidgets import QHBoxLayout, QPushButton

from .job import Job
from .made_with import Request
from .model_section import ModelSection
from .section import Section
from .session import Session


class TokensSection(Section):
    """One button, and how much of the codebook the recording uses."""

    def __init__(self, session: Session, job: Job, model: ModelSection) -> None:
        super().__init__("Tokens")
        self._session, self._job, self._model = session, job, model
        self.tokenise = QPushButton("Tokenise", objectName="calm_tokenise")
        self.tokenise.setToolTip(
            "Write each neuron's trace in the model's discrete words: one code for a few "
            "frames. The token map shows each ROI in the colour of its code at the "
            "current time."
        )
        self.show_codebook = QPushButton("Codebook", objectName="calm_show_codebook")
        self.show_codebook.setToolTip(
            "Show what each code looks like, how often it is spoken, where and when."
        )
        buttons = QHBoxLayout()
        buttons.addWidget(self.tokenise, 3)
        buttons.addWidget(self.show_codebook, 2)
        self.form.addRow(buttons)
        self.add_result_line()
        self.tokenise.clicked.connect(self.start)
        job.guard(self.tokenise, model.missing_to_run)
        job.guard(self.show_codebook, lambda: "" if session.tokens else "Tokenise first.")
        session.tokens_changed.connect(self._on_tokens)
        session.recording_changed.connect(job.refresh_buttons)
        session.in_use_changed.connect(self._on_tokens)
        self._on_tokens()

    def release(self) -> None:
        """Stop following the session."""
        self._session.tokens_changed.disconnect(self._on_tokens)
        self._session.recording_changed.disconnect(self._job.refresh_buttons)
        self._session.in_use_changed.disconnect(self._on_tokens)

    def start(self) -> None:
        """Tokenise the session's recording in the worker."""
        used, adaptation = self._session.in_use, self._session.adaptation_in_use
        request = Request(self._model.used(), used.options())

        def steps(load):
            model = yield from load(adaptation)
            return model, used.among((yield from model.tokenize_steps(used.part)))

        def on_done(result) -> None:
            self._session.expect(used.recording)
            model, tokens = result
            self._session.set_model(model)
            self._session.requests["tokens"] = request
            self._session.set_tokens(tokens)

        self._job.start(self._model.in_memory(steps), title="Tokenise", on_done=on_done)

    def _on_tokens(self) -> None:
        tokens = self._session.tokens
        self._job.refresh_buttons()
        if tokens is None:
            self.say(self._model.missing_to_run() if self._session.recording is None else "")
        else:
            stale = self._session.in_use.differs(tokens.known, "Tokens are", "Tokenise")
            self.say(
                f"{stale} {tokens.n_codes} codes, {tokens.used_codes} used; one stands for "
                f"{tokens.token_duration_s:.2f} s".strip()
            )
