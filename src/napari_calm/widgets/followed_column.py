"""What follows a behaviour or trial column: single neurons, and the population's path."""

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..core.errors import CalmError
from .eliding import ElidingCombo
from .job import Job
from .made_with import Request
from .model_section import ModelSection
from .neurons_in_use import flags_of
from .reading import part_of, reading_steps
from .recording_columns import columns_of, names_kinds
from .session import Session

ALL = "all columns"
NO_COLUMN = (
    "There is no behaviour and there are no trials that say what the animal does. Open a "
    "table of them in Recording, 'Behaviour'."
)


class FollowedColumn(QWidget):
    """A choice of columns, Selectivity, Trajectories, and what came out of them."""

    def __init__(self, session: Session, job: Job, model: ModelSection) -> None:
        super().__init__()
        self._session, self._job, self._model = session, job, model
        self.column = ElidingCombo(objectName="calm_column")
        self.column.setMinimumContentsLength(8)
        self.column.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.column.setToolTip(
            "A behaviour column (one value a frame) or trial column (one value a trial). "
            "Clocks, counters and constants are left out."
        )
        self.selectivity = QPushButton("Selectivity", objectName="calm_selectivity")
        self.selectivity.setToolTip(
            "Ask which neurons follow the column, more than they follow a shifted (behaviour) "
            "or permuted (trials) one: d', tuning and p of each, as features to colour by."
        )
        self.trajectories = QPushButton("Trajectories", objectName="calm_trajectories")
        self.trajectories.setToolTip(
            "Follow the state of the whole population over time, on the principal components "
            "of the hidden states; averaged over the trials of each kind if the column names "
            "kinds of trials."
        )
        self.save = QPushButton("Save...", objectName="calm_save_selectivity")
        self.save.setToolTip(
            "Save all selectivities as csv (one row a neuron), or the chosen column's as npz "
            "(with its tuning curves)."
        )
        self._said = ""
        self.result = QLabel(objectName="calm_selectivity_result")
        self.result.setWordWrap(True)
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bins = QSpinBox(objectName="calm_bins")
        self.draws = QSpinBox(objectName="calm_draws")
        self.window_from = QDoubleSpinBox(objectName="calm_window_from")
        self.window_to = QDoubleSpinBox(objectName="calm_window_to")
        self._lay_out()
        self.selectivity.clicked.connect(self.start_selectivity)
        self.trajectories.clicked.connect(self.start_trajectories)
        self.save.clicked.connect(self._ask_where_to_save)
        job.guard(self.selectivity, self._missing)
        job.guard(self.trajectories, model.missing_to_run)
        job.guard(self.save, lambda: "" if session.selectivity else "Press Selectivity first.")
        session.recording_changed.connect(self._fill)
        session.behaviour_changed.connect(self._fill)
        session.selectivity_changed.connect(self._say_state)
        for signal in self._of_neurons():
            signal.connect(self._show)
        self._fill()

    def _lay_out(self) -> None:
        choice = QHBoxLayout()
        choice.setSpacing(8)
        choice.addWidget(QLabel("Column"))
        choice.addWidget(self.column, 1)
        choice.addWidget(self.save)
        buttons = QHBoxLayout()
        buttons.addWidget(self.selectivity, 1)
        buttons.addWidget(self.trajectories, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(choice)
        layout.addLayout(buttons)
        layout.addWidget(self.result)

    def add_rare_rows(self, form: QFormLayout) -> None:
        """Put rarely needed options into a form."""
        self.bins.setRange(2, 50)
        self.bins.setValue(10)
        self.bins.setToolTip("Bins of equal occupancy that a continuous column is cut into.")
        self.draws.setRange(20, 100_000)
        self.draws.setValue(500)
        self.draws.setToolTip(
            "Shifts or permutations that a neuron's selectivity is compared with. More give "
            "finer p-values and take longer."
        )
        for field, special in ((self.window_from, ""), (self.window_to, "end")):
            field.setRange(0.0, 3600.0)
            field.setDecimals(1)
            field.setSuffix(" s")
            field.setSpecialValueText(special)
            field.setToolTip(
                "Which part of each trial is averaged, from its start. Behaviour columns are "
                "compared frame by frame and do not use it."
            )
        form.addRow("Bins", self.bins)
        form.addRow("Shifts", self.draws)
        form.addRow("Trials from", self.window_from)
        form.addRow("Trials to", self.window_to)

    def release(self) -> None:
        """Stop following the session."""
        session = self._session
        session.recording_changed.disconnect(self._fill)
        session.behaviour_changed.disconnect(self._fill)
        session.selectivity_changed.disconnect(self._say_state)
        for signal in self._of_neurons():
            signal.disconnect(self._show)

    def _of_neurons(self) -> tuple:
        return (self._session.in_use_changed, self._session.trajectories_changed)

    def start_selectivity(self) -> None:
        """Test every neuron for the chosen column, or all, in the worker."""
        session, used = self._session, self._session.in_use
        recording = used.recording
        names, columns = self._names(), columns_of(recording)
        window_s = self._window_s(recording)
        request = {"bins": self.bins.value(), "draws": self.draws.value()}

        def steps():
            from ..explore.selectivity import selectivity_steps

            found, refused = {}, []
            for number, name in enumerate(names):
                per_trial = columns[name].per_trial
                testing = selectivity_steps(
                    used.part, name, window_s=window_s if per_trial else None, **request
                )
                try:
                    tested = yield from part_of(testing, number, len(names))
                    found[name] = used.among(tested)
                except CalmError as error:
                    # Of all columns, one that cannot be tested does not hold up the others.
                    if len(names) == 1:
                        raise
                    refused.append(str(error))
            if not found:
                raise CalmError(" ".join(refused))
            return found, refused

        def on_done(result) -> None:
            session.expect(recording)
            found, refused = result
            before = session.requests.get("selectivity", Request()).options
            options = {
                name: {
                    **request,
                    **({"window_s": window_s} if window_s and columns[name].per_trial else {}),
                    **used.options(),
                }
                for name in found
            }
            session.requests["selectivity"] = Request(options={**before, **options})
            session.set_selectivity({**session.selectivity, **found})
            session.set_colour_by(f"{found[next(iter(found))].column}: d'")
            self._say(" ".join([*(one.verdict() for one in found.values()), *refused]))

        self._job.start(steps(), title="Selectivity", on_done=on_done)

    def start_trajectories(self) -> None:
        """Follow the population over time in the worker."""
        session, used = self._session, self._session.in_use
        adaptation, recording = session.adaptation_in_use, used.recording
        known, names = session.reading, self._names()
        model_used = self._model.used()
        chosen = names[0] if len(names) == 1 else ""
        has_kinds = bool(chosen) and names_kinds(columns_of(recording)[chosen])

        def steps(load):
            model = yield from load(adaptation)
            reading = yield from part_of(reading_steps(model, used.part, known), 0, 2)
            from ..explore.trajectories import trajectories_steps

            following = trajectories_steps(
                model,
                used.part,
                by=chosen if has_kinds else None,
                representation=reading.representation,
            )
            return reading, (yield from part_of(following, 1, 2))

        def on_done(result) -> None:
            session.expect(recording)
            reading, trajectories = result
            session.set_model(reading.model)
            session.set_reading(reading)
            options = {"by": chosen if has_kinds else None, **used.options()}
            session.requests["trajectories"] = Request(model_used, options)
            session.set_trajectories(trajectories, coloured_by=chosen)

        self._job.start(self._model.in_memory(steps), title="Trajectories", on_done=on_done)

    def save_to(self, path: str | Path) -> None:
        """Write the selectivities to `path`: all as csv, the chosen column's as npz."""
        from ..explore.files import write_selectivity
        from ..explore.selectivity import feature_table
        from ..io.accepted_column import with_accepted
        from ..io.tables import write_table

        found, judgement = self._session.selectivity, self._session.judgement
        try:
            if Path(path).suffix.lower() == ".csv":
                write_table(with_accepted(feature_table(list(found.values())), judgement), path)
            elif self.column.currentText() in found:
                write_selectivity(found[self.column.currentText()], path, judgement)
            else:
                raise CalmError(
                    "an npz archive holds one column: choose one that was tested "
                    f"({', '.join(found)}), or save as csv."
                )
        except (CalmError, OSError) as error:
            self._say(f"Not saved: {error}")
        else:
            self._say(f"Saved to {path}.")

    def _ask_where_to_save(self) -> None:
        path, kind = QFileDialog.getSaveFileName(
            self,
            "Save selectivity",
            "selectivity.csv",
            "Table of all columns (*.csv);;Chosen column (*.npz)",
        )
        if path:
            if Path(path).suffix.lower() not in (".npz", ".csv"):
                path += ".npz" if "npz" in kind else ".csv"
            self.save_to(path)

    def _names(self) -> list[str]:
        chosen = self.column.currentText()
        if chosen != ALL:
            return [chosen] if self.column.isEnabled() else []
        return [self.column.itemText(row) for row in range(self.column.count() - 1)]

    def _window_s(self, recording) -> tuple[float, float] | None:
        first, last = self.window_from.value(), self.window_to.value()
        if first == 0 and last == 0:
            return None
        return first, last or recording.duration_s

    def _missing(self) -> str:
        if self._session.recording is None:
            return self._model.missing_to_run()
        return "" if self.column.isEnabled() else NO_COLUMN

    def _fill(self) -> None:
        chosen, names = self.column.currentText(), list(columns_of(self._session.recording))
        self.column.clear()
        self.column.addItems(names or ["no behaviour, no trials"])
        if len(names) > 1:
            self.column.addItem(ALL)
        self.column.setEnabled(bool(names))
        self.column.setCurrentIndex(max(0, self.column.findText(chosen)))
        self._say_state()

    def _say_state(self) -> None:
        found = self._session.selectivity
        if not found:
            recording = self._session.recording
            self._say(NO_COLUMN if recording is not None and self._missing() else "")
        self._job.refresh_buttons()

    def _say(self, text: str) -> None:
        self._said = text
        self._show()

    def _show(self) -> None:
        """Write what was said, and which results are not of the neurons in use any more."""
        text = " ".join(filter(None, [*self._stale(), self._said]))
        self.result.setText(text)
        self.result.setVisible(bool(text))

    def _stale(self) -> list[str]:
        session, used, said = self._session, self._session.in_use, []
        if used is None:
            return said
        others: dict[str, list[str]] = {}
        for name, one in session.selectivity.items():
            others.setdefault(used.differs(one.known, "is", "Selectivity"), []).append(name)
        others.pop("", None)
        said += [f"Selectivity for {', '.join(names)} {text}" for text, names in others.items()]
        made = session.requests.get("trajectories")
        if session.trajectories is not None and made is not None:
            known = flags_of(used.recording, made.options.get("neurons"))
            said.append(used.differs(known, "Trajectories are", "Trajectories"))
        return said
