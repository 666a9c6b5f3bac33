"""The layer that paints each ROI in the colour of its cluster or feature."""

import numpy as np
import pandas as pd
from napari.utils.colormaps import DirectLabelColormap

from .colouring import colouring_of
from .explored_results import CLUSTER
from .geometry import apply as apply_geometry
from .label_rows import rows_by_label
from .layers import KIND_KEY, MODEL_KEY, ROIS, ROLE_KEY, SessionLayers
from .neuron_features import neuron_features
from .session import Session
from .turns import Turns

CLUSTERS = "CalM clusters"
_OPACITY = 0.55
_TRANSPARENT = (0.0, 0.0, 0.0, 0.0)


class NeuronColours:
    """Adds, updates and removes the coloured ROIs, and keeps the features of all ROIs.

    The layer comes with the first clusters, selectivity or decoding. It is named after what it
    shows, and one that the user deleted comes back with the next result or choice of colour.
    """

    def __init__(
        self, viewer, session: Session, layers: SessionLayers, turns: Turns | None = None
    ) -> None:
        self._viewer, self._session, self._layers = viewer, session, layers
        self._turns = Turns() if turns is None else turns
        # Columns that we added to the features table; the user's own are left alone.
        self._added: list[str] = []
        session.clusters_changed.connect(self._on_result)
        session.selectivity_changed.connect(self._on_result)
        session.decoding_changed.connect(self._on_result)
        session.colour_changed.connect(self._show)
        session.palette_changed.connect(self._show)
        session.accepted_changed.connect(self._on_result)

    def close(self) -> None:
        """Stop following the session; the layer stays."""
        self._session.clusters_changed.disconnect(self._on_result)
        self._session.selectivity_changed.disconnect(self._on_result)
        self._session.decoding_changed.disconnect(self._on_result)
        self._session.colour_changed.disconnect(self._show)
        self._session.palette_changed.disconnect(self._show)
        self._session.accepted_changed.disconnect(self._on_result)

    def _on_result(self) -> None:
        self._turns.take(self._show_features)
        self._turns.take(self._show)

    def _show_features(self) -> None:
        """Put what is known of each neuron into the features table of the ROIs."""
        rois, features = self._layers.find(ROIS), neuron_features(self._session)
        if rois is None or features.empty:
            return
        features = rows_by_label(features)
        if len(rois.features) != len(features):
            return
        table = rois.features
        kept = table[[name for name in table if name not in self._added]]
        new = features[[name for name in features if name not in kept]]
        self._added = list(new)
        # Only a table assigned anew is noticed by those who show it.
        rois.features = pd.concat([kept.reset_index(drop=True), new], axis=1)

    def _show(self) -> None:
        session, recording = self._session, self._session.recording
        known = session.clusters is not None or session.selectivity or session.decodings
        known = known or session.applied is not None
        if not known or recording is None or recording.footprints is None:
            self._layers.remove(CLUSTERS)
            return
        footprints, colouring = recording.footprints, colouring_of(session)
        features = rows_by_label(neuron_features(session))
        arguments = self._layers.geometry.of_image()
        layer = self._layers.find(CLUSTERS)
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_labels(
                footprints.label_image,
                name=CLUSTERS,
                features=features,
                metadata={ROLE_KEY: CLUSTERS},
                opacity=_OPACITY,
                **arguments,
            )
            self._layers.rois_to_top()
            self._viewer.layers.selection.active = active
        else:
            if layer.data is not footprints.label_image:
                layer.data = footprints.label_image
            layer.features = features
            apply_geometry(layer, arguments)
        colours: dict = {None: _TRANSPARENT, 0: _TRANSPARENT}
        for label, colour in zip(
            footprints.label_values.tolist(), colouring.colours / 255, strict=True
        ):
            colours[label] = np.append(colour, 1.0)
        layer.colormap = DirectLabelColormap(color_dict=colours)
        self._label(layer, colouring)

    def _label(self, layer, colouring) -> None:
        """Say in the layer what is shown and which model it came of."""
        by, clusters = self._session.colour_by, self._session.clusters
        unit = f" ({colouring.unit})" if colouring.unit else ""
        layer.name = CLUSTERS if by == CLUSTER else f"CalM {colouring.name}{unit}"
        made_by = {}
        if clusters is not None:
            adapted = self._session.adaptation_in_use is not None
            made_by = {
                MODEL_KEY: clusters.model_name,
                KIND_KEY: "adapted" if adapted else "zero-shot",
            }
        layer.metadata = {**layer.metadata, **made_by}
