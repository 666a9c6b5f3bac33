"""A kept decoder together with what it says of one recording."""

from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import CalmError
from ..core.recording import Recording
from .decoded import Decoded
from .decoder import Decoder
from .states import FrameStates
from .target import Target, read_target


@dataclass(frozen=True, eq=False, repr=False)
class Applied:
    """What a decoder that was fitted elsewhere says of a recording.

    Parameters
    ----------
    decoder : Decoder
    decoded : Decoded
    truth : Target, optional
        The variable itself, its classes named as the decoder's, where the recording has it.
    weights : numpy.ndarray, (neurons,), optional
        Share of each neuron in what is said; None where none has a say.
    said : str
        How well it reads, in words.
    """

    decoder: Decoder
    decoded: Decoded
    truth: Target | None = None
    weights: np.ndarray | None = None
    said: str = ""

    def __repr__(self) -> str:
        return f"Applied({self.decoder!r}, to {self.decoded.recording_name!r})"

    @classmethod
    def of(cls, decoder: Decoder, recording: Recording, states: FrameStates) -> "Applied":
        """Apply a decoder, judge it where the recording has its variable, and weigh neurons.

        Raises
        ------
        RecordingError
            If there is nothing to decode; the recording was checked before (`Decoder.check`).
        """
        decoded = decoder.read(recording, states)
        weights = decoder.neuron_weights(recording, states)
        truth = None
        try:
            truth = read_target(recording, decoder.name, kind=decoder.kind)
            said = decoder.judge(decoded, truth).verdict()
            truth = decoder.matched(truth)
        except CalmError as error:
            truth, said = None, f"{decoder.name}: decoded, not scored. {error}"
        if weights is None:
            said += (
                " No neuron has a weight: this decoder says the same whatever the neurons do."
            )
        return cls(decoder, decoded, truth, weights, said)

    def among(self, recording: Recording, neurons: np.ndarray) -> "Applied":
        """Return the same for all neurons of a recording, of which `neurons` were read.

        Parameters
        ----------
        recording : Recording
            The whole.
        neurons : numpy.ndarray
            Where in it each neuron read is; indices, or one truth value a neuron.
        """
        if self.weights is None:
            return self
        weights = np.full(recording.n_neurons, np.nan)
        weights[neurons] = self.weights
        return replace(self, weights=weights)
