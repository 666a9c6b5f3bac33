"""What the animal did, as coloured bands under the traces."""

from dataclasses import dataclass

import numpy as np

from .frame_colours import frame_colours
from .recording_columns import columns_of
from .session import Session

NO_BAND = "no band"


@dataclass(frozen=True, eq=False)
class Band:
    """A colour for each frame, (frames, 3) uint8, of what `name` says."""

    name: str
    duration_s: float
    colours: np.ndarray


def band_names(session: Session) -> list[str]:
    """Return what a band can show: nothing first, then kinds of trials, then the rest."""
    return [NO_BAND, *columns_of(session.recording)]


def band_of(session: Session, name: str) -> Band | None:
    """Return a behaviour or trial column as a band; None if there is no such column."""
    recording = session.recording
    if recording is None or name not in columns_of(recording):
        return None
    colours = frame_colours(recording, name).colours
    return Band(name, recording.duration_s, np.asarray(colours, np.uint8))
