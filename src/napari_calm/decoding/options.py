"""The choices that a fit has: what to look at, how far back, on which scale."""

from dataclasses import dataclass

import numpy as np

from .samples import Samples
from .target import Per
from .views import Series, Views, products_of, windowed

PARTS = ("traces", "trace history", "products", "states", "state history")
PARTS_OF_THE_MODEL = ("states", "state history")
# More features, or numbers in all, for one choice of lags, and a fit takes too long.
MOST_FEATURES = 9000
MOST_NUMBERS = 6e7
MOST_DIRECTIONS = 3500
LAG_COUNTS = (1, 4, 16, 48)
HISTORIES = ((0, 1, 2, 3), (0, 2, 4, 8, 16, 32))
STATE_HISTORIES = ((0, 4, 8, 16), (0, 8, 16, 32))
TRIAL_PARTS = (1, 3)
HISTORY_COMPONENTS = 64
EVENNESS = (0.0, 0.5)


@dataclass(frozen=True)
class Option:
    """One way to look at a recording.

    Parameters
    ----------
    part : str
        The part of the decoder that it belongs to, one of `PARTS`.
    window : tuple of int
        Lags in frames; for trials as many numbers as the trial is cut into parts.
    evenness : float
        How much the components of the states are evened out.
    """

    part: str
    window: tuple[int, ...]
    evenness: float = 0.0

    @property
    def source(self) -> str:
        """Series that the window is cut from: traces, states or products."""
        if self.part in PARTS_OF_THE_MODEL:
            return "states"
        return "products" if self.part == "products" else "traces"

    def series(self, views: Views) -> Series:
        """The series on every frame, as linear in its source (products: as they are)."""
        match self.part:
            case "traces":
                return views.traces
            case "trace history":
                return views.trace_components
            case "products":
                products = products_of(views.product_components.values)
                return Series(products, np.zeros(products.shape[1]))
            case "states":
                return views.state_components(self.evenness)
            case _:
                whole = views.state_components(self.evenness)
                assert whole.back is not None
                return Series(
                    whole.values[:, :HISTORY_COMPONENTS],
                    whole.centre,
                    whole.back[:, :HISTORY_COMPONENTS],
                )


@dataclass(frozen=True, eq=False)
class Design:
    """Features of all samples, scaled so that training features have variance 1 in sum.

    ``features = (windowed series - middle) * scale``, flattened.
    """

    features: np.ndarray
    middle: np.ndarray
    scale: np.ndarray
    series: Series


def make_design(option: Option, views: Views, samples: Samples, train: np.ndarray) -> Design:
    """Make the features of all samples; the training samples give middle and scale.

    Traces and products are standardised one by one; principal components keep their
    proportions, so that the small ones do not drown the large ones in noise.
    """
    series = option.series(views)
    seen = windowed(series.values.astype(np.float32), samples, option.window)
    features = seen.reshape(len(samples), -1)
    middle = features[train].mean(axis=0)
    deviation = features[train].std(axis=0)
    if option.part in ("traces", "products"):
        varies = deviation > 1e-6 * max(deviation.max(), 1e-12)
        scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0.0)
        scale /= np.sqrt(max(int(varies.sum()), 1))
    else:
        scale = np.full(deviation.size, 1 / max(np.sqrt((deviation**2).sum()), 1e-12))
    return Design((features - middle) * scale, middle, scale, series)


def options_for(
    per: Per,
    n_neurons: int,
    n_samples: int,
    *,
    with_states: bool,
    parts: tuple[str, ...] = PARTS,
) -> dict[str, list[Option]]:
    """All ways to look at samples, by part.

    Parameters
    ----------
    per : {"frame", "trial"}
    n_neurons, n_samples : int
        With many of them long windows are left out.
    with_states : bool
        Whether there are hidden states.
    """
    found: dict[str, list[Option]] = {}
    if per == "trial":
        windows = [tuple(range(n)) for n in TRIAL_PARTS]
        found["traces"] = [Option("traces", window) for window in windows]
        found["states"] = [
            Option("states", window, evenness) for window in windows for evenness in EVENNESS
        ]
    else:
        most = min(MOST_FEATURES, MOST_NUMBERS / n_samples) / n_neurons
        lags = [
            tuple(range(n))
            for n in LAG_COUNTS
            if n == 1 or (n <= most and min(n * n_neurons, n_samples) <= MOST_DIRECTIONS)
        ]
        found["traces"] = [Option("traces", window) for window in lags]
        found["trace history"] = [Option("trace history", window) for window in HISTORIES]
        found["products"] = [Option("products", (0,))]
        found["states"] = [Option("states", (0,), evenness) for evenness in EVENNESS]
        found["state history"] = [
            Option("state history", window, evenness)
            for window in STATE_HISTORIES
            for evenness in EVENNESS
        ]
    return {
        part: options
        for part, options in found.items()
        if part in parts and (with_states or part not in PARTS_OF_THE_MODEL)
    }
