"""Turning traces into tokens."""

from qtpy.QtWidgets import QPushButton

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
        self.form.addRow(self.tokenise)
        self.add_result_line()
        self.tokenise.clicked.connect(self.start)
        job.guard(self.tokenise, model.missing_to_run)
        session.tokens_changed.connect(self._on_tokens)
        session.recording_changed.connect(job.refresh_buttons)
        self._on_tokens()

    def release(self) -> None:
        """Stop following the session."""
        self._session.tokens_changed.disconnect(self._on_tokens)
        self._session.recording_changed.disconnect(self._job.refresh_buttons)

    def start(self) -> None:
        """Tokenise the session's recording in the worker."""
        recording, load = self._session.recording, self._model.get_steps()
        request = Request(self._model.used())

        def steps():
            model = yield from load
            return model, (yield from model.tokenize_steps(recording))

        def on_done(result) -> None:
            self._session.expect(recording)
            model, tokens = result
            self._session.set_model(model)
            self._session.requests["tokens"] = request
            self._session.set_tokens(tokens)

        self._job.start(steps(), title="Tokenise", on_done=on_done)

    def _on_tokens(self) -> None:
        tokens = self._session.tokens
        if tokens is None:
            self.say(self._model.missing_to_run() if self._session.recording is None else "")
        else:
            self.say(
                f"{tokens.n_codes} codes, {tokens.used_codes} used; one stands for "
                f"{tokens.token_duration_s:.2f} s"
            )
