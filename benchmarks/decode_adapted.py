"""Does adapting help decoding? Later halves, with the model fitted to the earlier ones."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from napari_calm.core.recording import Recording
from napari_calm.decoding.decode import decode
from napari_calm.decoding.states import represent_frames
from napari_calm.model.calm import CalmModel
from napari_calm.train.adapt import adapt


def adapted_scores(
    model: CalmModel, recording: Recording, variables: Sequence[str], seed: int
) -> dict[str, Any]:
    """Decode the later half with the model as it is, and adapted to the earlier half.

    Adapting sees the traces of the earlier half only: no behaviour, no frame that is
    decoded. Folds, decoder and reference are the same for both.

    Returns
    -------
    dict
        ``verdict`` of the adaptation, and of each variable ``measure``, ``zero_shot``,
        ``adapted`` and ``reference``.
    """
    half = recording.n_frames // 2
    adaptation = adapt(model, recording, until_frame=half, seed=seed)
    later = replace(recording, behaviour=_known_from(recording.behaviour, half))
    found: dict[str, Any] = {
        "verdict": adaptation.verdict(),
        "helped": adaptation.helped,
        "variables": {},
    }
    # Adapting that did not help leaves the model as it is.
    used_models = {"zero_shot": model}
    if adaptation.helped:
        used_models["adapted"] = adaptation.apply(model)
    for name, used in used_models.items():
        states = represent_frames(used, recording)
        for variable in variables:
            decoding = decode(used, later, variable, states=states, shifts=0, seed=seed)
            found["variables"].setdefault(variable, {"measure": decoding.measure}).update(
                {name: decoding.score.mean, "reference": decoding.reference.mean}
            )
    if not adaptation.helped:
        for scores in found["variables"].values():
            scores["adapted"] = scores["zero_shot"]
    return found


def _known_from(behaviour: pd.DataFrame, frame: int) -> pd.DataFrame:
    """Hide what is known of the frames before `frame`."""
    later = np.arange(len(behaviour)) >= frame
    return pd.DataFrame(
        {
            name: values.where(later, "" if values.dtype.kind in "OUT" else np.nan)
            for name, values in behaviour.items()
        }
    )
