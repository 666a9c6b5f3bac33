"""What was found out about the neurons of a recording: the session's part on structure."""

from typing import TYPE_CHECKING

from psygnal import Signal

from .reading import Reading

if TYPE_CHECKING:
    from ..explore.clusters import Clusters
    from ..explore.neuron_embedding import NeuronEmbedding
    from ..explore.neuron_map import NeuronMap
    from ..explore.selectivity import Selectivity
    from ..explore.trajectories import Trajectories

# What neurons are coloured by as soon as there are clusters.
CLUSTER = "cluster"


class ExploredResults:
    """Embedding, clusters, selectivity and trajectories, and what neurons are coloured by.

    Signals
    -------
    embedding_changed
        Another embedding, or another map of it.
    clusters_changed, selectivity_changed, trajectories_changed
        Without arguments; read the new state here.
    colour_changed
        Neurons are coloured by something else.
    code_changed
        Another code of the codebook is looked at, or none.
    """

    embedding_changed = Signal()
    clusters_changed = Signal()
    selectivity_changed = Signal()
    trajectories_changed = Signal()
    colour_changed = Signal()
    code_changed = Signal()

    def __init__(self) -> None:
        self._reading: Reading | None = None
        self._code: int | None = None
        self._forget_explored()

    @property
    def reading(self) -> Reading | None:
        """Hidden states and tokens by the model in use, kept until another model is."""
        return self._reading

    @property
    def embedding(self) -> "NeuronEmbedding | None":
        """One vector a neuron."""
        return self._embedding

    @property
    def neuron_map(self) -> "NeuronMap | None":
        """The embedding in a plane."""
        return self._neuron_map

    @property
    def clusters(self) -> "Clusters | None":
        """The functional clusters of the neurons."""
        return self._clusters

    @property
    def selectivity(self) -> "dict[str, Selectivity]":
        """Selectivity for each behaviour or trial column that was tested."""
        return dict(self._selectivity)

    @property
    def trajectories(self) -> "Trajectories | None":
        """The state of the population over time."""
        return self._trajectories

    @property
    def trajectories_coloured_by(self) -> str:
        """Column that the trajectories were asked for; empty for none."""
        return self._trajectories_coloured_by

    @property
    def colour_by(self) -> str:
        """What neurons are coloured by; see `colouring`."""
        return self._colour_by

    @property
    def code(self) -> int | None:
        """The code of the codebook that is looked at; None for all."""
        return self._code

    def set_code(self, code: int | None) -> None:
        """Look at one code of the codebook, or at all."""
        if code != self._code:
            self._code = code
            self.code_changed.emit()

    def set_reading(self, reading: Reading | None) -> None:
        """Keep what the model in use has read, so that nothing is read twice."""
        self._reading = reading

    def set_embedding(
        self, embedding: "NeuronEmbedding | None", neuron_map: "NeuronMap | None"
    ) -> None:
        """Take an embedding of the neurons and how it lies in a plane."""
        self._embedding, self._neuron_map = embedding, neuron_map
        self.embedding_changed.emit()

    def set_clusters(self, clusters: "Clusters | None") -> None:
        """Take clusters of the neurons and, if there are any, colour by them."""
        self._clusters = clusters
        if clusters is not None:
            self._colour_by = CLUSTER
        self.clusters_changed.emit()

    def set_selectivity(self, selectivity: "dict[str, Selectivity]") -> None:
        """Take the selectivity for some columns in place of what there is."""
        self._selectivity = dict(selectivity)
        self.selectivity_changed.emit()

    def set_trajectories(
        self, trajectories: "Trajectories | None", *, coloured_by: str = ""
    ) -> None:
        """Take the state of the population over time, asked for because of a column."""
        self._trajectories = trajectories
        self._trajectories_coloured_by = coloured_by
        self.trajectories_changed.emit()

    def set_colour_by(self, name: str) -> None:
        """Colour neurons by something else."""
        if name != self._colour_by:
            self._colour_by = name
            self.colour_changed.emit()

    def _forget_explored(self) -> None:
        """Drop everything without a word."""
        self._forget_hidden()
        self._selectivity: dict[str, Selectivity] = {}
        self._colour_by = CLUSTER

    def _forget_hidden(self) -> None:
        self._reading = None
        self._embedding: NeuronEmbedding | None = None
        self._neuron_map: NeuronMap | None = None
        self._clusters: Clusters | None = None
        self._trajectories: Trajectories | None = None
        self._trajectories_coloured_by = ""

    def _drop_hidden(self) -> None:
        """Drop what came of hidden states that are no longer those in use."""
        had_any = self._embedding is not None or self._trajectories is not None
        self._forget_hidden()
        if had_any:
            for signal in (
                self.embedding_changed,
                self.clusters_changed,
                self.trajectories_changed,
            ):
                signal.emit()

    def _tell_explored(self) -> None:
        for signal in (
            self.embedding_changed,
            self.clusters_changed,
            self.selectivity_changed,
            self.trajectories_changed,
        ):
            signal.emit()
