"""One table of everything that is known of each neuron."""

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from ..core.recording import Recording
from .explored_results import CLUSTER
from .layers import roi_features
from .session import Session

CONFIDENCE, ACCEPTED = "confidence", "accepted"
# Columns that say which neuron it is.
IDENTITY = ("index", "neuron")

_of_recording: WeakKeyDictionary[Recording, pd.DataFrame] = WeakKeyDictionary()


def neuron_features(session: Session) -> pd.DataFrame:
    """Return one row a neuron: its ROI, activity, cluster, selectivity, weight in decoders.

    Units stand in the names (``area_px``); cluster -1 is none. Empty without a recording.
    """
    recording, clusters = session.recording, session.clusters
    if recording is None:
        return pd.DataFrame()
    parts = [_base_features(recording)]
    parts.append(pd.DataFrame({ACCEPTED: session.accepted}))
    if clusters is not None:
        found = {CLUSTER: clusters.labels, CONFIDENCE: clusters.confidence.round(3)}
        parts.append(pd.DataFrame(found))
    parts += [one.features() for one in session.selectivity.values()]
    parts += [
        pd.DataFrame({f"{one.target.name}: weight": one.neuron_weights.round(5)})
        for one in session.decodings.values()
    ]
    if session.applied is not None and session.applied.weights is not None:
        weights = session.applied.weights.round(5)
        parts.append(pd.DataFrame({session.applied_weights_name: weights}))
    table = pd.concat(parts, axis=1)
    # A behaviour and a trial column may have one name; then the first stands for both.
    return table.loc[:, ~table.columns.duplicated()]


def _base_features(recording: Recording) -> pd.DataFrame:
    if recording not in _of_recording:
        if recording.footprints is not None:
            features = roi_features(recording.footprints, recording.traces, recording.quality)
        else:
            features = pd.DataFrame(
                {
                    "index": recording.roi_labels,
                    "neuron": np.arange(recording.n_neurons),
                    "mean_dff": recording.traces.mean(axis=1).round(4),
                }
            )
        _of_recording[recording] = features
    return _of_recording[recording]
