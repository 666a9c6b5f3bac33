"""A fitted linear map from a window of traces, states or products to what is decoded."""

from dataclasses import dataclass, replace

import numpy as np

from .options import Design, Option
from .samples import Samples
from .states import Coordinates
from .views import windowed


@dataclass(frozen=True, eq=False)
class Readout:
    """``outputs = sum over the window of source @ weights + offset``.

    Parameters
    ----------
    part : str
        The part of a decoder that it is.
    source : {"traces", "coordinates", "states", "products"}
        What it reads: traces in the decoder's units, coordinates of hidden states, the
        states themselves, or products of components of the traces.
    window : tuple of int
        Lags in frames; for trials as many numbers as a trial is cut into parts.
    weights : numpy.ndarray, (window, source channels, outputs)
    offset : numpy.ndarray, (outputs,)
    """

    part: str
    source: str
    window: tuple[int, ...]
    weights: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(
        cls, option: Option, design: Design, coefficients: np.ndarray, intercept: np.ndarray
    ) -> "Readout":
        """Express what was fitted to a design in terms of the design's source."""
        on_series = coefficients * design.scale[:, None]
        offset = intercept - design.middle @ on_series
        on_series = on_series.reshape(len(option.window), -1, coefficients.shape[1])
        source = "coordinates" if option.source == "states" else option.source
        if design.series.back is None:
            return cls(option.part, source, option.window, on_series, offset)
        weights = np.einsum("ck,wko->wco", design.series.back, on_series)
        offset = offset - np.einsum("c,wco->o", design.series.centre, weights)
        return cls(option.part, source, option.window, weights, offset)

    def outputs(self, source: np.ndarray, samples: Samples) -> np.ndarray:
        """Read samples.

        Parameters
        ----------
        source : numpy.ndarray, (frames, source channels)

        Returns
        -------
        numpy.ndarray, (samples, outputs)
        """
        found = np.broadcast_to(self.offset, (len(samples), self.offset.size)).copy()
        for place in range(len(self.window)):
            # Reading comes before cutting: outputs are few, channels many.
            read = source @ self.weights[place].astype(source.dtype)
            if samples.per == "frame":
                found += windowed(read, samples, (self.window[place],))[:, 0]
            else:
                found += windowed(read, samples, self.window)[:, place]
        return found

    def on_states(self, coordinates: Coordinates) -> "Readout":
        """Return the same map as one of the hidden states themselves."""
        if self.source != "coordinates":
            return self
        weights, offset = zip(
            *(coordinates.channel_weights(each) for each in self.weights), strict=True
        )
        return replace(
            self,
            source="states",
            weights=np.stack(weights),
            offset=self.offset + np.sum(offset, axis=0),
        )
