"""Looking at a zip archive's table of contents before anything is taken out."""

from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from ..core.errors import RecordingError

_MOST_MEMBERS = 200_000
_MOST_BYTES = 8 * 2**30
# deflate makes at most about a thousand bytes of one.
_ENCRYPTED = 0x1
_BOMB_BYTES, _BOMB_RATIO = 2**30, 200


def check_archive(path: str | Path) -> list[str]:
    """Names in a zip archive that nothing is wrong with.

    Raises
    ------
    RecordingError
        If it is no zip archive, a name leads out of it, it needs a password, or it would become
        too large.
    """
    path = Path(path)
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except FileNotFoundError as error:
        raise RecordingError(f"{path}: there is no such file.") from error
    except (OSError, BadZipFile, ValueError, NotImplementedError, MemoryError) as error:
        raise RecordingError(
            f"{path}: not a readable zip archive ({error}). It is damaged, cut short or of "
            "another kind: copy it again from where it came, or choose another file."
        ) from error
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in member.filename[:3]:
            raise RecordingError(
                f"{path}: the archive names {member.filename[:80]!r}, which leads out of it. "
                "It is not opened."
            )
        if member.flag_bits & _ENCRYPTED:
            raise RecordingError(
                f"{path}: {member.filename[:80]!r} in the archive needs a password. Save it "
                "without one."
            )
    size = sum(member.file_size for member in members)
    stored = max(1, sum(member.compress_size for member in members))
    if len(members) > _MOST_MEMBERS or size > _MOST_BYTES:
        raise RecordingError(
            f"{path}: the archive holds {len(members)} files of {size} bytes; at most "
            f"{_MOST_MEMBERS} and {_MOST_BYTES} are read."
        )
    if size > _BOMB_BYTES and size / stored > _BOMB_RATIO:
        raise RecordingError(
            f"{path}: {stored} bytes would become {size}; it is not opened. Save the arrays "
            "without compression if they really are that large."
        )
    return [member.filename for member in members]
