"""Where the population goes over time and in each kind of trial, in step with the session."""

import numpy as np
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QVBoxLayout

from .colour_key import ColourKey
from .eliding import ElidingCombo
from .frame_colours import TIME, frame_colours, kind_colours
from .recording_columns import columns_of
from .session import Session
from .session_view import SessionView
from .theme import ThemeColours
from .trajectory_plot import Average, Path, TrajectoryPlot

_EMPTY_HINT = "No trajectories yet: press Trajectories in the CalM panel."
_USE_HINT = (
    "Principal components of the hidden states of all neurons: each point is the state of the "
    "population after a token. The ring is the present moment with the three seconds before "
    "it; click the path to go there. The wheel zooms, dragging shifts."
)
_WIDEST_CHOICE_PX = 160
_PLANES = ((0, 1), (0, 2), (1, 2))


class TrajectoriesView(SessionView):
    """A path, coloured by time, behaviour or trials, and averages over trials."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._shown = None
        self._shown_plane = -1
        self.hint = QLabel(_EMPTY_HINT)
        self.hint.setWordWrap(True)
        self.plane = QComboBox(objectName="calm_plane")
        self.plane.setToolTip("Which two principal components are shown.")
        self.colour_by = ElidingCombo(objectName="calm_path_colour")
        self.colour_by.setToolTip("What the path is coloured by.")
        for combo in (self.plane, self.colour_by):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            # Names of columns can be long.
            combo.setMaximumWidth(_WIDEST_CHOICE_PX)
        self.averages = QCheckBox("Averages")
        self.averages.setChecked(True)
        self.averages.setToolTip(
            "Show the mean path of each kind of trial, from its start (disc) on."
        )
        self.key = ColourKey(counts=False)
        self.plot = TrajectoryPlot()
        self.plot.setToolTip(_USE_HINT)
        self.plot.sought.connect(self.seek_soon)
        self._lay_out()
        self.plane.currentIndexChanged.connect(self.redraw_soon)
        self.colour_by.currentIndexChanged.connect(self.redraw_soon)
        self.averages.toggled.connect(self.redraw_soon)
        self.follow(
            session.trajectories_changed, session.behaviour_changed, session.palette_changed
        )

    def _lay_out(self) -> None:
        self._choices = (self.plane, self.colour_by, self.averages)
        row = QHBoxLayout()
        row.setSpacing(6)
        for choice in self._choices:
            row.addWidget(choice)
        row.addWidget(self.key, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.hint)
        layout.addLayout(row)
        layout.addWidget(self.plot, 1)

    def set_colours(self, colours: ThemeColours) -> None:
        """Draw in the colours of napari's theme."""
        self.plot.set_colours(colours)

    def refresh(self) -> None:
        """Draw the path and the averages."""
        trajectories, recording = self._session.trajectories, self._session.recording
        is_there = trajectories is not None
        self.hint.setVisible(not is_there)
        for part in (*self._choices, self.key, self.plot):
            part.setVisible(is_there)
        if not is_there:
            self._shown = None
            return
        if trajectories is not self._shown:
            self._offer()
        anew = trajectories is not self._shown or self.plane.currentIndex() != self._shown_plane
        self._shown, self._shown_plane = trajectories, self.plane.currentIndex()
        plane = _PLANES[max(0, self.plane.currentIndex())]
        colouring = frame_colours(recording, self.colour_by.currentText())
        self.key.show_colouring(colouring)
        self.averages.setVisible(bool(trajectories.trial_types))
        path = Path(
            time_s=np.arange(trajectories.states.shape[1]) / trajectories.frame_rate_hz,
            places=trajectories.states[list(plane)],
            colours=colouring.colours,
            axes=tuple(f"PC {n + 1} ({trajectories.explained[n]:.0%})" for n in plane),
            averages=self._averages(plane),
        )
        self.plot.show_path(path, anew=anew)

    def move_to(self, time_s: float) -> None:
        """Mark the present moment."""
        if self._shown is not None:
            self.plot.move_to(time_s)

    def _averages(self, plane: tuple[int, int]) -> list[Average]:
        trajectories = self._session.trajectories
        if not self.averages.isChecked():
            return []
        colours = kind_colours(len(trajectories.trial_types)).tolist()
        paths = trajectories.averages[:, list(plane)]
        return [
            Average(tuple(colour), path)
            for colour, path in zip(colours, paths, strict=True)
            if np.isfinite(path).any()
        ]

    def _offer(self) -> None:
        """Fill the choices for new trajectories."""
        session = self._session
        planes = [p for p in _PLANES if max(p) < len(session.trajectories.states)]
        offers = (
            (self.plane, [f"PC {x + 1} and {y + 1}" for x, y in planes], ""),
            (
                self.colour_by,
                [TIME, *columns_of(session.recording)],
                session.trajectories_coloured_by,
            ),
        )
        for combo, entries, chosen in offers:
            blocked = combo.blockSignals(True)
            combo.clear()
            combo.addItems(entries)
            combo.setCurrentIndex(max(0, combo.findText(chosen)))
            combo.blockSignals(blocked)
