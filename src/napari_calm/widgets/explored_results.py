"""What was found out about the neurons of a recording: the session's part on structure."""

from typing import TYPE_CHECKING

from psygnal import Signal

from .reading import Reading

if TYPE_CHECKING:
    from ..core.recording import Recording
    from ..decoding.applied import Applied
    from ..decoding.decoded import Decoded
    from ..decoding.decoder import Decoder
    from ..decoding.decoding import Decoding
    from ..decoding.states import FrameStates
    from ..decoding.target import Target
    from ..explore.clusters import Clusters
    from ..explore.neuron_embedding import NeuronEmbedding
    from ..explore.neuron_map import NeuronMap
    from ..explore.selectivity import Selectivity
    from ..explore.trajectories import Trajectories

# What neurons are coloured by as soon as there are clusters.
CLUSTER = "cluster"
_WEIGHT = ": weight"


class ExploredResults:
    """Embedding, clusters, selectivity, trajectories, decodings; what neurons are coloured by.

    Signals
    -------
    embedding_changed
        Another embedding, or another map of it.
    clusters_changed, selectivity_changed, trajectories_changed
        Without arguments; read the new state here.
    decoding_changed
        Another variable was decoded, another one is shown, or there is none any more.
    colour_changed
        Neurons are coloured by something else.
    sort_changed
        The rows of the raster are to be sorted by something else.
    code_changed
        Another code of the codebook is looked at, or none.
    """

    embedding_changed = Signal()
    clusters_changed = Signal()
    selectivity_changed = Signal()
    trajectories_changed = Signal()
    decoding_changed = Signal()
    colour_changed = Signal()
    sort_changed = Signal()
    code_changed = Signal()

    def __init__(self) -> None:
        self._reading: Reading | None = None
        self._code: int | None = None
        self._sort_by = ""
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
    def decodings(self) -> "dict[str, Decoding]":
        """How well each variable was decoded, by its name."""
        return dict(self._decodings)

    @property
    def shown_decoding(self) -> str:
        """Name of the decoding that is shown; empty for none."""
        return self._shown_decoding

    @property
    def decoding(self) -> "Decoding | None":
        """The decoding that is shown; None for none, or where a kept decoder is applied."""
        return self._decodings.get(self._shown_decoding)

    @property
    def decoder(self) -> "Decoder | None":
        """The decoder whose values are shown."""
        if self.decoding is not None:
            return self.decoding.decoder
        return None if self._applied is None else self._applied.decoder

    @property
    def decoded(self) -> "Decoded | None":
        """What is decoded at each frame or trial: held-out values, or a kept decoder's."""
        return self._decoded

    @property
    def decoded_truth(self) -> "Target | None":
        """The variable itself, where the recording has it."""
        return self._decoded_truth

    @property
    def colour_by(self) -> str:
        """What neurons are coloured by; see `colouring`."""
        return self._colour_by

    @property
    def sort_by(self) -> str:
        """What the rows of the raster are sorted by; empty until something is chosen."""
        return self._sort_by

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

    def states_of(self, model, recording: "Recording") -> "FrameStates | None":
        """Hidden states of every frame of `recording` by `model`, if they are known."""
        read_model, traces = self._frame_states_of
        known = read_model is model and traces is recording.traces
        return self._frame_states if known else None

    def set_frame_states(self, model, recording: "Recording", states: "FrameStates") -> None:
        """Keep hidden states of every frame, so that the model reads them once."""
        self._frame_states_of, self._frame_states = (model, recording.traces), states

    def set_decodings(self, found: "dict[str, Decoding]") -> None:
        """Take decodings beside those there are, show the first, and colour by its weights."""
        self._decodings |= found
        if found:
            self._show_decoding(next(iter(found)))
        self.decoding_changed.emit()

    def show_decoding(self, name: str) -> None:
        """Show another one of the decodings."""
        if name in self._decodings and name != self._shown_decoding:
            self._show_decoding(name)
            self.decoding_changed.emit()

    @property
    def applied(self) -> "Applied | None":
        """The kept decoder that is shown, and what it says; None where a decoding is shown."""
        return self._applied

    @property
    def applied_weights_name(self) -> str:
        """What its weights are called among the features of neurons."""
        return f"{self._applied.decoder.name} (kept decoder){_WEIGHT}" if self._applied else ""

    def set_applied(self, applied: "Applied") -> None:
        """Show what a kept decoder says of the recording.

        Neurons are coloured by their weights in it; where there are none, by those of no other
        decoder either.
        """
        self._shown_decoding = ""
        self._applied = applied
        self._decoded, self._decoded_truth = applied.decoded, applied.truth
        if applied.weights is not None:
            self._colour_by = self.applied_weights_name
        elif self._colour_by.endswith(_WEIGHT):
            self._colour_by = CLUSTER
        self.decoding_changed.emit()

    def drop_decodings(self) -> None:
        """Forget all decodings: what they were about has changed."""
        if self._decoded is not None:
            self._forget_decodings()
            self.decoding_changed.emit()

    def _show_decoding(self, name: str) -> None:
        shown = self._decodings[name]
        self._shown_decoding = name
        self._applied = None
        self._decoded, self._decoded_truth = shown.held_out(), shown.target
        self._colour_by = f"{shown.target.name}{_WEIGHT}"

    def _forget_decodings(self) -> None:
        self._decodings: dict[str, Decoding] = {}
        self._shown_decoding = ""
        self._applied: Applied | None = None
        self._decoded: Decoded | None = None
        self._decoded_truth: Target | None = None

    def set_colour_by(self, name: str) -> None:
        """Colour neurons by something else."""
        if name != self._colour_by:
            self._colour_by = name
            self.colour_changed.emit()

    def set_sort_by(self, name: str) -> None:
        """Sort the rows of the raster by something else."""
        if name != self._sort_by:
            self._sort_by = name
            self.sort_changed.emit()

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
        self._frame_states: FrameStates | None = None
        self._frame_states_of: tuple = (None, None)
        self._forget_decodings()

    def _drop_hidden(self) -> None:
        """Drop what came of hidden states that are no longer those in use."""
        found = (self._embedding, self._trajectories, self._decoded)
        had_any = any(each is not None for each in found)
        self._forget_hidden()
        if had_any:
            for signal in (
                self.embedding_changed,
                self.clusters_changed,
                self.trajectories_changed,
                self.decoding_changed,
            ):
                signal.emit()

    def _tell_explored(self) -> None:
        for signal in (
            self.embedding_changed,
            self.clusters_changed,
            self.selectivity_changed,
            self.trajectories_changed,
            self.decoding_changed,
        ):
            signal.emit()
