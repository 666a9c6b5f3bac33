"""All that a session file holds: where the recording is, settings, choices and results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import CalmError
from ..core.forecast import Forecast
from ..core.recording import Recording
from ..core.token_map import TokenMap
from .made_with import Request
from .origin import Origin
from .session import ZERO_SHOT, Session

if TYPE_CHECKING:
    from ..decoding.applied import Applied
    from ..decoding.decoding import Decoding
    from ..explore.clusters import Clusters
    from ..explore.neuron_embedding import NeuronEmbedding
    from ..explore.selectivity import Selectivity
    from ..explore.trajectories import Trajectories
    from ..model.adaptation import Adaptation

_SAME = 1e-3


@dataclass(frozen=True)
class Facts:
    """What a recording is recognised by when it is read again.

    Parameters
    ----------
    name : str
    n_neurons, n_frames : int
    frame_rate_hz : float
    means, spreads : tuple of float, one a neuron
        Mean and standard deviation of the traces.
    """

    name: str
    n_neurons: int
    n_frames: int
    frame_rate_hz: float
    means: tuple[float, ...]
    spreads: tuple[float, ...]

    @classmethod
    def of(cls, recording: Recording) -> "Facts":
        """Return the facts of `recording`."""
        return cls(
            recording.name,
            recording.n_neurons,
            recording.n_frames,
            recording.frame_rate_hz,
            tuple(recording.traces.mean(axis=1, dtype=np.float64).tolist()),
            tuple(recording.traces.std(axis=1, dtype=np.float64).tolist()),
        )

    def check(self, recording: Recording) -> None:
        """Refuse another recording than the one that the facts are of.

        Raises
        ------
        CalmError
            If shape, frame rate or traces are others.
        """
        found = Facts.of(recording)
        if (found.n_neurons, found.n_frames) != (self.n_neurons, self.n_frames):
            raise CalmError(
                f"{recording.source}: found {found.n_neurons} neurons and {found.n_frames} "
                f"frames; the session is of {self.name}, with {self.n_neurons} neurons and "
                f"{self.n_frames} frames. Open the session again and choose that recording."
            )
        spreads = np.array(self.spreads)
        same = (
            np.isclose(found.frame_rate_hz, self.frame_rate_hz, rtol=_SAME)
            and (abs(np.array(found.means) - self.means) <= _SAME * (spreads + 1e-6)).all()
            and np.allclose(found.spreads, spreads, rtol=_SAME)
        )
        if not same:
            raise CalmError(
                f"{recording.source}: traces or frame rate are not those of {self.name} as "
                "they were when the session was saved, so its results would be wrong. Open the "
                "session again with the unchanged file, or open this recording and make the "
                "results anew."
            )


@dataclass(frozen=True, eq=False)
class KeptSession:
    """What is saved of a session.

    Parameters
    ----------
    facts : Facts, optional
        Of the recording, once they are in a file.
    origin : Origin, optional
        How the recording is read again; None where `recording` is kept itself.
    recording : Recording, optional
        None where a file says only where it is.
    pixel_size_um : float, optional
    model, device : str
    settings : dict
        Values of the panel's fields by their names.
    requests : dict of Request
        How each result was made.
    uses_adaptation, adaptation_file
        Whether results are made with the adaptation, and the file it was saved to.
    rejected, selection : tuple of int
        Neurons.
    accepted_only : bool
        Whether results are made without the rejected ones.
    time_s, colour_by, sort_by, map_name, forecast_kind, trajectories_by
        As the session has them; `map_name` is empty without a map.
    docks : dict
        See `kept_docks`.
    shown_decoding : str
        The decoding that is shown; empty where a kept decoder's values are, or nothing.
    selectivity : dict of Selectivity
    decodings : dict of Decoding
    tokens, forecast, embedding, clusters, trajectories, applied, adaptation
        Results; None for what there is not.
    """

    facts: Facts | None = None
    origin: Origin | None = None
    recording: Recording | None = None
    pixel_size_um: float | None = None
    model: str = ""
    device: str = "auto"
    settings: dict = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    uses_adaptation: bool = False
    adaptation_file: str | None = None
    rejected: tuple[int, ...] = ()
    selection: tuple[int, ...] = ()
    time_s: float = 0.0
    colour_by: str = ""
    map_name: str = ""
    forecast_kind: str = ZERO_SHOT
    trajectories_by: str = ""
    docks: dict = field(default_factory=dict)
    shown_decoding: str = ""
    selectivity: "dict[str, Selectivity]" = field(default_factory=dict)
    decodings: "dict[str, Decoding]" = field(default_factory=dict)
    tokens: TokenMap | None = None
    forecast: Forecast | None = None
    embedding: "NeuronEmbedding | None" = None
    clusters: "Clusters | None" = None
    trajectories: "Trajectories | None" = None
    applied: "Applied | None" = None
    adaptation: "Adaptation | None" = None
    accepted_only: bool = False
    sort_by: str = ""

    @classmethod
    def of(
        cls,
        session: Session,
        *,
        model: str,
        device: str,
        settings: Mapping,
        docks: Mapping | None = None,
    ) -> "KeptSession":
        """Take what there is of `session`."""
        return cls(
            None,
            session.origin,
            session.recording,
            session.pixel_size_um,
            model,
            device,
            dict(settings),
            dict(session.requests),
            session.adaptation_in_use is not None,
            session.adaptation_file,
            tuple(np.flatnonzero(~session.accepted).tolist()),
            session.selection,
            session.time_s,
            session.colour_by,
            "" if session.neuron_map is None else session.neuron_map.method,
            session.forecast_kind,
            session.trajectories_coloured_by,
            dict(docks or {}),
            session.shown_decoding,
            session.selectivity,
            session.decodings,
            session.tokens,
            session.forecast,
            session.embedding,
            session.clusters,
            session.trajectories,
            session.applied,
            session.adaptation,
            session.accepted_only,
            session.sort_by,
        )

    def check(self, recording: Recording, path: str | Path) -> None:
        """Refuse results that do not fit the recording they are to be shown with.

        Raises
        ------
        CalmError
            If the recording is another one, or a result is of other neurons.
        """
        self.facts.check(recording)
        results = [self.tokens, self.forecast, self.embedding, self.clusters]
        for result in (*results, *self.selectivity.values()):
            if result is not None and result.n_neurons != recording.n_neurons:
                raise CalmError(
                    f"{path}: holds a {type(result).__name__} of {result.n_neurons} neurons "
                    f"for {recording.n_neurons}. The file is damaged: open the recording and "
                    "make its results anew."
                )
        for decoding in self.decodings.values():
            self._check_size(decoding.roi_labels.size, decoding.n_frames, recording, path)
        if self.applied is not None:
            weights = self.applied.weights
            n_neurons = recording.n_neurons if weights is None else len(weights)
            self._check_size(n_neurons, self.applied.decoded.n_frames, recording, path)
        if self.adaptation is not None and not self.adaptation.belongs_to(recording):
            self.adaptation.check(recording)

    @staticmethod
    def _check_size(
        n_neurons: int, n_frames: int, recording: Recording, path: str | Path
    ) -> None:
        if (n_neurons, n_frames) != (recording.n_neurons, recording.n_frames):
            raise CalmError(
                f"{path}: holds a decoding of {n_neurons} neurons and {n_frames} frames for "
                f"{recording.n_neurons} and {recording.n_frames}. The file is damaged: open "
                "the recording and decode anew."
            )
