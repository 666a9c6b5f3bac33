"""Where a recording came from, in a form that brings it back."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """A file or folder, and how it was read.

    Parameters
    ----------
    path : str
        What `napari_calm.read_recording` is given.
    rois : str, optional
        ROIs of a movie.
    frame_rate_hz : float, optional
        What was given in place of what the file says.
    drop_unusable, cells_only : bool
    transpose : bool, optional
        Whether axes were exchanged, or not, against what the file shows.
    channel, plane : int, optional
        Which of those in a movie's file, numbered from 1.
    extraction : mapping
        `ExtractionOptions` that differ from the defaults.
    tables : tuple of str
        Tables of behaviour or trials that were opened afterwards.
    """

    path: str
    rois: str | None = None
    frame_rate_hz: float | None = None
    drop_unusable: bool = False
    cells_only: bool = False
    transpose: bool | None = None
    channel: int | None = None
    plane: int | None = None
    extraction: Mapping[str, float | bool] = field(default_factory=dict)
    tables: tuple[str, ...] = ()

    def with_table(self, path: str | Path) -> "Origin":
        """Return the origin of the recording after another table was opened."""
        return replace(self, tables=(*self.tables, str(path)))

    @property
    def places(self) -> tuple[str, ...]:
        """Every file or folder that the recording is read from."""
        return (self.path, *((self.rois,) if self.rois else ()), *self.tables)

    def moved(self, now_at: Mapping[str, str]) -> "Origin":
        """Return the origin after files have moved, from the keys to the values."""
        return replace(
            self,
            path=now_at.get(self.path, self.path),
            rois=None if self.rois is None else now_at.get(self.rois, self.rois),
            tables=tuple(now_at.get(table, table) for table in self.tables),
        )

    def python(self) -> list[str]:
        """Return lines that make `recording`."""
        options = [
            f"{name}={value!r}"
            for name, value in (
                ("rois", self.rois),
                ("frame_rate_hz", self.frame_rate_hz),
                ("drop_unusable", self.drop_unusable),
                ("cells_only", self.cells_only),
                ("channel", self.channel),
                ("plane", self.plane),
            )
            if value
        ]
        if self.transpose is not None:
            options.append(f"transpose={self.transpose}")
        if self.extraction:
            how = ", ".join(f"{name}={value!r}" for name, value in self.extraction.items())
            options.append(f"extraction=ExtractionOptions({how})")
        lines = [
            f"recording = napari_calm.read_recording({', '.join([repr(self.path), *options])})"
        ]
        lines += [f"recording = with_behaviour(recording, {table!r})" for table in self.tables]
        if self.extraction:
            lines.insert(0, "from napari_calm.extraction.options import ExtractionOptions")
        if self.tables:
            lines.insert(0, "from napari_calm.io.behaviour import with_behaviour")
        return lines

    def command(self) -> str:
        """Return the arguments of a command line; tables have no place in it."""
        parts = [self.path]
        if self.rois:
            parts += ["--rois", self.rois]
        if self.frame_rate_hz:
            parts += ["--frame-rate", repr(self.frame_rate_hz)]
        parts += ["--drop-unusable"] * self.drop_unusable
        parts += ["--cells-only"] * self.cells_only
        for option, number in (("--channel", self.channel), ("--plane", self.plane)):
            parts += [] if number is None else [option, str(number)]
        if self.transpose is not None:
            parts.append("--transpose" if self.transpose else "--no-transpose")
        return shlex.join(parts)
