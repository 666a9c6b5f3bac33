"""The readouts of a decoder in terms of traces and hidden states themselves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blend import Blend
from .readout import Readout
from .samples import Samples
from .states import Coordinates, FrameStates
from .views import TraceUnits, products_of, windowed

# Samples that tell how much each neuron adds; evenly spaced, so more say the same.
MOST_SAMPLES = 400


@dataclass(frozen=True, eq=False)
class LinearDecoder:
    """``outputs = middle + sum over readouts of share * (readout - middle)``.

    Parameters
    ----------
    readouts : dict of Readout
        By part; those whose share is above 0. They read traces in `units`, hidden states, or
        products of components of the traces.
    shares : dict of float
    middle : numpy.ndarray, (outputs,)
    slope : float
        Turns outputs of classes into probabilities.
    units : TraceUnits
    product_centre, product_back : numpy.ndarray, (neurons,) and (neurons, components)
        Components of the traces whose products are read; empty where none are.
    """

    readouts: dict[str, Readout]
    shares: dict[str, float]
    middle: np.ndarray
    slope: float
    units: TraceUnits
    product_centre: np.ndarray
    product_back: np.ndarray

    @classmethod
    def of(cls, blend: Blend, coordinates: Coordinates | None) -> "LinearDecoder":
        """Express a fitted blend without the coordinates that it was fitted on."""
        shares = {part: share for part, share in blend.shares.items() if share > 0}
        readouts = {}
        for part in shares:
            readout = blend.readouts[part]
            if readout.source == "coordinates":
                assert coordinates is not None
                readout = readout.on_states(coordinates)
            readouts[part] = readout
        centre, back = np.zeros(0), np.zeros((0, 0))
        if "products" in shares and blend.products is not None:
            assert blend.products.back is not None
            centre, back = blend.products.centre, blend.products.back
        return cls(readouts, shares, blend.middle, blend.slope, blend.units, centre, back)

    def outputs(
        self, traces: np.ndarray, states: FrameStates | None, samples: Samples
    ) -> NDArray[np.float64]:
        """Read samples, (samples, outputs).

        Parameters
        ----------
        traces : numpy.ndarray, (frames, neurons)
            dF/F.
        states : FrameStates
            Of the same frames.
        """
        units = self.units.apply(traces)
        found = np.tile(self.middle, (len(samples), 1))
        for part, readout in self.readouts.items():
            match readout.source:
                case "traces":
                    said = readout.outputs(units, samples)
                case "products":
                    components = (units - self.product_centre) @ self.product_back
                    said = readout.outputs(products_of(components), samples)
                case _:
                    assert states is not None
                    said = _read_states(readout, states, samples)
            found += self.shares[part] * (said - self.middle)
        return found

    def neuron_weights(
        self, traces: np.ndarray, states: FrameStates | None, samples: Samples
    ) -> NDArray[np.float64]:
        """Share of each neuron in what the decoder says, (neurons,), summing to 1.

        Standard deviation over the samples of what the neuron adds to the outputs. What
        products of components add is dealt to neurons by their squared loadings.
        """
        few = _every(samples, MOST_SAMPLES)
        units = self.units.apply(traces)
        n_outputs = self.middle.size
        added = np.zeros((len(few), units.shape[1], n_outputs))
        of_products = np.zeros(units.shape[1])
        for part, readout in self.readouts.items():
            share = self.shares[part]
            match readout.source:
                case "traces":
                    seen = windowed(units, few, readout.window)
                    added += share * np.einsum("swn,wno->sno", seen, readout.weights)
                case "products":
                    components = (units - self.product_centre) @ self.product_back
                    said = share * readout.outputs(products_of(components), few)
                    loading = (self.product_back * units.std(axis=0)[:, None]) ** 2
                    loading = loading.sum(axis=1) / max(loading.sum(), 1e-12)
                    of_products += loading * said.var(axis=0).sum()
                case _:
                    assert states is not None
                    width = states.hidden.shape[2]
                    for channels, values in states.parts():
                        seen = windowed(values, few, readout.window)
                        weights = share * readout.weights[:, channels]
                        first = channels.start // width
                        n_here = values.shape[1] // width
                        added[:, first : first + n_here] += np.einsum(
                            "swnd,wndo->sno",
                            seen.reshape(*seen.shape[:2], n_here, width),
                            weights.reshape(len(weights), n_here, width, n_outputs),
                            optimize=True,
                        )
        size = np.sqrt(added.var(axis=0).sum(axis=1) + of_products)
        found: NDArray[np.float64] = size / max(size.sum(), 1e-12)
        return found


def _read_states(readout: Readout, states: FrameStates, samples: Samples) -> np.ndarray:
    """Outputs of a readout of hidden states, some neurons at a time."""
    found = np.tile(readout.offset, (len(samples), 1)).astype(np.float64)
    for channels, values in states.parts():
        part = Readout(
            readout.part,
            readout.source,
            readout.window,
            readout.weights[:, channels],
            np.zeros_like(readout.offset),
        )
        found += part.outputs(values, samples)
    return found


def _every(samples: Samples, most: int) -> Samples:
    chosen = np.unique(np.linspace(0, len(samples) - 1, most).astype(int))
    return Samples(
        samples.per,
        samples.number[chosen],
        samples.start_frame[chosen],
        samples.stop_frame[chosen],
        samples.block[chosen],
        samples.gap_frames,
        samples.whole_trials,
    )
