"""Opening a session file: everything is read and checked before anything is shown."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import CalmError
from ..core.progress import Steps
from .kept_session import KeptSession
from .origin import Origin
from .recording_layers import OpenedFolder, open_recording_steps
from .session import Session
from .session_file import read_session_steps


@dataclass(frozen=True, eq=False)
class Reopened:
    """A session that was read, or what is needed to read it.

    Parameters
    ----------
    kept : KeptSession
    opened : OpenedFolder, optional
        The recording; None where a file of it was not found.
    missing : tuple of str
        Files and folders that are not where they were.
    neuron_map, skill : optional
        What follows from the results that were kept.
    """

    kept: KeptSession
    opened: OpenedFolder | None = None
    missing: tuple[str, ...] = ()
    neuron_map: object | None = None
    skill: object | None = None


def reopen_steps(path: str | Path, moved: Mapping[str, str]) -> Steps[Reopened]:
    """Read a session file and its recording.

    Parameters
    ----------
    path : path
        The session file.
    moved : mapping of str to str
        Where files of the recording are now, by where they were.

    Raises
    ------
    CalmError
        If the file or the recording cannot be read, or the recording is another one.
    """
    kept, home = yield from read_session_steps(path)
    if kept.origin is None:
        opened = OpenedFolder(kept.recording, pixel_size_um=kept.pixel_size_um)
    else:
        found = _found_again(kept.origin, moved, home, Path(path))
        missing = tuple(place for place in kept.origin.places if place not in found)
        if missing:
            return Reopened(kept, missing=missing)
        options = asdict(kept.origin.moved(found))
        opened = yield from open_recording_steps(
            options.pop("path"), pixel_size_um=kept.pixel_size_um, **options
        )
    kept.check(opened.recording, path)
    neuron_map = yield from _map_steps(kept)
    skill = None
    if kept.forecast is not None:
        from ..analysis.skill import forecast_skill

        skill = forecast_skill(opened.recording, kept.forecast)
    return Reopened(kept, opened, (), neuron_map, skill)


def show_results(session: Session, reopened: Reopened) -> None:
    """Give a session, which has the recording already, what was kept of it."""
    kept = reopened.kept
    session.set_accepted(range(len(session.accepted)), True)
    session.set_accepted(kept.rejected, False)
    session.use_accepted_only(kept.accepted_only)
    session.adaptation_file = kept.adaptation_file
    session.set_adaptation(kept.adaptation)
    session.use_adaptation(kept.uses_adaptation)
    session.requests = dict(kept.requests)
    session.set_tokens(kept.tokens)
    session.set_forecast(kept.forecast, reopened.skill, kind=kept.forecast_kind)
    session.set_embedding(kept.embedding, reopened.neuron_map)
    session.set_clusters(kept.clusters)
    session.set_selectivity(kept.selectivity)
    session.set_trajectories(kept.trajectories, coloured_by=kept.trajectories_by)
    session.set_decodings(kept.decodings)
    session.show_decoding(kept.shown_decoding)
    if kept.applied is not None:
        session.set_applied(kept.applied)
    session.set_colour_by(kept.colour_by)
    session.set_sort_by(kept.sort_by)
    session.select(kept.selection)


def _found_again(
    origin: Origin, moved: Mapping[str, str], home: str, session_file: Path
) -> dict[str, str]:
    """Return where each file is now, of those that are found.

    What lay beside the session file, or beside a file that the user showed, is looked for
    beside it.
    """
    folders = [(home, str(session_file.resolve().parent))]
    folders += [(os.path.dirname(old), os.path.dirname(new)) for old, new in moved.items()]
    found = {}
    for place in origin.places:
        candidates = [moved[place]] if place in moved else [place]
        for old, new in folders:
            try:
                candidates.append(os.path.join(new, os.path.relpath(place, old)))
            except ValueError:
                # On another drive: it did not lie beside it.
                continue
        there = next((each for each in candidates if file_of(each).exists()), None)
        if there is not None:
            found[place] = os.path.normpath(there) if there != place else place
    return found


def file_of(place: str) -> Path:
    """Return the file of ``file.h5::/dataset``."""
    from ..io.address import split_address

    return split_address(place)[0]


def _map_steps(kept: KeptSession):
    if kept.embedding is None or not kept.map_name:
        return None
    from .embedding_section import PCA, map_steps

    try:
        return (yield from map_steps(kept.embedding, kept.map_name))
    except CalmError:
        # Made where the optional package for it was installed.
        return (yield from map_steps(kept.embedding, PCA))
