"""The frames of a recording that a fit may look at."""

import math

from ..core.errors import CalmError, RecordingError
from ..core.recording import Recording
from ..model.calm import CalmModel
from .config import AdaptConfig
from .data import WindowSampler


def known_frames(
    model: CalmModel,
    recording: Recording,
    from_frame: int,
    until_frame: int | None,
    config: AdaptConfig,
) -> WindowSampler:
    """Put the frames that `adapt` may look at into a sampler.

    Raises
    ------
    RecordingError
        If they are too few.
    CalmError
        If they are not in the recording, or the model cannot be adapted.
    """
    if model.forecast_head is None:
        raise CalmError(
            f"adapt: the model {model.name} has no forecast head, which adapting fits. Use a "
            "model that has one, such as calm-mini."
        )
    if model.adaptation is not None:
        raise CalmError(
            f"adapt: {model.name} is adapted to {model.adaptation.recording_name} already. "
            "Adapt the model as it was loaded."
        )
    until_frame = recording.n_frames if until_frame is None else until_frame
    if not 0 <= from_frame < until_frame <= recording.n_frames:
        raise CalmError(
            f"adapt: frames {from_frame} to {until_frame} of {recording.name}, which has "
            f"{recording.n_frames}."
        )
    known = Recording(
        recording.traces[:, from_frame:until_frame], recording.frame_rate_hz, recording.name
    )
    settings = model.config.preprocessing
    factor = recording.frame_rate_hz / model.model_rate_hz(recording.frame_rate_hz)
    horizon = settings.max_frames - settings.context_frames
    fewest = max(
        settings.max_frames / (1 - config.validation_share), horizon / config.validation_share
    )
    fewest = math.ceil(fewest * factor) + 1
    if known.n_frames < fewest:
        raise RecordingError(
            f"{recording.source or recording.name}: adapting {model.name} takes {fewest} "
            f"frames or more ({fewest / recording.frame_rate_hz:.0f} s), found "
            f"{known.n_frames}. Use the model as it is (zero-shot)."
        )
    return WindowSampler([known], settings, config.validation_share)
