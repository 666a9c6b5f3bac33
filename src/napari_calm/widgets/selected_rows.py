"""The session's selected neurons as rows of traces, made when they come into view."""

from collections.abc import Sequence
from functools import lru_cache
from typing import overload

import numpy as np

from .bands import Band
from .heat_rows import HeatSource
from .layers import forecast_error
from .palette import neuron_colour, token_colours
from .session import Session
from .trace_rows import Fan, Picture, Row, Strip

_MOST_KEPT = 400
_WIDE, _NARROW = (0.05, 0.95), (0.25, 0.75)


class SelectedRows(Sequence[Row]):
    """One row a selected neuron, as the session was when this was made.

    However many are selected, only rows that are asked for exist.
    """

    def __init__(self, session: Session) -> None:
        recording = session.recording
        self._recording, self._selection = recording, session.selection
        self._accepted = session.accepted
        self._tokens, self._forecast = session.tokens, session.forecast
        self._time_s = np.arange(recording.n_frames) / recording.frame_rate_hz
        forecast = self._forecast
        self._has_bands = forecast is not None and has_bands(forecast)
        self._knows_error = forecast is not None and forecast.start_frame < recording.n_frames
        self._row = lru_cache(_MOST_KEPT)(self._made)

    def __len__(self) -> int:
        return len(self._selection)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self._row(number) for number in range(*place.indices(len(self)))]
        return self._row(range(len(self))[place])

    def _made(self, position: int) -> Row:
        neuron, forecast, tokens = self._selection[position], self._forecast, self._tokens
        return Row(
            name=name_of(self._recording, neuron) + self._remark(neuron),
            colour=neuron_colour(position),
            time_s=self._time_s,
            trace=self._recording.traces[neuron],
            fan=self._fan_of(neuron) if _knows(forecast, neuron) else None,
            strip=strip_of(tokens, neuron) if _knows(tokens, neuron) else None,
        )

    def _remark(self, neuron: int) -> str:
        """Say why a row may lack what others have."""
        made = [each for each in (self._forecast, self._tokens) if each is not None]
        if made and not any(_knows(each, neuron) for each in made):
            return " (not computed)"
        return "" if self._accepted[neuron] else " (rejected)"

    def _fan_of(self, neuron: int) -> Fan:
        """Return mean, bands where there are any, and error if known, of one neuron."""
        forecast, error = self._forecast, None
        frames = forecast.start_frame + np.arange(forecast.horizon_frames)
        bands: list = [None, None]
        if self._has_bands:
            for number, levels in enumerate((_WIDE, _NARROW)):
                edges = [int(np.argmin(abs(forecast.quantile_levels - q))) for q in levels]
                bands[number] = tuple(forecast.quantiles[edge, neuron] for edge in edges)
        if self._knows_error:
            error = forecast_error(self._recording.traces, forecast, [neuron])[0]
        return Fan(frames / forecast.frame_rate_hz, forecast.mean[neuron], *bands, error)


def _knows(result, neuron: int) -> bool:
    return result is not None and bool(result.known[neuron])


def picture_of(session: Session, band: Band | None = None) -> Picture:
    """Return what the trace panel shows of `session`, with a band under it."""
    recording, forecast = session.recording, session.forecast
    if recording is None:
        return Picture()
    end_s = recording.duration_s
    if forecast is not None:
        last_frame = forecast.start_frame + forecast.horizon_frames
        end_s = max(end_s, last_frame / recording.frame_rate_hz)
    start_s = None if forecast is None else forecast.start_s
    neurons = np.array(session.selection, int)
    heat = HeatSource(recording.traces, neurons, recording.frame_rate_hz)
    return Picture(SelectedRows(session), start_s, end_s, band, heat)


def neuron_name(session: Session, neuron: int) -> str:
    """Return what a neuron is called: its ROI's number, or its own."""
    return name_of(session.recording, neuron)


def name_of(recording, neuron: int) -> str:
    """Return what a neuron of a recording is called."""
    footprints = recording.footprints
    return f"cell {neuron}" if footprints is None else f"ROI {footprints.label_values[neuron]}"


def has_bands(forecast) -> bool:
    """Tell whether a forecast is uncertain, as all are but a single trajectory's."""
    return bool((forecast.quantiles[-1] > forecast.quantiles[0]).any())


def strip_of(tokens, neuron: int) -> Strip:
    """Return the tokens of one neuron in the colours of the token map."""
    colours = (token_colours(tokens.n_codes)[tokens.tokens[neuron]] * 255).astype(np.uint8)
    return Strip(tokens.start_s, tokens.token_duration_s, colours)
