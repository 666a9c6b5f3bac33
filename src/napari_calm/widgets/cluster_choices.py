"""What clusters are to be made of, and how."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QSizePolicy, QSpinBox

from ..core.errors import CalmError
from ..explore.partition import COUNTED, FEWEST_NEURONS, METHODS, check_method, setting_name
from .eliding import ElidingCombo
from .recording_columns import columns_of
from .session import Session

# In the order of recommendation; the first one that there is, is the default.
_SOURCES = {
    "task": "Coupling (below), and which share of each neuron's activity every behaviour and "
    "trial column explains. Finds functional groups best where behaviour is known. Its "
    "clusters differ in what they follow by construction: do not take that as a finding.",
    "coupling": "With whom the hidden states of a neuron move, beyond what the whole "
    "population shares, whatever the sign. From activity alone.",
    "coactivity": "With whom each neuron is active, in its hidden states and its trace, slow "
    "drift taken off. Comes back most alike in another half of real recordings.",
    "mean": "The mean hidden state of each neuron: how it is active rather than with whom.",
    "row": "The row that adapting fitted to each neuron. Only for an adapted model.",
}
_METHODS = {
    "k-means": "Round clusters of similar size; every neuron gets one.",
    "gaussian mixture": "Clusters that may be drawn out, all with the same shape.",
    "hdbscan": "Dense regions of any shape; neurons between them get no cluster.",
    "leiden": "Communities of the graph of nearest neighbours.",
}
_AUTO = "'auto' takes what comes back best in random halves of the recording."
_SETTINGS = {
    "hdbscan": f"Fewest neurons of a cluster. {_AUTO}",
    "leiden": f"Higher gives more and smaller clusters. {_AUTO}",
}
_NUMBER = (
    "How many clusters. 'auto' parts random halves of the recording with every number and "
    "takes the one whose partitions agree best."
)


class ClusterChoices:
    """Fields for source, method and number of clusters, and rarely needed options."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.source = ElidingCombo(objectName="calm_source")
        self.method = ElidingCombo(objectName="calm_method")
        for combo in (self.source, self.method):
            combo.setMinimumContentsLength(8)
            combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setting_label = QLabel()
        self.setting = QDoubleSpinBox(objectName="calm_clusters")
        self.setting.setSpecialValueText("auto")
        self.most_clusters = QSpinBox(objectName="calm_most_clusters")
        self.resamplings = QSpinBox(objectName="calm_resamplings")
        self.seed = QSpinBox(objectName="calm_cluster_seed")
        self.method.addItems(METHODS)
        for row, name in enumerate(METHODS):
            explain(self.method, row, _METHODS[name], lambda n=name: check_method(n))
        self.source.currentIndexChanged.connect(self._on_source)
        self.method.currentIndexChanged.connect(self._on_method)
        session.recording_changed.connect(self._on_recording)
        session.behaviour_changed.connect(self._fill_sources)
        session.adaptation_changed.connect(self._fill_sources)
        self._on_recording()

    def release(self) -> None:
        """Stop following the session."""
        session = self._session
        session.recording_changed.disconnect(self._on_recording)
        session.behaviour_changed.disconnect(self._fill_sources)
        session.adaptation_changed.disconnect(self._fill_sources)

    def add_rows(self, form: QFormLayout) -> None:
        """Put the choices that matter into a form."""
        form.addRow("Compare by", self.source)
        form.addRow("Method", self.method)
        form.addRow(self.setting_label, self.setting)

    def add_rare_rows(self, form: QFormLayout) -> None:
        """Put the rarely needed ones into another form."""
        for field, low, high, value, label, told in (
            (self.most_clusters, 2, 50, 12, "Try up to", "Largest number that 'auto' tries."),
            (
                self.resamplings,
                2,
                200,
                20,
                "Halves",
                "Pairs of random halves of the recording that say how well clusters come "
                "back. More are surer and slower.",
            ),
            (self.seed, 0, 2**31 - 1, 0, "Seed", "The same seed gives the same clusters."),
        ):
            field.setRange(low, high)
            field.setValue(value)
            field.setToolTip(told)
            form.addRow(label, field)

    def set_enabled(self, enabled: bool) -> None:
        """Let the choices be changed, or not while they are in use."""
        for field in (self.source, self.method, self.setting):
            field.setEnabled(enabled)

    def embedding_request(self) -> dict:
        """Return the arguments for `embed` that were chosen."""
        return {
            "source": self.source.currentText(),
            "resamplings": self.resamplings.value(),
            "seed": self.seed.value(),
        }

    def cluster_request(self) -> dict:
        """Return the arguments for `cluster` that were chosen."""
        method, value = METHODS[self.method.currentIndex()], self.setting.value()
        request = {
            "method": method,
            "most_clusters": self.most_clusters.value(),
            "resamplings": self.resamplings.value(),
            "seed": self.seed.value(),
        }
        if value > self.setting.minimum():
            counted = method in COUNTED
            request["n_clusters" if counted else "setting"] = round(value) if counted else value
        return request

    def _on_recording(self) -> None:
        self._fill_sources()
        self._on_method()

    def _fill_sources(self) -> None:
        chosen, had_task = self.source.currentText(), self.source.findText("task") >= 0
        has_task = bool(columns_of(self._session.recording))
        offered = [
            name
            for name in _SOURCES
            if (name != "task" or has_task)
            and (name != "row" or self._session.adaptation_in_use is not None)
        ]
        blocked = self.source.blockSignals(True)
        self.source.clear()
        self.source.addItems(offered)
        for row, name in enumerate(offered):
            explain(self.source, row, _SOURCES[name])
        # Behaviour that has just become known is what to compare by.
        keeps = chosen in offered and had_task == has_task
        self.source.setCurrentIndex(offered.index(chosen) if keeps else 0)
        self.source.blockSignals(blocked)
        self._on_source()

    def _on_source(self, _index: int = 0) -> None:
        told = _SOURCES[self.source.currentText()]
        self.source.setToolTip(f"What neurons are compared by. {told}")

    def _on_method(self, _index: int = 0) -> None:
        """Let the field ask for what the method takes."""
        method, recording = METHODS[self.method.currentIndex()], self._session.recording
        self.method.setToolTip(_METHODS[method])
        most = FEWEST_NEURONS if recording is None else max(FEWEST_NEURONS, recording.n_neurons)
        self.setting_label.setText(setting_name(method).capitalize())
        self.setting.setToolTip(_SETTINGS.get(method, _NUMBER))
        fine = method == "leiden"
        self.setting.setDecimals(2 if fine else 0)
        self.setting.setSingleStep(0.1 if fine else 1.0)
        self.setting.setRange(0.0 if fine else 1.0, 20.0 if fine else float(most))
        self.setting.setValue(self.setting.minimum())


def explain(combo: QComboBox, row: int, text: str, check=lambda: None) -> None:
    """Give an entry its tooltip; one whose package is missing says so and is off."""
    try:
        check()
    except CalmError as error:
        item = combo.model().item(row)
        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
        combo.setItemText(row, f"{combo.itemText(row)} (not installed)")
        text = str(error)
    combo.setItemData(row, text, Qt.ItemDataRole.ToolTipRole)
